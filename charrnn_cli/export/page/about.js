// The view of what the model is.

function fillTable(table, rows) {
  for (const [name, value] of rows) {
    const row = element("tr");
    const cell = element("td");
    cell.dir = "auto";
    addText(cell, value);
    row.append(element("th", "", name), cell);
    table.append(row);
  }
}

fillTable(byId("facts"), DATA.facts);
fillTable(byId("layers"), DATA.layers);

const { baselines } = DATA;
byId("baselines-title").textContent = baselines.title;
byId("baselines-note").textContent = baselines.note;
for (const { name, share, shown: figure, own } of baselines.rows) {
  const item = element("li", own ? "own" : "");
  const bar = element("span", "bar");
  bar.style.width = `${100 * share}%`;
  item.append(bar, element("span", "", `${name}: ${figure}`));
  byId("baselines").append(item);
}
if (!baselines.rows.length) byId("baselines").append(element("li", "", "Not measured."));
