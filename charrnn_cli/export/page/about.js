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

const most = Math.max(...DATA.baselines.map(({ bits }) => bits), 0);
for (const { name, bits, own } of DATA.baselines) {
  const item = element("li", own ? "own" : "");
  const bar = element("span", "bar");
  bar.style.width = `${100 * bits / most}%`;
  item.append(bar, element("span", "", `${name}: ${bits.toFixed(3)}`));
  byId("baselines").append(item);
}
if (!DATA.baselines.length) byId("baselines").append(element("li", "", "Not measured."));
