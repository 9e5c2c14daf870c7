/* One case in full: any two of its pictures over each other, every number, what went wrong, and of scenes the video. */

const VIEWER = document.getElementById("viewer");
let blinking = false;
let shownCase = "";

/** Opens, changes or closes the view of a case as the state says. */
function drawViewer() {
  if (!state.case) {
    if (VIEWER.open) {
      VIEWER.close();
      document.getElementById(`case-${shownCase}`)?.focus();
    }
    shownCase = "";
    return;
  }
  const index = INDEX.get(state.case);
  const runs = visibleRuns();
  const right = state.right || (runs.find(run => run.id === focusRun()) ?? runs[0] ?? DATA.runs[0]).id;
  const cut = VIEWER.querySelector(".stage input[type=range]")?.value ?? CUT;
  const top = shownCase === state.case ? VIEWER.scrollTop : 0;
  const focused = document.activeElement?.getAttribute("data-key");
  VIEWER.replaceChildren(viewerHead(index), prompt(index), compared(index, right, cut), choice(index, runs, right),
    DATA.scenes ? sceneParts(index, runs, right) : "", allNumbers(index, runs, right),
    ...runs.flatMap(run => runRemarks(run, index)));
  if (!VIEWER.open) VIEWER.showModal();
  VIEWER.scrollTop = top;
  VIEWER.querySelector(`[data-key="${CSS.escape(focused ?? "slider")}"]`)?.focus({ preventScroll: true });
  shownCase = state.case;
}

function viewerHead(index) {
  const place = SELECTED.indexOf(index);
  const step = (label, by, name) => make("button", { type: "button", "data-key": name, "aria-label": name,
    disabled: SELECTED[place + by] === undefined, click: () => stepCase(by) }, label);
  return make("header", {},
    make("h2", { id: "viewer-title" }, DATA.cases.id[index]), make("span", { class: "soft" }, typeName(index)),
    make("span", { class: "soft" }, place < 0 ? "" : `${place + 1} of ${SELECTED.length}`),
    make("span", { class: "right" }, step("‹", -1, "previous case"), step("›", 1, "next case"),
      make("button", { type: "button", "data-key": "close", "aria-label": "close", click: () => closeViewer() }, "×")));
}

function closeViewer() {
  go({ case: "", left: "source", right: "", view: 0 });
}

/** The stage: left of the handle one picture, right of it the other; blinking shows them in turn. */
function compared(index, right, cut) {
  const view = Math.min(state.view, Math.max(0, DATA.views - 1));
  const files = [right, state.left].map(what => comparedFile(what, index, view));
  const names = [right, state.left].map(labelOf);
  const part = (file, name, kind) => file ? image(file, name, kind) : make("span", { class: `gone ${kind}` }, `${name}: no picture`);
  const label = `${names[0]}: how much of it ${names[1]} covers, in percent`;
  const slider = handle("");
  slider.setAttribute("aria-label", label);
  slider.setAttribute("data-key", "slider");
  slider.value = cut;
  const stage = make("div", { class: `stage${blinking ? " blinking" : ""}` },
    part(files[0], names[0], ""), part(files[1], names[1], "under"), mask(index), slider);
  stage.style.setProperty("--cut", `${cut}%`);
  stage.style.aspectRatio = `${DATA.size[1]} / ${DATA.size[0]}`;
  const sides = make("p", { class: "sides" },
    make("span", {}, named(state.left)), make("span", {}, named(right)));
  return make("div", { class: "compared" }, stage, sides);
}

/** What the two pictures are; for scenes also from where. */
function choice(index, runs, right) {
  const pictures = [...FIXED_PICTURES.filter(what => comparedFile(what, index, 0)), ...runs.map(run => run.id)];
  const chooser = (side, now) => make("label", {}, side, make("select", { "data-key": side,
    change: event => go({ [side]: event.target.value }) },
    pictures.map(what => make("option", { value: what, selected: what === now }, labelOf(what)))));
  const views = DATA.views > 1 && make("label", {}, "view", make("input", { type: "range", min: "0",
    max: String(DATA.views - 1), value: String(state.view), "data-key": "view",
    change: event => go({ view: Number(event.target.value) }) }));
  const masks = !DATA.scenes && maskFile(index) && make("button", { type: "button", "data-key": "mask",
    "aria-pressed": String(Boolean(state.mask)), click: () => go({ mask: state.mask ? "" : "1" }) }, "Mask");
  const small = pictures.filter(what => comparedFile(what, index, 0)).map(what => make("button", {
    type: "button", class: "small", title: labelOf(what), "aria-label": `${labelOf(what)} on the right`,
    "aria-pressed": String(what === right), "data-key": `small-${what}`, click: () => go({ right: what }),
  }, image(DATA.scenes ? comparedFile(what, index, Math.min(state.view, DATA.views - 1)) : pictureFile(what, index), "")));
  return make("div", { class: "choice" },
    make("div", { class: "row" }, chooser("left", state.left), chooser("right", right), views,
      make("button", { type: "button", "data-key": "blink", "aria-pressed": String(blinking), click: () => blink() }, "Blink"),
      masks),
    make("div", { class: "row smalls" }, small));
}

function blink() {
  blinking = !blinking;
  drawViewer();
}

/** A row for each number, a column for each run; the best of a row stands out. */
function allNumbers(index, runs, right) {
  const baseline = DATA.baseline;
  const held = DATA.metrics.filter(metric => runs.some(run => value(run.id, metric.name, index) !== null));
  const cells = metric => {
    const best = bestOf(runs.filter(run => !run.identity), metric.name, index);
    return runs.map(run => {
      const own = value(run.id, metric.name, index);
      const other = baseline && baseline !== run.id ? value(baseline, metric.name, index) : null;
      const difference = own === null || other === null ? null : make("small", {}, text(metric, own - other, true));
      return make("td", { class: best.has(run.id) ? "best" : null }, text(metric, own), difference);
    });
  };
  const head = run => make("th", { scope: "col", class: run.id === right ? "focus" : null },
    named(run.id), badge(run, index));
  const rows = held.map(metric => make("tr", {},
    make("th", { scope: "row", title: metric.about }, metric.name + arrow(metric),
      make("span", { class: "soft" }, ` ${unitOf(metric)}`)), cells(metric)));
  const note = baseline ? `Small: minus ${labelOf(baseline)}, the baseline.` : "";
  return make("div", {}, make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "every number" },
    make("table", {}, make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "number"), runs.map(head))),
      make("tbody", {}, rows))), make("p", { class: "soft note" }, note));
}

function runRemarks(run, index) {
  const said = remarks(run, index, true);
  return said.length ? [make("section", { class: "remarks" }, make("h3", {}, make("bdi", {}, run.label), badge(run, index)), said)] : [];
}

/** Of a scene: the chosen run's video and contact sheet, and the scores of its views. */
function sceneParts(index, runs, right) {
  const run = RUNS.get(right) ?? runs[0];
  const film = run && filmFile(run, index);
  const sheet = run && pictureFile(run.id, index);
  return make("div", { class: "scene" },
    sheet ? image(sheet, `${run.label}: views of original and edit`, "sheet") : "",
    film ? video(film, `${run.label}: original and edit from all around`) : "",
    viewScores(index, runs));
}
