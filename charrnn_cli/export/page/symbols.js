// The symbols of a model of pairs: characters, features, and the end, as text/symbols.py has them.

const END_SIGN = "¶"; // as `charrnn translate --attention` shows the end

/** One side's symbols. Characters come first, then features, and the last id is that of the end. */
class Symbols {
  constructor({ points, features }) {
    Object.assign(this, { points, features, end: points.length + features.length });
    this.idOfPoint = new Map(points.map((point, id) => [point, id]));
    this.idOfFeature = new Map(features.map((feature, index) => [feature, points.length + index]));
  }

  /** The id of a character, undefined if it is unknown. */
  idOf(character) {
    return this.idOfPoint.get(character.codePointAt(0));
  }

  /** An id's character or feature; that of the end is empty. */
  symbolOf(id) {
    if (id < this.points.length) return String.fromCodePoint(this.points[id]);
    return this.features[id - this.points.length] ?? "";
  }

  /** An id's symbol in a form that can be seen. */
  signOf(id) {
    if (id === this.end) return END_SIGN;
    return id < this.points.length ? sign(this.symbolOf(id)) : this.symbolOf(id);
  }

  /** The text of ids without features and without the end. */
  decode(ids) {
    return ids.filter((id) => id < this.points.length).map((id) => this.symbolOf(id)).join("");
  }
}

const sourceSymbols = new Symbols(DATA.pairs.source);
const targetSymbols = new Symbols({ points: DATA.vocabulary, features: [] });
