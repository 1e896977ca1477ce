// The view of how the model learned: its texts at several stages, its loss curve.

function showStage() {
  const stage = DATA.stages[Number(byId("stage").value)];
  byId("stage-shown").textContent = stage.label;
  byId("stage-text").replaceChildren();
  addText(byId("stage-text"), stage.text);
}

/** Draw curves over the passes through the training data: `lines` are pairs of a class and a key of
 * the records, and `format` writes a value. */
function drawCurves({ title, note, lines, format }) {
  const box = byId("curves");
  const records = DATA.history.filter((record) => lines.every(([, key]) => record[key] != null));
  box.append(element("h2", "", title));
  if (records.length < 2) {
    box.append(element("p", "note", "The checkpoint holds fewer than two evaluations."));
    return;
  }
  const width = 600, height = 240, left = 52, bottom = 30, top = 10, right = 10;
  const values = records.flatMap((record) => lines.map(([, key]) => record[key]));
  const low = Math.min(...values), high = Math.max(...values);
  const last = records[records.length - 1].at || 1;
  const x = (at) => left + (width - left - right) * at / last;
  const y = (value) => top + (height - top - bottom) * (high - value) / (high - low || 1);
  const [, first] = lines[0];
  const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": `${title}: from ${format(records[0][first])} to `
      + format(records[records.length - 1][first]) });
  for (let line = 0; line <= 4; line++) {
    const value = low + (high - low) * line / 4;
    svg.append(shape("line", { class: "axis", x1: left, x2: width - right, y1: y(value), y2: y(value) }));
    svg.append(shape("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, format(value)));
  }
  for (const [kind, key] of lines) {
    const path = records.map((record) => `${x(record.at).toFixed(1)},${y(record[key]).toFixed(1)}`);
    svg.append(shape("polyline", { class: kind, points: path.join(" ") }));
  }
  svg.append(shape("text", { x: left, y: height - 8 }, "0"));
  svg.append(shape("text", { x: width - right, y: height - 8, "text-anchor": "end" },
    `${last.toFixed(1)} passes`));
  box.append(svg, element("p", "note", note));
}

byId("stages").hidden = !DATA.stages.length;
byId("no-stages").hidden = DATA.stages.length > 0;
if (DATA.stages.length) {
  byId("stage").max = DATA.stages.length - 1;
  byId("stage").addEventListener("input", showStage);
  showStage();
}
byId("stage-note").textContent = DATA.stage_note;
const trainedOn = DATA.pairs ? "pairs" : "text";
drawCurves({
  title: "Loss",
  note: `Bits per character over the passes through the ${trainedOn}. Solid: held-out ${trainedOn}. `
    + `Dashed: training ${trainedOn}.`,
  lines: [["held-out", "held_out"], ["train", "train"]],
  format: (value) => value.toFixed(2),
});
if (DATA.history.some((record) => record.exact != null)) {
  drawCurves({
    title: "Held-out pairs translated without a mistake",
    note: "Over the passes through the pairs.",
    lines: [["held-out", "exact"]],
    format: (value) => `${(100 * value).toFixed(1)}%`,
  });
}
