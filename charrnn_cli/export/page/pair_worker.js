// What the worker of a model of pairs answers: it translates.

const BARS = 10; // most likely symbols kept for each place of a translation

let decoder;
let turns = 0;

/** The results of a generator, computed in slices; null if another request came meanwhile. */
async function inSlices(steps) {
  const turn = ++turns;
  for (;;) {
    const end = performance.now() + SLICE;
    do {
      const { done, value } = steps.next();
      if (done) return value;
    } while (performance.now() < end);
    await new Promise((resolve) => { setTimeout(resolve, 0); });
    if (turn !== turns) return null;
  }
}

/** Translate `ids`; with a `prefix`, what the translation begins with. A prefix that ends with END
 * is the whole of it. */
function* translation({ ids, limit, beamSize, prefix }) {
  const end = config.vocabulary_size - 1;
  decoder.encode([...ids, config.source_vocabulary_size - 1]);
  const targets = yield* search(decoder, ids, end, limit, beamSize, prefix);
  const found = targets.slice(0, beamSize)
    .map((target) => ({ ids: target.ids, probability: Math.exp(target.score) }));
  return { found, rows: yield* rowsOfTarget(found[0].ids, end) };
}

/** The rows of `trace` as the page shows them: `likely` are pairs of an id and its probability, and
 * `own` is the probability of the symbol that stands there. */
function* rowsOfTarget(target, end) {
  const rows = yield* trace(decoder, target, end);
  return rows.map(({ probabilities, attention }, place) => ({
    likely: mostLikely(probabilities, BARS).map((id) => [id, probabilities[id]]),
    own: probabilities[place < target.length ? target[place] : end],
    attention,
  }));
}

Object.assign(ANSWERS, {
  start() {
    decoder = open();
    return {};
  },
  translate(data) {
    return inSlices(translation(data));
  },
  /** The rows of another target of the source that was translated last. */
  trace({ target }) {
    return inSlices(rowsOfTarget(target, config.vocabulary_size - 1));
  },
  /** The logits after each symbol of a target, END first, as one array: for tests. */
  logits({ source, target }) {
    const own = open();
    own.encode([...source, config.source_vocabulary_size - 1]);
    own.begin(1);
    return { logits: [config.vocabulary_size - 1, ...target].map((id) => own.step([id])) };
  },
});
