// Products of matrices and vectors, and weights from half floats.

/** The numbers of 16-bit floats (IEEE 754), as a Float32Array. */
function fromHalfFloats(halves) {
  const table = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    if (exponent === 0) table[bits] = sign * fraction * 2 ** -24;
    else if (exponent === 31) table[bits] = fraction ? NaN : sign * Infinity;
    else table[bits] = sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }
  return Float32Array.from(halves, (bits) => table[bits]);
}

/** out (T, K) = inputs (T, H) times the transpose of weight (K, H), plus bias (K) if there is one.
 * Four rows of the weight and two numbers of a row go at a time: the sums run side by side. */
function linear(weight, bias, inputs, steps, width, out) {
  const rows = weight.length / width;
  if (!linearWithSimd(weight, inputs, steps, width, out)) {
    let step = 0;
    for (; step + 2 <= steps; step += 2) twoVectors(weight, rows, width, inputs, step, out);
    if (step < steps) oneVector(weight, rows, width, inputs, step, out);
  }
  if (bias) {
    for (let at = 0; at < steps * rows; at += rows) {
      for (let row = 0; row < rows; row++) out[at + row] += bias[row];
    }
  }
}

function oneVector(weight, rows, width, inputs, step, out) {
  const x = step * width, even = width - (width % 2), o = step * rows;
  let row = 0;
  for (; row + 4 <= rows; row += 4) {
    const a = row * width, b = a + width, c = b + width, d = c + width;
    let sumA = 0, sumB = 0, sumC = 0, sumD = 0;
    for (let i = 0; i < even; i += 2) {
      const first = inputs[x + i], second = inputs[x + i + 1];
      sumA += weight[a + i] * first + weight[a + i + 1] * second;
      sumB += weight[b + i] * first + weight[b + i + 1] * second;
      sumC += weight[c + i] * first + weight[c + i + 1] * second;
      sumD += weight[d + i] * first + weight[d + i + 1] * second;
    }
    if (even < width) {
      const last = inputs[x + even];
      sumA += weight[a + even] * last;
      sumB += weight[b + even] * last;
      sumC += weight[c + even] * last;
      sumD += weight[d + even] * last;
    }
    out[o + row] = sumA;
    out[o + row + 1] = sumB;
    out[o + row + 2] = sumC;
    out[o + row + 3] = sumD;
  }
  for (; row < rows; row++) out[o + row] = oneSum(weight, row * width, inputs, x, width);
}

function twoVectors(weight, rows, width, inputs, step, out) {
  const x = step * width, y = x + width, o = step * rows, p = o + rows;
  let row = 0;
  for (; row + 4 <= rows; row += 4) {
    const a = row * width, b = a + width, c = b + width, d = c + width;
    let ax = 0, bx = 0, cx = 0, dx = 0, ay = 0, by = 0, cy = 0, dy = 0;
    for (let i = 0; i < width; i++) {
      const first = inputs[x + i], second = inputs[y + i];
      const wa = weight[a + i], wb = weight[b + i], wc = weight[c + i], wd = weight[d + i];
      ax += wa * first;
      ay += wa * second;
      bx += wb * first;
      by += wb * second;
      cx += wc * first;
      cy += wc * second;
      dx += wd * first;
      dy += wd * second;
    }
    out[o + row] = ax;
    out[o + row + 1] = bx;
    out[o + row + 2] = cx;
    out[o + row + 3] = dx;
    out[p + row] = ay;
    out[p + row + 1] = by;
    out[p + row + 2] = cy;
    out[p + row + 3] = dy;
  }
  for (; row < rows; row++) {
    out[o + row] = oneSum(weight, row * width, inputs, x, width);
    out[p + row] = oneSum(weight, row * width, inputs, y, width);
  }
}

function oneSum(weight, a, inputs, x, width) {
  let sum = 0;
  for (let i = 0; i < width; i++) sum += weight[a + i] * inputs[x + i];
  return sum;
}
