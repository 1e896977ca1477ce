// Bars of probabilities, each a button that chooses what it stands for.

class Bars {
  /** Bars in a list; `choose(id)` is called when one is pressed, and `signOf(id)` names it. */
  constructor(list, signOf, choose) {
    Object.assign(this, { list, signOf, choose, bars: [] });
  }

  /** Show pairs of an id and a probability; `chosen` is the id that is marked, if there is one. */
  show(likely, chosen = null) {
    while (this.bars.length < likely.length) this.bars.push(this._made());
    this.bars.forEach((bar, index) => {
      bar.item.hidden = index >= likely.length;
      if (bar.item.hidden) return;
      const [id, probability] = likely[index];
      bar.id = id;
      bar.button.setAttribute("aria-pressed", String(id === chosen));
      bar.parts[0].style.width = `${100 * probability}%`;
      bar.parts[1].textContent = this.signOf(id);
      bar.parts[2].textContent = percent(probability);
    });
  }

  _made() {
    const item = element("li");
    const button = element("button");
    const parts = [element("span", "bar"), element("span", "sign"), element("span", "share")];
    button.append(...parts);
    item.append(button);
    this.list.append(item);
    const bar = { item, button, parts, id: 0 };
    button.addEventListener("click", () => this.choose(bar.id));
    return bar;
  }
}

/** A probability as a percentage. */
function percent(probability) {
  const value = 100 * probability;
  return `${value >= 9.95 ? value.toFixed(0) : value.toFixed(1)}%`;
}
