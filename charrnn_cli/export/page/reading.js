// The view that reads the reader's own text: surprisal, hidden units, attention.

const SATURATED = 8; // bits of surprisal that get the full colour
const reading = { places: [], ids: [], bits: [], likely: [], turn: 0, asked: 0,
  ended: true, spans: [], at: -1 };

/** Fill the lists of what the colours can show of this kind of model. */
function offerLooks() {
  if (DATA.config.units) {
    byId("look").append(new Option("a hidden unit", "unit"));
    byId("unit").max = DATA.config.units - 1;
    for (const { index, label } of DATA.units) byId("best").append(new Option(label, index));
    if (DATA.units.length) byId("unit").value = DATA.units[0].index;
  }
  if (DATA.config.num_heads && DATA.config.context) {
    byId("look").append(new Option("what a character attends to", "attention"));
    byId("head").append(new Option("all heads, on average", ""));
    const { num_layers: layers, num_heads: heads } = DATA.config;
    for (let index = 0; index < layers * heads; index++) {
      const name = `layer ${Math.floor(index / heads) + 1}, head ${(index % heads) + 1}`;
      byId("head").append(new Option(name, index));
    }
  }
  byId("look").parentElement.hidden = byId("look").length < 2;
}

/** Take the text from the field, show it, and have it read. */
async function takeText() {
  const { text, note } = asRead(byId("own").value);
  byId("own-note").textContent = note ?? "";
  const ids = encode(text);
  reading.ids = ids.filter((id) => id >= 0);
  let place = 0;
  reading.places = ids.map((id) => (id < 0 ? -1 : place++)); // among the characters that are read
  reading.bits = [];
  reading.at = -1;
  showSpans(text);
  reading.ended = false;
  byId("bits").dataset.ended = "false";
  const asked = ++reading.asked;
  reading.turn = Infinity; // what still comes is of an older text
  const { turn } = await ask("read", { ids: reading.ids });
  if (asked === reading.asked) reading.turn = turn;
}

/** One span for each cluster of characters, so that signs of several characters stay whole. */
function showSpans(text) {
  const box = byId("coloured");
  box.replaceChildren();
  reading.spans = [];
  let first = 0;
  for (const cluster of clusters(text)) {
    const count = Array.from(cluster).length;
    const places = reading.places.slice(first, first + count).filter((place) => place >= 0);
    const span = element("span", places.length ? "" : "unknown");
    if (cluster.includes("\n")) span.append("↵\n");
    else addText(span, cluster);
    span.dataset.index = reading.spans.length;
    reading.spans.push({ span, places, cluster });
    box.append(span);
    first += count;
  }
}

listeners.read = ({ turn, ended, bits, likely }) => {
  if (turn < reading.turn) return;
  Object.assign(reading, { turn, ended, bits, likely });
  colour();
};

/** The colours' values in -1 to 1, by place in the text read; null where there is none. */
async function valuesShown() {
  const look = byId("look").value;
  if (look === "unit") return (await ask("unit", { index: Number(byId("unit").value) })).values;
  if (look === "attention") {
    if (reading.at < 0 || reading.at >= reading.bits.length) return [];
    const { begin, weights: all } = await ask("attention", { ids: reading.ids, position: reading.at });
    const chosen = byId("head").value;
    const used = chosen === "" ? all : [all[Number(chosen)]];
    const mean = Array.from(used[0], (_, i) => used.reduce((sum, row) => sum + row[i], 0) / used.length);
    const highest = Math.max(...mean);
    const shown = mean.map((weight) => weight / highest);
    return begin < 0 ? shown.slice(1) : [...Array(begin).fill(null), ...shown];
  }
  return reading.bits.map((bits) => (bits === null ? null : Math.min(1, bits / SATURATED)));
}

let colouring = 0;

async function colour() {
  showControls();
  const turn = ++colouring;
  const values = await valuesShown();
  if (turn !== colouring) return; // a newer one is under way
  for (const { span, places } of reading.spans) {
    const own = places.map((place) => values[place]).filter((value) => value != null);
    const value = own.length ? own.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a)) : 0;
    const kind = value < 0 ? "--cold" : "--hot";
    span.style.backgroundColor = value ? `rgba(var(${kind}), ${(0.75 * Math.abs(value)).toFixed(3)})` : "";
    span.classList.toggle("here", places.includes(reading.at));
  }
  showBits();
}

function showBits() {
  const measured = reading.bits.filter((bits) => bits !== null);
  const total = measured.reduce((a, b) => a + b, 0);
  const unknown = reading.places.filter((place) => place < 0).length;
  byId("bits").textContent = measured.length
    ? `${(total / measured.length).toFixed(3)} bits per character over ${measured.length} characters`
      + (reading.ended ? "" : " so far")
      + (unknown ? `; ${unknown} that the model does not know are left out` : "")
    : DATA.items ? "Type items that the model knows, one a line."
      : "Type at least two characters that the model knows.";
  byId("bits").dataset.ended = reading.ended;
}

const LEGENDS = {
  surprisal: `Stronger colour: more surprising, up to ${SATURATED} bits. 1 bit: as a coin's toss.`
    + (DATA.items ? " Each line is read by itself." : ""),
  unit: "Orange: the unit is positive after this character; blue: negative.",
  attention: "Point at a character, or move to it with the arrow keys: the colours show what the "
    + "model looks back at when it has read that one.",
};

function showControls() {
  const look = byId("look").value;
  byId("unit-label").hidden = look !== "unit";
  byId("best-label").hidden = look !== "unit" || !DATA.units.length;
  byId("head-label").hidden = look !== "attention";
  byId("legend").textContent = LEGENDS[look];
  if (look === "unit") {
    const index = Number(byId("unit").value);
    const size = DATA.config.hidden_size;
    byId("unit-shown").textContent = `${(index % size) + 1} of layer ${Math.floor(index / size) + 1}`;
    byId("best").value = DATA.units.some((unit) => unit.index === index) ? String(index) : "";
  }
}

/** Make one character the one that is pointed at. */
function point(index) {
  const { places, cluster } = reading.spans[index];
  if (!places.length) return;
  const place = places[places.length - 1];
  if (place === reading.at) return;
  reading.at = place;
  const bits = reading.bits[place];
  const expected = (reading.likely[place] ?? [])
    .map(([id, share]) => `${sign(characterOf(id))} ${(100 * share).toFixed(0)}%`).join(", ");
  const name = Array.from(cluster, sign).join("");
  byId("pointed").textContent = bits == null ? name
    : `${name}: ${bits.toFixed(2)} bits. Expected: ${expected}`;
  colour();
}

byId("coloured").addEventListener("pointerover", (event) => {
  const span = event.target.closest("[data-index]");
  if (span) point(Number(span.dataset.index));
});
byId("coloured").addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step || !reading.spans.length) return;
  event.preventDefault();
  let index = reading.spans.findIndex(({ places }) => places.includes(reading.at));
  do index += step; while (reading.spans[index] && !reading.spans[index].places.length);
  if (reading.spans[index]) {
    point(index);
    reading.spans[index].span.scrollIntoView({ block: "nearest" });
  }
});
byId("own").addEventListener("input", takeText);
byId("look").addEventListener("change", () => {
  if (byId("look").value === "attention" && reading.at < 0) reading.at = reading.bits.length - 1;
  colour();
});
byId("unit").addEventListener("input", colour);
byId("head").addEventListener("change", colour);
byId("best").addEventListener("change", () => {
  byId("unit").value = byId("best").value;
  colour();
});

offerLooks();
byId("own").value = DATA.example;
shown.reading = () => {
  if (!reading.turn) loaded.then(takeText);
};
