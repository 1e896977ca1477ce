// The attention of a translation as a heat map: a row for each of its characters.

const CELL = 20; // pixels
const LEAST_DRAWN = 0.02; // weights below it are not drawn

/** Draw weights (T, S) beside their symbols' signs; `point(row)` is called for a row pointed at. */
function drawHeatMap(box, rowSigns, columnSigns, weights, point) {
  const wide = Math.max(...rowSigns.map(widthOf), 1);
  const tall = Math.max(...columnSigns.map(widthOf), 1);
  const left = 10 + 8 * wide, top = tall > 1 ? 10 + 8 * tall : CELL + 4;
  const width = left + CELL * columnSigns.length + 1, height = top + CELL * rowSigns.length + 1;
  const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img",
    "aria-label": "Attention: the rows are the characters of the translation, the columns the "
      + "symbols of the source" });
  columnSigns.forEach((name, column) => {
    const x = left + CELL * (column + 0.5);
    const turned = widthOf(name) > 1;
    svg.append(shape("text", turned
      ? { x: 0, y: 0, transform: `translate(${x + 4} ${top - 5}) rotate(-90)` }
      : { x, y: top - 8, "text-anchor": "middle" }, name));
  });
  rowSigns.forEach((name, row) => {
    const y = top + CELL * row;
    const line = shape("g", { class: "row", "data-row": row });
    line.append(shape("rect", { class: "line", x: left, y, width: width - left - 1, height: CELL }));
    line.append(shape("text", { x: left - 6, y: y + 14, "text-anchor": "end" }, name));
    weights[row].forEach((weight, column) => {
      if (weight < LEAST_DRAWN) return;
      line.append(shape("rect", { class: "cell", x: left + CELL * column, y, width: CELL, height: CELL,
        "fill-opacity": weight.toFixed(3) }));
    });
    svg.append(line);
  });
  for (const kind of ["pointerover", "click"]) {
    svg.addEventListener(kind, (event) => {
      const line = event.target.closest("[data-row]");
      if (line) point(Number(line.dataset.row));
    });
  }
  box.replaceChildren(svg);
}

/** Mark one row of the heat map. */
function markRow(box, marked) {
  for (const line of box.querySelectorAll("[data-row]")) {
    line.classList.toggle("here", Number(line.dataset.row) === marked);
  }
}

const widthOf = (name) => Array.from(name).length;
