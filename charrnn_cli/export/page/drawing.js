// Drawing characters, as sampling/drawing.py does it.

/** Unnormalised probabilities (V) after temperature and top-k. Of characters with equal probability
 * those with the lower code point are kept; temperature 0 takes the first of the most likely. */
function unnormalised(logits, { temperature, topK }) {
  const count = logits.length;
  let best = 0;
  for (let id = 1; id < count; id++) if (logits[id] > logits[best]) best = id;
  const kept = new Float64Array(count);
  if (temperature === 0) {
    kept[best] = 1;
    return kept;
  }
  for (let id = 0; id < count; id++) kept[id] = Math.exp((logits[id] - logits[best]) / temperature);
  if (topK && topK < count) {
    const allowed = new Set(mostLikely(kept, topK));
    for (let id = 0; id < count; id++) if (!allowed.has(id)) kept[id] = 0;
  }
  return kept;
}

/** The ids of the `count` highest values, highest first; of equal ones the lower id is first. */
function mostLikely(values, count) {
  const found = [];
  for (let id = 0; id < values.length; id++) {
    if (found.length === count && values[id] <= values[found[count - 1]]) continue;
    let place = found.length;
    while (place > 0 && values[found[place - 1]] < values[id]) place--;
    found.splice(place, 0, id);
    if (found.length > count) found.pop();
  }
  return found;
}

/** The id that a uniform random number in [0, 1) selects. */
function draw(probabilities, uniform) {
  let total = 0;
  for (const probability of probabilities) total += probability;
  let left = uniform * total;
  let last = 0;
  for (let id = 0; id < probabilities.length; id++) {
    if (probabilities[id] === 0) continue;
    last = id;
    left -= probabilities[id];
    if (left < 0) return id;
  }
  return last;
}

/** Probabilities (V) at temperature 1, unfiltered. */
function softmax(logits) {
  const kept = unnormalised(logits, { temperature: 1, topK: null });
  let total = 0;
  for (const value of kept) total += value;
  return kept.map((value) => value / total);
}

/** The surprisal of an id in bits under the model itself, at temperature 1, unfiltered. */
function surprisal(logits, id) {
  let highest = -Infinity;
  for (const value of logits) if (value > highest) highest = value;
  let sum = 0;
  for (const value of logits) sum += Math.exp(value - highest);
  return (Math.log(sum) - (logits[id] - highest)) / Math.LN2;
}

/** Uniform random numbers in [0, 1) that a seed determines: mulberry32 (Tommy Ettinger, 2017). */
function randomNumbers(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
