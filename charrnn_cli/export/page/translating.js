// The view that translates a line, with what each character of the translation looked at.

// How far a key moves, in clusters of characters.
const STEPS = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity };
const translating = { parts: [], ids: [], found: [], rows: [], target: [], prefix: [], at: 0,
  sourceSpans: [], targetSpans: [], turn: 0 };
const attends = DATA.config.architecture !== "seq2seq";

const alternatives = new Bars(byId("likely"), (id) => targetSymbols.signOf(id), chooseSymbol);

/** A field for each column of a source. */
function offerColumns() {
  const { source_columns: sources, feature_columns: features, names } = DATA.pairs;
  const numbers = [...sources, ...features].sort((a, b) => a - b);
  for (const number of numbers) {
    const label = element("label", features.includes(number) ? "" : "wide", names[number]);
    const field = element(features.includes(number) ? "input" : "textarea");
    if (field.rows) field.rows = 2;
    else field.type = "text";
    Object.assign(field, { id: `column-${number}`, dir: "auto", spellcheck: false,
      value: DATA.pairs.example[number] ?? "" });
    field.dataset.column = number;
    field.autocapitalize = "off";
    field.addEventListener("input", () => takeLine(field, numbers));
    label.append(field);
    byId("columns").append(label);
  }
}

const fields = () => Array.from(byId("columns").querySelectorAll("[data-column]"));

/** Take what was typed or pasted into one field: one line, with tabs between several columns. */
function takeLine(field, numbers) {
  const line = field.value.split("\n", 1)[0];
  const cells = line.split("\t");
  if (cells.length === numbers.length && numbers.length > 1) {
    for (const other of fields()) other.value = cells[numbers.indexOf(Number(other.dataset.column))];
  } else if (line !== field.value) field.value = line;
  translating.prefix = [];
  translate();
}

async function translate() {
  const turn = ++translating.turn;
  const cells = {};
  for (const field of fields()) cells[field.dataset.column] = field.value;
  const { parts, notes } = readSource(cells);
  byId("source-note").textContent = notes.join(" ");
  const ids = parts.map(({ id }) => id).filter((id) => id >= 0);
  const beamSize = Number(byId("beam").value);
  byId("beam-shown").textContent = beamSize === 1 ? "1, the most likely character" : beamSize;
  byId("target").dataset.ended = "false";
  const { prefix } = translating;
  const answer = ids.length
    ? await ask("translate", { ids, limit: mostSymbols(ids.length), beamSize, prefix })
    : { found: [], rows: [] }; // nothing is translated as nothing
  if (answer === null || turn !== translating.turn) return; // there is a newer one
  Object.assign(translating, { parts, ids, found: answer.found });
  showSource();
  showFound();
  showTarget(answer.found[0]?.ids ?? [], answer.rows);
}

/** Show one of the targets found. */
async function showOther(index) {
  if (byId("target").dataset.ended !== "true") return; // the list is of an older translation
  const { found, turn } = translating;
  const answer = await ask("trace", { target: found[index].ids });
  if (answer === null || turn !== translating.turn) return;
  showFound(index);
  showTarget(found[index].ids, answer);
}

/** The source as spans, each with its symbols' places among those that are read. */
function showSource() {
  const box = byId("source");
  box.replaceChildren();
  translating.sourceSpans = [];
  let place = 0, first = 0;
  const add = (parts, className, show) => {
    const places = parts.filter(({ id }) => id >= 0).map(() => place++);
    const span = element("span", places.length ? className : `${className} unknown`);
    show(span);
    box.append(span);
    translating.sourceSpans.push({ span, places });
  };
  const { parts } = translating;
  while (first < parts.length && parts[first].feature) {
    add([parts[first]], "feature", (span) => addText(span, parts[first].symbol));
    first++;
  }
  for (const cluster of clusters(parts.slice(first).map(({ symbol }) => symbol).join(""))) {
    const count = Array.from(cluster).length;
    add(parts.slice(first, first + count), "", (span) => addText(span, cluster));
    first += count;
  }
  if (parts.length) add([{ id: sourceSymbols.end }], "end", (span) => addText(span, END_SIGN));
}

/** The translation as spans, one for each cluster of characters, and one for its end. */
function showTarget(target, rows) {
  Object.assign(translating, { target, rows });
  const box = byId("target");
  box.replaceChildren();
  translating.targetSpans = [];
  let place = 0;
  const add = (text, count, className) => {
    const span = element("span", className);
    addText(span, text);
    span.dataset.index = translating.targetSpans.length;
    const places = Array.from({ length: count }, () => place++);
    span.classList.toggle("forced", places.some((own) => own < translating.prefix.length));
    translating.targetSpans.push({ span, places });
    box.append(span);
  };
  for (const cluster of clusters(targetSymbols.decode(target))) add(cluster, Array.from(cluster).length, "");
  if (rows.length) add(END_SIGN, 1, "end");
  byId("map-box").hidden = !attends || !rows.length;
  if (!byId("map-box").hidden) {
    const sourceSigns = [...translating.ids, sourceSymbols.end].map((id) => sourceSymbols.signOf(id));
    const signs = [...target, targetSymbols.end].map((id) => targetSymbols.signOf(id));
    drawHeatMap(byId("map"), signs, sourceSigns, rows.map(({ attention }) => attention), pointAt);
  }
  byId("own-choice").hidden = !translating.prefix.length;
  byId("target").dataset.ended = "true";
  pointAt(Math.min(translating.at, rows.length - 1));
}

/** The probability of the translation shown, and the others that beam search found. */
function showFound(shown = 0) {
  const { found } = translating;
  byId("probability").textContent = found.length
    ? `Probability of the translation: ${percent(found[shown].probability)}` : "";
  byId("found-box").hidden = found.length < 2;
  byId("found").replaceChildren();
  found.forEach(({ ids, probability }, index) => {
    const button = element("button");
    button.setAttribute("aria-pressed", String(index === shown));
    const text = element("bdi");
    addText(text, targetSymbols.decode(ids) || "(nothing)");
    button.append(text, element("span", "share", percent(probability)));
    button.addEventListener("click", () => showOther(index));
    const item = element("li");
    item.append(button);
    byId("found").append(item);
  });
}

/** Make one symbol of the translation the one that is pointed at. */
function pointAt(place) {
  translating.at = Math.max(0, place);
  const row = translating.rows[translating.at];
  const id = translating.target[translating.at] ?? targetSymbols.end;
  alternatives.show(row ? row.likely : [], id);
  byId("pointed").textContent = row ? `${targetSymbols.signOf(id)}: ${percent(row.own)}` : "";
  for (const { span, places } of translating.targetSpans) {
    span.classList.toggle("here", Boolean(row) && places.includes(translating.at));
  }
  for (const { span, places } of translating.sourceSpans) {
    const weights = row?.attention ? places.map((own) => row.attention[own]) : [];
    const weight = Math.min(1, weights.reduce((a, b) => a + b, 0));
    const strength = (0.75 * weight).toFixed(3);
    span.style.backgroundColor = weight > LEAST_DRAWN ? `rgba(var(--hot), ${strength})` : "";
  }
  markRow(byId("map"), row ? translating.at : -1);
}

/** Have the translation go on from another symbol in the place that is pointed at. */
function chooseSymbol(id) {
  const { at, target } = translating;
  if (byId("target").dataset.ended !== "true") return; // the bars are of an older translation
  translating.prefix = [...target.slice(0, at), id];
  translating.at = id === targetSymbols.end ? at : at + 1;
  translate();
}

/** Move by so many clusters, to the first or the last at most. */
function moveBy(step) {
  const { targetSpans, at } = translating;
  if (!targetSpans.length) return;
  const now = targetSpans.findIndex(({ places }) => places.includes(at));
  const next = targetSpans[Math.min(targetSpans.length - 1, Math.max(0, now + step))];
  pointAt(next.places[next.places.length - 1]);
  next.span.scrollIntoView({ block: "nearest" });
}

for (const name of ["target", "map"]) {
  byId(name).addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    if (!step) return;
    event.preventDefault();
    moveBy(step);
  });
}
for (const kind of ["pointerover", "click"]) {
  byId("target").addEventListener(kind, (event) => {
    const span = event.target.closest("[data-index]");
    if (!span) return;
    const { places } = translating.targetSpans[Number(span.dataset.index)];
    pointAt(places[places.length - 1]);
  });
}
byId("beam").addEventListener("input", () => {
  translating.prefix = [];
  translate();
});
byId("own-choice").addEventListener("click", () => {
  translating.prefix = [];
  translate();
  byId("target").focus(); // the button is hidden now
});

byId("pair-legend").textContent = "Point at a character, or move to it with the arrow keys"
  + (attends ? ": the colours show what the model looked at in the source when it wrote that one. "
    : ". This kind of model has no attention. ")
  + `${END_SIGN} is the end.`;
offerColumns();
loaded.then(translate).then(() => document.body.setAttribute("data-ready", "true"));
