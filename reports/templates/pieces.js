/* Small parts of the page. Data only ever become text nodes and attribute values, never markup. */

/** An element; properties that are functions listen to the event of their name; what is null, undefined or false is left out. */
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, given] of Object.entries(properties)) {
    if (isNothing(given)) continue;
    if (typeof given === "function") element.addEventListener(name, given);
    else element.setAttribute(name, given === true ? "" : given);
  }
  element.append(...children.flat().filter(child => !isNothing(child)));
  return element;
}

function isNothing(given) {
  return given === null || given === undefined || given === false;
}

/** A number as tables display it. */
function text(metric, number, signed = false) {
  if (number === null) return "–";
  const shown = (number * metric.scale).toFixed(metric.digits);
  return signed && !shown.startsWith("-") ? `+${shown}` : shown;
}

function arrow(metric) {
  if (metric.higher === null) return metric.best === null ? "" : ` →${metric.best}`;
  return metric.higher ? " ↑" : " ↓";
}

function unitOf(metric) {
  return metric.unit || (metric.scale === 1 ? "" : `×${metric.scale}`);
}

function prompt(index) {
  const words = pieces => make("bdi", {}, pieces.map(([piece, changed]) => changed ? make("mark", {}, piece) : piece));
  const { src, tgt } = DATA.cases;
  return make("p", { class: "prompts", dir: "auto", tabindex: "0" },
    words(src[index]), make("b", { class: "to" }, " → "), words(tgt[index]));
}

function typeName(index) {
  return DATA.types[DATA.cases.type[index]].name;
}

function labelOf(id) {
  return id === "source" ? (DATA.scenes ? "original" : "source") : id === "truth" ? "true edit" : RUNS.get(id).label;
}

/** A run's name: its method, and smaller what sets it apart. */
function named(id) {
  const [method, ...facts] = labelOf(id).split(" ");
  if (!RUNS.has(id) || facts.length === 0) return [make("bdi", {}, labelOf(id))];
  return [make("bdi", {}, method), make("small", { class: "facts", title: labelOf(id) }, make("bdi", {}, facts.join(" ")))];
}

/** Path of a picture beside the page, or null. `full`: the image itself where there is a copy. */
function pictureFile(id, index, full = false) {
  const name = DATA.cases.id[index];
  const run = RUNS.get(id);
  const ending = run ? run.picture[index] : DATA.cases[id]?.[index];
  if (!ending) return null;
  const fixed = { source: "source", truth: "true-edit" };
  const folder = run ? `runs/${id}` : fixed[id] + DATA.cases.folder;
  return ending === ".jpg" && full && DATA.full ? `pictures/full/${folder}/${name}.png` : `pictures/${folder}/${name}${ending}`;
}

/** Path of a picture that can be laid over another one: of a scene one of its views. */
function comparedFile(id, index, view) {
  if (!DATA.scenes) return pictureFile(id, index, true);
  const ending = (RUNS.get(id)?.views ?? DATA.cases.original)[index]?.[view];
  return ending ? `pictures/views/${RUNS.has(id) ? id : "original"}/${view}/${DATA.cases.id[index]}${ending}` : null;
}

function filmFile(run, index) {
  return run.film?.[index] ? `pictures/films/${run.id}/${DATA.cases.id[index]}${run.film[index]}` : null;
}

function maskFile(index) {
  const ending = DATA.cases.mask?.[index];
  return ending ? `pictures/mask${DATA.cases.folder}/${DATA.cases.id[index]}${ending}` : null;
}

/** An image that says so where its file is gone. */
function image(file, alt, kind = "") {
  const gone = event => event.target.replaceWith(make("span", { class: "gone" }, "the file is gone"));
  return make("img", { src: file, alt, loading: "lazy", decoding: "async", class: kind, draggable: "false", error: gone });
}

function mask(index) {
  const file = DATA.scenes ? null : maskFile(index);
  return file ? make("img", { src: file, alt: "", class: "mask", loading: "lazy", error: event => event.target.remove() }) : null;
}

/** Why a run has no picture of a case. */
function why(run, index) {
  const notes = run.notes[index] ?? {};
  const status = statusOf(run, index);
  if (status === "error") return `failed${notes.stage ? ` (${notes.stage})` : ""}`;
  if (run.archived.includes(index)) return "left behind: an archive has records alone";
  return { missing: "not done yet", "not planned": "not asked for", ok: "the file cannot be read" }[status] ?? status;
}

/** A mark behind a run's name: success, or how the case ended where that is not well. */
function badge(run, index) {
  const status = statusOf(run, index);
  if (status !== "ok") return make("span", { class: `badge ${status === "error" ? "bad" : "plain"}` }, status);
  const success = value(run.id, "edit_success", index);
  if (success === null) return null;
  return make("span", { class: `badge ${success > 0.5 ? "good" : "bad"}` }, success > 0.5 ? "success" : "no success");
}

/** What is to be said of a case besides numbers: error, traceback, and in full view why numbers are missing. */
function remarks(run, index, full = false) {
  const { error, stage, traceback, reasons, note } = run.notes[index] ?? {};
  const parts = [];
  if (error) parts.push(make("p", { class: statusOf(run, index) === "error" ? "error" : "soft", dir: "auto" }, error));
  if (traceback) {
    parts.push(make("details", {}, make("summary", {}, `traceback${stage ? `, while it did: ${stage}` : ""}`),
      make("pre", { tabindex: "0" }, traceback)));
  }
  if (note) parts.push(make("p", { class: "soft" }, note));
  if (reasons && full) {
    const listed = Object.entries(reasons).map(([name, reason]) => make("li", {}, make("b", {}, name), `: ${reason}`));
    parts.push(make("details", {}, make("summary", {}, `${listed.length} without a value`), make("ul", {}, listed)));
  }
  return parts;
}
