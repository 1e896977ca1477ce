// Attention with several heads, as models/transformer/block.py computes it.

/** What a query finds among `count` positions. For each head, the softmax of the products of the
 * query with the keys weighs the values.
 * `queries` has the query's H units from `query` on; `keys` and `values` (C, H) have those of the
 * first position from `first` on. What is found goes to `out` from `at` on, and the weights of head
 * n to `weights` from n * stride on. */
function attend(queries, query, keys, values, first, count, heads, weights, stride, out, at, size) {
  const headSize = size / heads;
  const scale = headSize ** -0.5;
  for (let head = 0; head < heads; head++) {
    const offset = head * headSize;
    const row = head * stride;
    let highest = -Infinity;
    for (let position = 0; position < count; position++) {
      const key = first + position * size + offset;
      const score = scale * oneSum(keys, key, queries, query + offset, headSize);
      weights[row + position] = score;
      if (score > highest) highest = score;
    }
    let sum = 0;
    for (let position = 0; position < count; position++) {
      const weight = Math.exp(weights[row + position] - highest);
      weights[row + position] = weight;
      sum += weight;
    }
    for (let position = 0; position < count; position++) weights[row + position] /= sum;
    weighedSum(weights, row, count, values, first + offset, size, headSize, out, at + offset);
  }
}

/** The sum of `count` rows of values, each times its weight; a row is `size` numbers behind the one
 * before, and `width` of them are added. */
function weighedSum(weights, row, count, values, first, size, width, out, at) {
  out.fill(0, at, at + width);
  for (let position = 0; position < count; position++) {
    const weight = weights[row + position], value = first + position * size;
    for (let i = 0; i < width; i++) out[at + i] += weight * values[value + i];
  }
}
