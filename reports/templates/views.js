/* The scores of a scene's views as lines, one for each run. */

const LINES = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"];
const WIDTH = 640, HEIGHT = 150;
let drawnScore = "";

function draw(tag, properties, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, given] of Object.entries(properties)) element.setAttribute(name, given);
  element.append(...children);
  return element;
}

const DASHES = ["", "5 3", "2 2", "9 3 2 3"];

/** How the line of a run is drawn: when the colours are used up, dashed, each time in another way. */
function pen(number) {
  const dashes = DASHES[Math.floor(number / LINES.length) % DASHES.length];
  const dashed = dashes ? { "stroke-dasharray": dashes } : {};
  return { stroke: LINES[number % LINES.length], "stroke-width": 2, ...dashed };
}

/** A choice of numbers, and the chosen one along the path; nothing where no run has scores by view. */
function viewScores(index, runs) {
  const scored = runs.filter(run => run.by_view?.[index]);
  const names = [...new Set(scored.flatMap(run => Object.keys(run.by_view[index])))].filter(name => METRICS.has(name));
  if (names.length === 0) return "";
  const name = names.includes(drawnScore) ? drawnScore : names.includes(state.sort) ? state.sort : names[0];
  const metric = METRICS.get(name);
  const lines = scored.map(run => (run.by_view[index][name] ?? []).map(number => number === null ? null : number * metric.scale));
  const all = lines.flat().filter(number => number !== null);
  const low = Math.min(...all), high = Math.max(...all);
  const chart = draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", class: "lines" });
  chart.append(draw("title", {}, `${name} of each view, from ${low.toFixed(metric.digits)} to ${high.toFixed(metric.digits)}`));
  lines.forEach((line, number) => chart.append(polyline(line, low, high, pen(number))));
  const choose = make("select", { "data-key": "score", change: event => { drawnScore = event.target.value; drawViewer(); } },
    names.map(one => make("option", { value: one, selected: one === name }, one)));
  const legend = scored.map((run, number) => {
    const mark = draw("svg", { width: 18, height: 8, "aria-hidden": "true" },
      draw("line", { x1: 0, x2: 18, y1: 4, y2: 4, ...pen(number) }));
    return make("span", {}, mark, make("bdi", {}, run.label));
  });
  return make("div", { class: "by-view" },
    make("p", { class: "row" }, make("label", {}, "score of each view", choose),
      make("span", { class: "soft" }, `${low.toFixed(metric.digits)} … ${high.toFixed(metric.digits)} ${unitOf(metric)}${arrow(metric)}`)),
    chart, make("p", { class: "legend" }, legend));
}

/** Views without a value interrupt the line. */
function polyline(line, low, high, strokes) {
  const x = view => 6 + view * (WIDTH - 12) / Math.max(1, line.length - 1);
  const y = number => HEIGHT - 8 - (number - low) * (HEIGHT - 16) / (high - low || 1);
  let path = "", move = "M";
  line.forEach((number, view) => {
    if (number === null) { move = "M"; return; }
    path += `${move}${x(view).toFixed(1)} ${y(number).toFixed(1)}`;
    move = "L";
  });
  return draw("path", { d: path, fill: "none", "stroke-linejoin": "round", ...strokes });
}
