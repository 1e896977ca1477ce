// The surprisal of a text that changes as it is typed, as scoring/surprisal.py measures it.

const SNAPSHOT_EVERY = 64; // characters between two states that reading can go back to

/** Reads a text, and after each change only what follows the change. The items of a list are read
 * each by itself, from what ends the item before it. */
class Reader {
  constructor(decoder, units, itemEnd) {
    this.decoder = decoder;
    this.units = units; // number of hidden units, 0 for a transformer
    this.itemEnd = itemEnd; // the id of what ends an item of a list; null for a text
    this.forget();
  }

  forget() {
    this.ids = [];
    this.done = 0; // characters read
    this.bits = []; // surprisal of each; null for a text's first, which has no context
    this.activations = []; // an Int8Array of all units after each, in 127ths
    this.likely = []; // the three most likely characters before each, with their probabilities
    this.snapshots = [];
    this.logits = null;
  }

  /** Take another text; what is equal at its beginning is not read again. */
  set(ids) {
    let same = 0;
    while (same < Math.min(ids.length, this.done) && ids[same] === this.ids[same]) same++;
    this.ids = ids;
    if (same === this.done && same) return;
    const index = Math.min(Math.floor(same / SNAPSHOT_EVERY), this.snapshots.length - 1);
    this.snapshots.length = Math.max(0, index + 1);
    const snapshot = index >= 0 ? this.snapshots[index] : null;
    this.done = snapshot ? index * SNAPSHOT_EVERY : 0;
    if (snapshot) {
      this.decoder.setState(snapshot.state);
      this.logits = snapshot.logits && snapshot.logits.slice();
    } else this._begin();
    for (const list of [this.bits, this.activations, this.likely]) list.length = this.done;
  }

  /** Begin a text, or an item. */
  _begin() {
    this.decoder.setState(null);
    this.logits = this.itemEnd === null ? null : this.decoder.step(this.itemEnd);
  }

  /** Read on for some milliseconds; return whether the whole text is read. */
  advance(milliseconds) {
    const end = performance.now() + milliseconds;
    while (this.done < this.ids.length) {
      const id = this.ids[this.done];
      if (this.done % SNAPSHOT_EVERY === 0 && this.snapshots.length * SNAPSHOT_EVERY <= this.done) {
        this.snapshots.push({ state: this.decoder.state(), logits: this.logits && this.logits.slice() });
      }
      this.bits.push(this.logits ? surprisal(this.logits, id) : null);
      this.likely.push(this.logits ? likelyNext(this.logits, 3) : []);
      if (id === this.itemEnd) this._begin();
      else this.logits = this.decoder.step(id);
      if (this.units) {
        this.activations.push(Int8Array.from(this.decoder.activations(), (a) => Math.round(127 * a)));
      }
      this.done++;
      if (performance.now() > end) break;
    }
    return this.done === this.ids.length;
  }

  /** What one hidden unit says after each character read, in -1 to 1. */
  unit(index) {
    return this.activations.map((units) => units[index] / 127);
  }
}

/** The most likely next characters: pairs of id and probability. */
function likelyNext(logits, count) {
  const probabilities = softmax(logits);
  return mostLikely(probabilities, count).map((id) => [id, probabilities[id]]);
}
