/* The bar above the cases: what is shown, in which order. It is drawn once, and then follows the state. */

const NO_FILTER = { scene: "", type: [], method: [], hide: [], status: "", success: "", range: [], q: "" };
const CONTROLS = document.getElementById("controls");
let typing = 0;

function drawControls() {
  const runs = DATA.runs.map(run => [run.id, run.label]);
  const metrics = DATA.metrics.map(metric => [metric.name, metric.name + arrow(metric)]);
  const scenes = [...new Set(DATA.cases.scene)].filter(name => name !== "").sort();
  const edits = runs.filter(([id]) => !RUNS.get(id).identity);
  const search = make("input", { type: "search", id: "search", name: "q", placeholder: "id or words of a prompt", "aria-label": "search",
    autocomplete: "off", input: event => { clearTimeout(typing); typing = setTimeout(() => go({ q: event.target.value }), 150); } });
  CONTROLS.replaceChildren(
    make("div", { class: "row" }, search,
      choose("run", "Of run", runs.map(([id, label]) => [id === FIRST_RUN ? "" : id, label])),
      choose("sort", "sort by", [["", "type and id"], ...metrics]),
      choose("order", "", [["best", "best first"], ["worst", "worst first"]], "order"),
      choose("minus", "minus", [["", "nothing"], ...edits])),
    make("div", { class: "row" },
      DATA.types.length > 1 && menu("Type", "type", DATA.types.map(type => [type.id, type.name])),
      scenes.length > 1 && choose("scene", "Scene", [["", "any"], ...scenes.map(name => [name, name])]),
      METHODS.length > 1 && menu("Method", "method", METHODS.map(name => [name, name])),
      choose("status", "Ended", [["", "in any way"], ["ok", "well"], ["error", "with an error"], ["skipped", "skipped"],
        ["undone", "no result yet"], ["missing", "not done"], ["unscored", "unscored"], ["outdated", "outdated scores"]]),
      METRICS.has("edit_success") && choose("success", "Success", [["", "any"], ["yes", "yes"], ["no", "no"]]),
      rangeMenu(metrics),
      runMenu(runs),
      menu("Numbers", "metrics", metrics),
      !DATA.scenes && make("span", { class: "segments", role: "group", "aria-label": "compare with the source" },
        segment("", "Plain"), segment("slider", "Slider"), segment("blink", "Blink")),
      DATA.cases.mask?.some(Boolean) && make("button", { type: "button", id: "mask-button", click: () => go({ mask: state.mask ? "" : "1" }) }, "Mask"),
      choose("size", "a page", SIZES.map(size => [String(size), String(size)]))));
  CONTROLS.addEventListener("submit", event => event.preventDefault());
}

function choose(name, label, options, spoken = label) {
  const select = make("select", { name, "aria-label": spoken, change: event =>
    go({ [name]: name === "size" ? Number(event.target.value) : event.target.value }) },
    options.map(([option, shown]) => make("option", { value: option }, shown)));
  return make("label", { class: "choose" }, label, select);
}

function segment(compare, label) {
  return make("button", { type: "button", "data-compare": compare, click: () => go({ compare }) }, label);
}

/** A folded list of check boxes for a state of several values. */
function menu(label, name, options) {
  const change = () => go({ [name]: [...box.querySelectorAll("input:checked")].map(input => input.value) });
  const box = make("div", { class: "menu", role: "group", "aria-label": label },
    options.map(([option, shown]) => make("label", {}, make("input", { type: "checkbox", name, value: option, change }), make("bdi", {}, shown))));
  return make("details", { class: "drop", "data-menu": name }, make("summary", {}, label, make("span", { class: "count" })), box);
}

/** The same for the runs that are shown, of which the state has those that are not. */
function runMenu(runs) {
  const shown = runs.filter(([id]) => RUNS.get(id).method !== "copy");
  const drop = menu("Pictures", "hide", shown);
  const boxes = [...drop.querySelectorAll("input")];
  const listen = event => { event.stopImmediatePropagation(); go({ hide: boxes.filter(box => !box.checked).map(box => box.value) }); };
  for (const box of boxes) box.addEventListener("change", listen, { capture: true });
  return drop;
}

/** A range of a number: both ends as displayed, and which there are. */
function rangeMenu(metrics) {
  const select = make("select", { "aria-label": "number" }, metrics.map(([name, shown]) => make("option", { value: name }, shown)));
  const end = name => make("input", { type: "number", step: "any", "aria-label": name, placeholder: name });
  const low = end("from"), high = end("to");
  const there = make("span", { class: "soft" });
  const say = () => {
    const metric = METRICS.get(select.value);
    const own = (RUNS.get(focusRun()).values[metric.name] ?? []).filter(number => number !== null).map(number => number * metric.scale);
    const ends = [own.reduce((a, b) => Math.min(a, b), Infinity), own.reduce((a, b) => Math.max(a, b), -Infinity)];
    there.textContent = own.length ? `${ends.map(number => number.toFixed(metric.digits)).join(" to ")} ${unitOf(metric)}, n = ${own.length}` : "no values";
  };
  const add = () => {
    const ends = [low, high].map(input => input.value === "" ? null : Number(input.value));
    if (ends.every(number => number === null)) return;
    go({ range: [...state.range.filter(one => one.name !== select.value), { name: select.value, low: ends[0], high: ends[1] }] });
  };
  select.addEventListener("change", say);
  for (const input of [low, high]) input.addEventListener("keydown", event => { if (event.key === "Enter") { event.preventDefault(); add(); } });
  const box = make("div", { class: "menu ranges", role: "group", "aria-label": "range" }, make("div", { class: "row" }, select, there),
    make("div", { class: "row" }, low, "to", high, make("button", { type: "button", click: add }, "Apply")), make("div", { class: "given" }));
  return make("details", { class: "drop", "data-menu": "range", toggle: say }, make("summary", {}, "Range", make("span", { class: "count" })), box);
}

/** Lets the bar say what the state is. */
function syncControls() {
  for (const select of CONTROLS.querySelectorAll("select[name]")) select.value = String(state[select.name]);
  if (state.run === FIRST_RUN) CONTROLS.querySelector("select[name=run]").value = "";
  const search = document.getElementById("search");
  if (document.activeElement !== search) search.value = state.q;
  for (const drop of CONTROLS.querySelectorAll("details.drop")) {
    const name = drop.dataset.menu, given = state[name];
    for (const box of drop.querySelectorAll("input[type=checkbox]")) box.checked = given.includes(box.value) !== (name === "hide");
    const count = name === "hide" ? visibleRuns().length : given.length;
    drop.querySelector(".count").textContent = count ? ` ${count}` : "";
    drop.classList.toggle("on", ["type", "method", "range"].includes(name) && given.length > 0);
  }
  CONTROLS.querySelector(".given").replaceChildren(...state.range.map(range => make("button", { type: "button", class: "chip",
    "aria-label": `without the range of ${range.name}`, click: () => go({ range: state.range.filter(one => one.name !== range.name) }) },
    `${range.name} ${range.low ?? "…"} to ${range.high ?? "…"} ×`)));
  for (const button of CONTROLS.querySelectorAll("[data-compare]")) button.setAttribute("aria-pressed", String(button.dataset.compare === state.compare));
  document.getElementById("mask-button")?.setAttribute("aria-pressed", String(Boolean(state.mask)));
  CONTROLS.querySelector("select[name=order]").disabled = !state.sort;
  CONTROLS.querySelector("select[name=minus]").disabled = !state.sort;
}
