"use strict";
/* What the page shows is said by what stands behind the # of its address, so that a link holds it all:

   run      the run that sort, status, success and ranges are about (the first edit otherwise)
   sort     a number; order=worst has the worst case first; minus=RUN sorts by the difference to that run
   type     edit types; method: methods; hide: runs; each several, with commas between
   status   ok, error, skipped, unscored, outdated, missing, or undone for what has no result yet; success yes or no
   range    number:low..high as displayed, either end may be missing; several with commas between
   q        words that id or prompts have
   metrics  the numbers below the pictures
   compare  slider or blink; mask=1
   page, size; case: the case in full, left and right: the two pictures of it, view: of a scene
   about    the run whose making is unfolded                                                                      */

const DATA = JSON.parse(document.getElementById("data").textContent);
const METRICS = new Map(DATA.metrics.map(metric => [metric.name, metric]));
const RUNS = new Map(DATA.runs.map(run => [run.id, run]));
const METHODS = [...new Set(DATA.runs.map(run => run.method))];
const INDEX = new Map(DATA.cases.id.map((id, index) => [id, index]));
const STATUS = { o: "ok", e: "error", s: "skipped", u: "unscored", p: "outdated", m: "missing", n: "not planned" };
const STATUSES = ["ok", "error", "skipped", "unscored", "outdated", "missing", "undone"];
const SIZES = [10, 20, 50, 100];
const USUAL_METRICS = DATA.metrics.filter(metric => metric.shown).map(metric => metric.name);
const FIRST_RUN = (DATA.runs.find(run => !run.identity && run.id !== DATA.baseline)
  ?? DATA.runs.find(run => !run.identity) ?? DATA.runs[0]).id;
const FIXED_PICTURES = DATA.scenes ? ["source"] : ["source", "truth"];

/** The state that an address says; `unknown` has what it names and this page does not have. */
function parse(hash) {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const unknown = [];
  const note = (name, value) => { unknown.push(`${name}=${value}`); };
  const one = (name, known, otherwise = "") => {
    const value = given.get(name);
    if (value === null || value === "") return otherwise;
    if (known(value)) return value;
    note(name, value);
    return otherwise;
  };
  const several = (name, known) => (given.get(name) ?? "").split(",").filter(value => {
    if (value !== "" && !known(value)) note(name, value);
    return value !== "" && known(value);
  });
  const isRun = id => RUNS.has(id), isMetric = name => METRICS.has(name), among = values => value => values.includes(value);
  const isPicture = id => FIXED_PICTURES.includes(id) || RUNS.has(id), isCount = text => /^\d{1,9}$/.test(text);
  return {
    run: one("run", isRun), sort: one("sort", isMetric), order: one("order", among(["best", "worst"]), "best"),
    minus: one("minus", isRun), type: several("type", among(DATA.types.map(type => type.id))),
    scene: one("scene", among(DATA.cases.scene)), method: several("method", among(METHODS)), hide: several("hide", isRun),
    status: one("status", among(STATUSES)), success: one("success", among(["yes", "no"])),
    range: several("range", text => readRange(text) !== null).map(readRange),
    q: given.get("q") ?? "", metrics: given.has("metrics") ? several("metrics", isMetric) : USUAL_METRICS,
    compare: one("compare", among(["slider", "blink"])), mask: one("mask", among(["1"])),
    page: Math.max(1, Number(one("page", isCount, "1"))), size: Number(one("size", among(SIZES.map(String)), "20")),
    case: one("case", id => INDEX.has(id)), left: one("left", isPicture, "source"), right: one("right", isPicture),
    view: Number(one("view", isCount, "0")), about: one("about", isRun), unknown,
  };
}

/** The shortest address that says a state; never a bare #, which would lead to the top of the page. */
function address(state) {
  const usual = parse("");
  const plain = { ...state, range: state.range.map(writeRange) };
  const said = Object.keys(usual).filter(name => name !== "unknown" && String(plain[name]) !== String(usual[name]));
  return "#" + (new URLSearchParams(said.map(name => [name, String(plain[name])])).toString() || "page=1");
}

function readRange(text) {
  const [, name, low, high] = text.match(/^([^:]+):(-?[\d.]*(?:e-?\d+)?)\.\.(-?[\d.]*(?:e-?\d+)?)$/) ?? [];
  const end = part => part === "" ? null : Number(part);
  if (!METRICS.has(name) || Number.isNaN(end(low)) || Number.isNaN(end(high))) return null;
  return { name, low: end(low), high: end(high) };
}

function writeRange(range) {
  return `${range.name}:${range.low ?? ""}..${range.high ?? ""}`;
}

let state = parse(location.hash);

/** Goes to a changed state. A change of what is selected starts at the first page. `keep`: the way back leads here. */
function go(change, keep = false) {
  const moves = Object.keys(change).some(name =>
    !["page", "case", "left", "right", "view", "compare", "mask", "metrics", "hide", "method", "about"].includes(name));
  const next = address({ ...state, ...(moves ? { page: 1 } : {}), ...change });
  if (next === address(state)) return;
  if (keep) location.hash = next; else location.replace(next);
}

function focusRun() {
  return state.run || FIRST_RUN;
}

/** The runs whose pictures are shown; a copy of the source only where it was asked for. */
function visibleRuns() {
  return DATA.runs.filter(run => run.id === state.run || (run.method !== "copy" && !state.hide.includes(run.id)
    && (state.method.length === 0 || state.method.includes(run.method))));
}
