/* Follows the address, listens to keys, and starts. */

let SELECTED = [];
let drawnFor = "";

const KEYS = [
  ["j or →", "next case"], ["k or ←", "previous case"], ["n", "next page"], ["p", "previous page"],
  ["Enter", "compare the case's pictures in full"], ["b", "blink between source and edit"], ["s", "slider between them"],
  ["m", "edit mask"], ["v", "next view of a scene, in full view"], ["/", "search"], ["t", "light, dark"], ["Esc", "close"], ["?", "these keys"],
];

/** Draws what the address says: all cases only where what is selected, or how a case looks, has changed. */
function follow() {
  state = parse(location.hash);
  const unknown = document.getElementById("unknown");
  unknown.hidden = state.unknown.length === 0;
  unknown.textContent = `This page does not have what the link names: ${state.unknown.join(", ")}.`;
  document.body.classList.toggle("masks", Boolean(state.mask));
  document.body.classList.toggle("blink", state.compare === "blink");
  const listed = address({ ...state, case: "", left: "source", right: "", view: 0, about: "", mask: "" });
  if (listed !== drawnFor) {
    SELECTED = selected();
    drawCases(SELECTED);
    drawnFor = listed;
  }
  syncControls();
  drawViewer();
  if (state.about) unfold(`about-${state.about}`);
}

function unfold(id) {
  const details = document.getElementById(id);
  details.open = true;
  details.scrollIntoView();
  details.querySelector("summary").focus({ preventScroll: true });
}

/** Goes to another case: the next one of the selection in full view, or the next one of the page. */
function stepCase(by) {
  if (state.case) {
    const next = SELECTED[SELECTED.indexOf(INDEX.get(state.case)) + by];
    if (next !== undefined) go({ case: DATA.cases.id[next], page: Math.floor(SELECTED.indexOf(next) / state.size) + 1 });
    return;
  }
  const cards = [...document.querySelectorAll("article.case")];
  const at = cards.indexOf(document.activeElement?.closest("article.case"));
  const card = cards[at < 0 ? (by > 0 ? 0 : -1) : at + by];
  card?.focus({ preventScroll: true });
  card?.scrollIntoView({ block: "start" });
}

function stepPage(by) {
  const pages = Math.max(1, Math.ceil(SELECTED.length / state.size));
  const page = Math.min(pages, Math.max(1, state.page + by));
  if (page !== state.page) turnTo(page);
}

function toggleCompare(kind) {
  if (state.case && kind === "blink") blink();
  else if (!state.case && !DATA.scenes) go({ compare: state.compare === kind ? "" : kind });
}

function openCase() {
  const card = document.activeElement?.closest("article.case");
  if (card && document.activeElement === card) go({ case: card.id.slice("case-".length) }, true);
}

function changeTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const now = document.documentElement.dataset.theme ?? (dark ? "dark" : "light");
  document.documentElement.dataset.theme = now === "dark" ? "light" : "dark";
}

function showHelp() {
  const help = document.getElementById("help");
  help.replaceChildren(make("h2", { id: "help-title" }, "Keys"),
    make("dl", {}, KEYS.map(([key, does]) => make("div", {}, make("dt", {}, make("kbd", {}, key)), make("dd", {}, does)))),
    make("p", { class: "soft" }, "The address holds what is shown: copy it to share a selection or a case."),
    make("button", { type: "button", click: () => help.close() }, "Close"));
  if (!help.open) help.showModal();
}

const ACTIONS = {
  j: () => stepCase(1), ArrowRight: () => stepCase(1), k: () => stepCase(-1), ArrowLeft: () => stepCase(-1),
  n: () => stepPage(1), p: () => stepPage(-1), b: () => toggleCompare("blink"), s: () => toggleCompare("slider"),
  m: () => go({ mask: state.mask || DATA.scenes ? "" : "1" }), t: changeTheme, "?": showHelp, Enter: openCase,
  v: () => state.case && DATA.views && go({ view: (state.view + 1) % DATA.views }),
  "/": () => { document.getElementById("search").focus(); document.getElementById("search").select(); },
};

document.addEventListener("keydown", event => {
  const typed = event.target.matches("input:not([type=checkbox]):not([type=range]), select, textarea");
  const slides = event.target.matches("input[type=range]") && event.key.startsWith("Arrow");
  if (event.key === "Escape" && event.target.id === "search") event.target.blur();
  if (event.ctrlKey || event.metaKey || event.altKey || typed || slides) return;
  const action = Object.hasOwn(ACTIONS, event.key) ? ACTIONS[event.key] : null;
  if (!action || document.getElementById("help").open || (state.case && ["/", "n", "p", "Enter"].includes(event.key))) return;
  if (event.key !== "Enter") event.preventDefault();
  action();
});

VIEWER.addEventListener("cancel", event => { event.preventDefault(); closeViewer(); });
VIEWER.addEventListener("click", event => { if (event.target === VIEWER) closeViewer(); });
document.addEventListener("click", event => {
  for (const drop of document.querySelectorAll("details.drop[open]")) if (!drop.contains(event.target)) drop.open = false;
  if (event.target.closest(".results td a, a.skip")) requestAnimationFrame(() => document.getElementById("every-title").scrollIntoView());
});
document.getElementById("help-button").addEventListener("click", showHelp);
document.getElementById("theme-button").addEventListener("click", changeTheme);
addEventListener("hashchange", follow);
document.body.classList.toggle("scenes", DATA.scenes);
document.body.classList.toggle("pixels", DATA.pixelated);
document.documentElement.style.setProperty("--width", DATA.size[1]);
document.documentElement.style.setProperty("--height", DATA.size[0]);
drawControls();
follow();
if (location.hash.length > 1 && !state.about) document.getElementById("every-title").scrollIntoView();
