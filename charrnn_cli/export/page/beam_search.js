// Beam search: the most probable targets of a source, as sampling/beam_search.py finds them.

const LENGTH_POWER = 0.6; // the exponent of the length normalisation
// A block of up to LONGEST_BLOCK symbols may stand at the end of a target REPEATS times in a row,
// shorter blocks as often as fits into REPEATED_SYMBOLS, and more often only if the source repeats
// itself as often.
const LONGEST_BLOCK = 12;
const REPEATS = 4;
const REPEATED_SYMBOLS = 12;

/** The targets that beam search finds, the best first: ids without END, and the logarithm of their
 * probability. A generator that yields after each symbol, so that its caller can stop it.
 * The decoder has read the source; `source` are its ids without END. A target has `limit` symbols
 * at most, and begins with those of `prefix`, however unlikely. A beam size of 1 is greedy. */
function* search(decoder, source, end, limit, beamSize, prefix = []) {
  decoder.begin(beamSize);
  let beams = [{ ids: [], score: 0 }];
  const finished = [];
  const found = () => finished.sort((a, b) => b.ranked - a.ranked);
  for (let length = 0; ; length++) {
    const inputs = beams.map(({ ids }) => (length ? ids[length - 1] : end));
    while (inputs.length < beamSize) inputs.push(end); // beams that are not in use
    const totals = logSoftmax(decoder.step(inputs), beamSize); // (K, V)
    const symbols = totals.length / beamSize;
    totals.fill(-Infinity, beams.length * symbols);
    beams.forEach((beam, index) => {
      const own = totals.subarray(index * symbols, (index + 1) * symbols);
      if (length < prefix.length) keepOnly(own, prefix[length]);
      else forbid(own, beam.ids, source, end, limit);
      for (let id = 0; id < symbols; id++) own[id] += beam.score;
    });
    const best = candidates(totals, beamSize, symbols);
    const power = ((5 + length + 1) / 6) ** LENGTH_POWER;
    for (const { id, parent, score } of best.slice(0, beamSize)) {
      if (id !== end || score === -Infinity) continue;
      finished.push({ ids: beams[parent].ids, score, ranked: score / power });
    }
    const going = best.filter(({ id, score }) => id !== end && score > -Infinity).slice(0, beamSize);
    const needed = finished.length < beamSize ? -Infinity : found()[beamSize - 1].ranked;
    if (!going.length || going[0].score / power <= needed) return found();
    const parents = going.map(({ parent }) => parent);
    while (parents.length < beamSize) parents.push(0);
    decoder.follow(parents);
    beams = going.map(({ id, parent, score }) => ({ ids: [...beams[parent].ids, id], score }));
    yield;
  }
}

/** For each symbol of a target, END included: the probabilities (V) of all symbols in its place, and
 * what it looked at, (S), or null for a model without attention. A generator as `search`. */
function* trace(decoder, target, end) {
  decoder.begin(1);
  const rows = [];
  for (const id of [end, ...target]) {
    const logits = decoder.step([id]);
    rows.push({ probabilities: softmax(logits), attention: decoder.attention });
    yield;
  }
  return rows;
}

function keepOnly(values, id) {
  const kept = values[id];
  values.fill(-Infinity);
  values[id] = kept;
}

/** Give no probability to a symbol beyond a target's limit, or one that goes on with a repetition. */
function forbid(values, ids, source, end, limit) {
  if (ids.length >= limit) {
    keepOnly(values, end);
    return;
  }
  for (let block = 1; block <= LONGEST_BLOCK; block++) {
    const span = block * Math.max(REPEATS, Math.floor(REPEATED_SYMBOLS / block));
    if (span > ids.length) continue;
    let repeated = true;
    for (let i = ids.length - span; i < ids.length - block; i++) {
      if (ids[i] !== ids[i + block]) repeated = false;
    }
    if (repeated && repeatsAtEnd(ids, block) >= mostRepeats(source)) {
      values[ids[ids.length - block]] = -Infinity;
    }
  }
}

/** The best continuations, the best first: as many that K of them do not end. */
function candidates(totals, beamSize, symbols) {
  const count = beamSize === 1 ? 1 : Math.min(2 * beamSize, totals.length);
  return mostLikely(totals, count).map((place) => ({
    id: place % symbols, parent: Math.floor(place / symbols), score: totals[place],
  }));
}

/** Logarithms of probabilities (K, V), in double precision. */
function logSoftmax(logits, rows) {
  const values = Float64Array.from(logits);
  const width = values.length / rows;
  for (let start = 0; start < values.length; start += width) {
    let highest = -Infinity, sum = 0;
    for (let i = start; i < start + width; i++) if (values[i] > highest) highest = values[i];
    for (let i = start; i < start + width; i++) sum += Math.exp(values[i] - highest);
    for (let i = start; i < start + width; i++) values[i] -= highest + Math.log(sum);
  }
  return values;
}

/** How often the last `block` symbols stand in a row at the end. */
function repeatsAtEnd(ids, block) {
  let same = 0; // symbols before the last block that are equal to those a block behind them
  while (same + block < ids.length && ids[ids.length - 1 - same] === ids[ids.length - 1 - same - block]) {
    same++;
  }
  return Math.floor(same / block) + 1;
}

/** How often a block of symbols stands in a row at most; 1 if nothing repeats. */
function mostRepeats(ids) {
  let most = 1;
  for (let block = 1; block <= Math.min(LONGEST_BLOCK, Math.floor(ids.length / 2)); block++) {
    let run = 0;
    for (let i = block; i < ids.length; i++) {
      run = ids[i] === ids[i - block] ? run + 1 : 0;
      most = Math.max(most, Math.floor(run / block) + 1);
    }
  }
  return most;
}
