// What the worker of a model of texts answers: it writes, and reads the reader's text.

const BARS = 10; // most likely characters shown

let writer, reader;

/** Writes text: a decoder, its random numbers, and whether it is going. */
class Writer {
  constructor(decoder) {
    Object.assign(this, { decoder, going: 0, resume: null, rate: Infinity });
    this.settings = { temperature: 1, topK: null };
  }

  /** Begin with ids; after `itemEnd`, if it is an id, each item of a list begins with them anew. */
  begin({ ids, seed, itemEnd = null }) {
    this.going = 0;
    this.itemEnd = itemEnd;
    this.random = randomNumbers(seed);
    this.decoder.setState(null);
    this.decoder.read(ids.slice(0, -1));
    this.logits = this.decoder.step(ids[ids.length - 1]);
    this.start = { state: this.decoder.state(), logits: this.logits.slice() };
  }

  next() {
    const id = draw(unnormalised(this.logits, this.settings), this.random());
    this.choose(id);
    return id;
  }

  choose(id) {
    if (id === this.itemEnd) {
      this.decoder.setState(this.start.state);
      this.logits = this.start.logits;
    } else this.logits = this.decoder.step(id);
  }

  /** Write until `limit` characters are written or the page says stop. */
  go(turn, limit) {
    let written = 0;
    const started = performance.now();
    const rate = this.rate;
    const slice = () => {
      if (turn !== this.going) return;
      const ids = [];
      const end = performance.now() + SLICE;
      const due = rate === Infinity ? limit
        : Math.min(limit, Math.floor((performance.now() - started) * rate / 1000) + 1);
      while (written < due && performance.now() < end) {
        ids.push(this.next());
        written++;
      }
      const ended = written >= limit;
      if (ended) this.going = 0;
      if (ids.length || ended) postMessage({ event: "written", turn, ids, ended, ...this.view() });
      if (ended) return;
      if (ids.length) this.resume = slice; // when the page has shown these: it must not fall behind
      else setTimeout(slice, Math.min(1000 / rate, SLICE));
    };
    slice();
  }

  view() {
    const probabilities = unnormalised(this.logits, this.settings);
    let total = 0;
    for (const value of probabilities) total += value;
    const likely = mostLikely(probabilities, BARS).filter((id) => probabilities[id] > 0);
    return { likely: likely.map((id) => [id, probabilities[id] / total]) };
  }
}

let reading = 0;

/** Read the reader's text slice by slice, unless another text comes. */
function read(turn, slice) {
  if (turn !== reading) return;
  const ended = reader.advance(slice);
  postMessage({ event: "read", turn, ended, bits: reader.bits, likely: reader.likely });
  if (!ended) setTimeout(() => read(turn, 4 * SLICE), 0);
}

let turns = 0;

Object.assign(ANSWERS, {
  /** Make the model ready to write and to read; `itemEnd` ends an item of a list, if it is an id. */
  start({ itemEnd }) {
    writer = new Writer(open());
    reader = new Reader(open(), config.units, itemEnd);
    return {};
  },
  settings({ temperature, topK, rate }) {
    writer.settings = { temperature, topK };
    const changed = writer.rate !== rate;
    writer.rate = rate;
    return { changed, ...(writer.logits ? writer.view() : {}) };
  },
  begin(data) {
    writer.begin(data);
    return writer.view();
  },
  go({ limit }) {
    writer.going = ++turns;
    const turn = turns;
    setTimeout(() => writer.go(turn, limit), 0);
    return { turn };
  },
  /** The page has shown what was written: write on. */
  shown() {
    const { resume } = writer;
    writer.resume = null;
    if (resume) setTimeout(resume, 0);
    return {};
  },
  stop() {
    writer.going = 0;
    return writer.view();
  },
  choose({ id }) {
    writer.choose(id);
    return writer.view();
  },
  read({ ids }) {
    reader.set(ids);
    const turn = ++reading;
    setTimeout(() => read(turn, SLICE), 0);
    return { turn };
  },
  unit({ index }) {
    return { values: reader.unit(index) };
  },
  /** The attention from one character of the text, by layer and head, to the characters from
   * `begin` on; -1 is what stands before the first item of a list. */
  attention({ ids, position }) {
    reading++; // what is being read is read on later
    const { decoder: own, itemEnd } = reader;
    const kept = { state: own.state(), logits: reader.logits && reader.logits.slice() };
    let first = 0; // the place of what is read first: of an item, the end of the item before it
    let seen = ids.slice(0, position);
    if (itemEnd !== null) {
      first = seen.lastIndexOf(itemEnd);
      seen = [itemEnd, ...seen.slice(first + 1)];
    }
    const { context } = config;
    const span = context - Math.floor(context / 2);
    const begin = seen.length < context ? 0 : span * (Math.floor((seen.length - context) / span) + 1);
    own.setState({ ids: seen.slice(begin), dropped: begin });
    own.read([ids[position]]);
    const weights = own.attention();
    own.setState(kept.state);
    reader.logits = kept.logits;
    const turn = reading;
    if (reader.done < reader.ids.length) setTimeout(() => read(turn, SLICE), 0);
    return { begin: first + begin, weights, turn };
  },
  /** The logits after each character of a text, as one array: for tests. */
  logits({ ids }) {
    const decoder = open();
    const rows = ids.map((id) => decoder.step(id).slice());
    return { logits: rows };
  },
  /** How many characters a second the model writes, without the page: for benchmarks. */
  speed({ ids, count, settings }) {
    const measured = new Writer(open());
    measured.settings = settings;
    measured.begin({ ids, seed: 1 });
    const started = performance.now();
    for (let i = 0; i < count; i++) measured.next();
    return { perSecond: 1000 * count / (performance.now() - started) };
  },
});
