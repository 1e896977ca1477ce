// The view of how the model learned: its texts at several stages, its loss curve.

function showStage() {
  const stage = DATA.stages[Number(byId("stage").value)];
  byId("stage-shown").textContent = stage.label;
  byId("stage-text").replaceChildren();
  addText(byId("stage-text"), stage.text);
}

/** A shape of the drawing, with its attributes. */
function shape(name, attributes, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

/** Draw the losses, in bits per character, over the passes through the text. */
function drawCurve() {
  const history = DATA.history;
  const note = byId("curve-note");
  if (history.length < 2) {
    note.textContent = "The checkpoint holds fewer than two evaluations.";
    return;
  }
  const width = 600, height = 240, left = 44, bottom = 30, top = 10, right = 10;
  const losses = history.flatMap((record) => [record.train, record.held_out]);
  const low = Math.min(...losses), high = Math.max(...losses);
  const last = history[history.length - 1].at || 1;
  const x = (at) => left + (width - left - right) * at / last;
  const y = (loss) => top + (height - top - bottom) * (high - loss) / (high - low || 1);
  const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": `Loss curve: ${history[0].held_out.toFixed(3)} to `
      + `${history[history.length - 1].held_out.toFixed(3)} bits per character` });
  for (let line = 0; line <= 4; line++) {
    const loss = low + (high - low) * line / 4;
    svg.append(shape("line", { class: "axis", x1: left, x2: width - right, y1: y(loss), y2: y(loss) }));
    svg.append(shape("text", { x: left - 6, y: y(loss) + 4, "text-anchor": "end" }, loss.toFixed(2)));
  }
  for (const [kind, key] of [["train", "train"], ["held-out", "held_out"]]) {
    const path = history.map((record) => `${x(record.at).toFixed(1)},${y(record[key]).toFixed(1)}`);
    svg.append(shape("polyline", { class: kind, points: path.join(" ") }));
  }
  svg.append(shape("text", { x: left, y: height - 8 }, "0"));
  svg.append(shape("text", { x: width - right, y: height - 8, "text-anchor": "end" },
    `${last.toFixed(1)} passes`));
  byId("curve").append(svg);
  note.textContent = "Bits per character over the passes through the text. "
    + "Solid: held-out text. Dashed: training text.";
}

byId("stages").hidden = !DATA.stages.length;
byId("no-stages").hidden = DATA.stages.length > 0;
if (DATA.stages.length) {
  byId("stage").max = DATA.stages.length - 1;
  byId("stage").addEventListener("input", showStage);
  showStage();
}
drawCurve();
