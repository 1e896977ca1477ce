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
    products(queries, query + offset, keys, first + offset, size, count, headSize, weights, row);
    let highest = -Infinity;
    for (let i = row; i < row + count; i++) if (weights[i] > highest) highest = weights[i];
    let sum = 0;
    for (let i = row; i < row + count; i++) {
      const weight = Math.exp(scale * (weights[i] - highest));
      weights[i] = weight;
      sum += weight;
    }
    for (let i = row; i < row + count; i++) weights[i] /= sum;
    weighedSum(weights, row, count, values, first + offset, size, headSize, out, at + offset);
  }
}

/** The products of a query with `count` keys, of which each is `size` numbers behind the one before;
 * `width` numbers of them count. Four keys go at a time: the sums run side by side. */
function products(queries, query, keys, first, size, count, width, out, at) {
  let position = 0;
  for (; position + 4 <= count; position += 4) {
    const a = first + position * size, b = a + size, c = b + size, d = c + size;
    let sumA = 0, sumB = 0, sumC = 0, sumD = 0;
    for (let i = 0; i < width; i++) {
      const unit = queries[query + i];
      sumA += unit * keys[a + i];
      sumB += unit * keys[b + i];
      sumC += unit * keys[c + i];
      sumD += unit * keys[d + i];
    }
    out[at + position] = sumA;
    out[at + position + 1] = sumB;
    out[at + position + 2] = sumC;
    out[at + position + 3] = sumD;
  }
  for (; position < count; position++) {
    out[at + position] = oneSum(keys, first + position * size, queries, query, width);
  }
}

/** The sum of `count` rows of values, each times its weight; a row is `size` numbers behind the one
 * before, and `width` numbers of it count. Four rows go at a time, so that sums are stored less. */
function weighedSum(weights, row, count, values, first, size, width, out, at) {
  out.fill(0, at, at + width);
  let position = 0;
  for (; position + 4 <= count; position += 4) {
    const a = first + position * size, b = a + size, c = b + size, d = c + size;
    const w = row + position;
    const [wa, wb, wc, wd] = [weights[w], weights[w + 1], weights[w + 2], weights[w + 3]];
    for (let i = 0; i < width; i++) {
      out[at + i] += wa * values[a + i] + wb * values[b + i] + wc * values[c + i] + wd * values[d + i];
    }
  }
  for (; position < count; position++) {
    const weight = weights[row + position], value = first + position * size;
    for (let i = 0; i < width; i++) out[at + i] += weight * values[value + i];
  }
}
