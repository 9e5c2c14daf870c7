/* The page of cases that is looked at; the others are data only. */

const CUT = 50;
const NEAR = new IntersectionObserver(entries => entries.filter(entry => entry.isIntersecting).forEach(entry => {
  entry.target.preload = "metadata";
  NEAR.unobserve(entry.target);
}), { rootMargin: "200px" });

/** Draws the cases of the state's page. */
function drawCases(indices) {
  const pages = Math.max(1, Math.ceil(indices.length / state.size));
  const page = Math.min(state.page, pages);
  const drawn = indices.slice((page - 1) * state.size, page * state.size);
  const none = make("p", { class: "none" }, "No case is like that. ",
    make("button", { type: "button", click: () => go(NO_FILTER) }, "Clear the filters"));
  document.getElementById("cases").replaceChildren(...(drawn.length ? drawn.map(card) : [none]));
  for (const nav of document.querySelectorAll("nav.pager")) drawPager(nav, page, pages);
  drawStatus(indices.length, drawn.length, page);
}

function drawStatus(count, drawn, page) {
  const first = (page - 1) * state.size + 1;
  const parts = [make("b", {}, `n = ${count}`), ` of ${DATA.cases.id.length} cases`];
  if (drawn && count > drawn) parts.push(`, ${first}–${first + drawn - 1} shown`);
  if (state.sort) {
    const minus = state.minus ? ` minus ${labelOf(state.minus)}` : "";
    parts.push(`; by ${state.sort} of `, make("bdi", {}, labelOf(focusRun()) + minus), `, ${state.order} first`);
  }
  document.getElementById("status").replaceChildren(...parts);
}

function drawPager(nav, page, pages) {
  const step = (label, to, name) => make("button", {
    type: "button", disabled: to < 1 || to > pages, "aria-label": name, click: () => turnTo(to),
  }, label);
  const field = make("input", { type: "number", min: "1", max: String(pages), value: String(page), "aria-label": "page",
    change: event => turnTo(Math.min(pages, Math.max(1, Math.round(Number(event.target.value)) || 1))) });
  nav.replaceChildren(step("‹", page - 1, "previous page"), field, make("span", {}, `of ${pages}`),
    step("›", page + 1, "next page"));
  nav.hidden = pages === 1;
}

function turnTo(page) {
  go({ page }, true);
  document.getElementById("controls").scrollIntoView();
}

function card(index) {
  const id = DATA.cases.id[index];
  const runs = visibleRuns();
  const best = new Map(state.metrics.map(name => [name, bestOf(runs.filter(run => !run.identity), name, index)]));
  const open = make("button", { type: "button", class: "open", click: () => go({ case: id }, true) }, "Compare");
  const fixed = DATA.scenes ? [] : FIXED_PICTURES.filter(what => pictureFile(what, index));
  return make("article", { class: "case", id: `case-${id}`, tabindex: "-1", "aria-labelledby": `title-${id}` },
    make("header", {}, make("h3", { id: `title-${id}` }, id), make("span", { class: "soft" }, typeName(index)), open),
    prompt(index),
    make("div", { class: "strip" },
      fixed.map(what => figure(what, index, null)), runs.map(run => figure(run.id, index, best))));
}

function figure(what, index, best) {
  const run = RUNS.get(what);
  const label = labelOf(what);
  const parts = [frame(what, index)];
  const film = run && filmFile(run, index);
  if (film) parts.push(video(film, `${label}: original and edit from all around`));
  parts.push(make("figcaption", {}, run ? badge(run, index) : null, named(what)));
  if (run) parts.push(numbers(run, index, best), remarks(run, index));
  const kind = !run ? `fixed ${what}` : run.id === state.run ? "focus" : "";
  return make("figure", { class: kind, "data-run": what }, parts.flat());
}

/** A picture, with the source below it and a handle where those two are compared. */
function frame(what, index) {
  const file = pictureFile(what, index);
  const run = RUNS.get(what);
  const name = `${labelOf(what)}, case ${DATA.cases.id[index]}`;
  if (!file) return make("div", { class: "frame nothing" }, run ? why(run, index) : "the file cannot be read");
  const own = image(file, name);
  const under = run && !DATA.scenes && state.compare ? pictureFile("source", index) : null;
  if (under && state.compare === "slider") {
    return make("div", { class: "frame sliding" }, own, image(under, "", "under"), mask(index), handle(name));
  }
  const open = () => go({ case: DATA.cases.id[index], right: what === "source" ? "" : what }, true);
  return make("button", { type: "button", class: "frame", "aria-label": `${name}: compare`, click: open },
    own, under ? image(under, "", "under") : null, mask(index));
}

/** A slider over a picture; it moves those of all pictures of its case together. */
function handle(name) {
  const move = event => event.target.closest(".strip, .stage").style.setProperty("--cut", `${event.target.value}%`);
  return make("input", { type: "range", min: "0", max: "100", step: "1", value: String(CUT), input: event => {
    move(event);
    for (const other of event.target.closest(".strip, .stage").querySelectorAll("input[type=range]")) {
      other.value = event.target.value;
    }
  }, "aria-label": `${name}: how much of it the source covers, in percent` });
}

/** A video of which nothing is loaded before it comes near the window. */
function video(file, name) {
  const element = make("video", { src: file, controls: true, loop: true, muted: true, playsinline: true, preload: "none",
    "aria-label": name, error: event => event.target.replaceWith(make("span", { class: "gone" }, "the video is gone")) });
  NEAR.observe(element);
  return element;
}

function numbers(run, index, best) {
  const rows = state.metrics.filter(name => value(run.id, name, index) !== null).map(name => {
    const metric = METRICS.get(name);
    const difference = state.minus && state.minus !== run.id && name === state.sort ? minus(run, name, index) : null;
    return make("div", {},
      make("dt", { title: `${name}: ${metric.about}` }, name + arrow(metric)),
      make("dd", { class: best.get(name)?.has(run.id) ? "best" : null },
        text(metric, value(run.id, name, index)), difference ? make("small", {}, ` ${difference}`) : null));
  });
  return rows.length ? make("dl", {}, rows) : null;
}

/** A run's value minus that of the run in `state.minus`, as displayed; null where either lacks it. */
function minus(run, name, index) {
  const own = value(run.id, name, index), other = value(state.minus, name, index);
  return own === null || other === null ? null : text(METRICS.get(name), own - other, true);
}
