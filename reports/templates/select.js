/* Which cases are shown, and in which order. */

function value(runId, name, index) {
  return RUNS.get(runId).values[name]?.[index] ?? null;
}

/** How good a value is: larger is better. Of numbers with a best value that is nearness to it. */
function goodness(metric, number) {
  if (metric.higher === true) return number;
  if (metric.higher === false) return -number;
  return metric.best === null ? number : -Math.abs(number - metric.best);
}

/** What cases are ordered by; null where there is no such value. */
function sortKey(index) {
  const metric = METRICS.get(state.sort);
  const own = value(focusRun(), state.sort, index);
  if (own === null) return null;
  if (!state.minus) return goodness(metric, own);
  const other = value(state.minus, state.sort, index);
  return other === null ? null : goodness(metric, own) - goodness(metric, other);
}

/** The error, the exact order of the page's data, or the sorted one: indices of the cases that pass every filter. */
function selected() {
  const words = state.q.toLowerCase().split(/\s+/).filter(word => word !== "");
  const types = new Set(state.type.map(id => DATA.types.findIndex(type => type.id === id)));
  const found = [];
  for (let index = 0; index < DATA.cases.id.length; index += 1) {
    if (state.scene && DATA.cases.scene[index] !== state.scene) continue;
    if (types.size > 0 && !types.has(DATA.cases.type[index])) continue;
    if (!hasStatus(index) || !inRanges(index) || !succeeded(index)) continue;
    if (words.length > 0 && !words.every(word => searchText(index).includes(word))) continue;
    found.push(index);
  }
  return state.sort ? sorted(found) : found;
}

function sorted(indices) {
  const sign = state.order === "worst" ? 1 : -1;
  const keys = new Map(indices.map(index => [index, sortKey(index)]));
  return indices.sort((a, b) => {
    const x = keys.get(a), y = keys.get(b);
    if (x === null || y === null) return x === y ? a - b : x === null ? 1 : -1;
    return sign * (x - y) || a - b;
  });
}

function statusOf(run, index) {
  return STATUS[run.status[index]];
}

function hasStatus(index) {
  if (!state.status) return true;
  const own = statusOf(RUNS.get(focusRun()), index);
  return state.status === "undone" ? ["missing", "unscored", "outdated"].includes(own) : own === state.status;
}

function succeeded(index) {
  if (!state.success) return true;
  const own = value(focusRun(), "edit_success", index);
  return own !== null && (own > 0.5) === (state.success === "yes");
}

function inRanges(index) {
  return state.range.every(({ name, low, high }) => {
    const own = value(focusRun(), name, index);
    if (own === null) return false;
    const displayed = own * METRICS.get(name).scale;
    return (low === null || displayed >= low) && (high === null || displayed <= high);
  });
}

const SEARCHED = new Map();

function searchText(index) {
  if (!SEARCHED.has(index)) {
    const words = pieces => pieces.map(([text]) => text).join("");
    SEARCHED.set(index, [DATA.cases.id[index], words(DATA.cases.src[index]), words(DATA.cases.tgt[index])]
      .join("\n").toLowerCase());
  }
  return SEARCHED.get(index);
}

/** Of some runs, those that are best in a case by a number; none where all are equal or only one has a value. */
function bestOf(runs, name, index) {
  const metric = METRICS.get(name);
  if (metric.higher === null && metric.best === null) return new Set();
  const own = runs.map(run => [run.id, value(run.id, name, index)]).filter(([, number]) => number !== null);
  const shown = own.map(([id, number]) => [id, goodness(metric, number), text(metric, number)]);
  const top = shown.reduce((best, one) => best === null || one[1] > best[1] ? one : best, null);
  const winners = shown.filter(one => one[2] === top?.[2]);
  return new Set(winners.length === shown.length ? [] : winners.map(([id]) => id));
}
