// What transformers of all kinds have: norms, rotary positions, GELU.

/** LayerNorm over rows of H values if there is a bias, else RMSNorm: a function (values, T). */
function makeNorm(weights, name, config) {
  const weight = weights[`${name}.weight`], bias = weights[`${name}.bias`];
  const size = config.hidden_size;
  return (values, steps) => {
    const out = values.slice(0, steps * size);
    for (let start = 0; start < out.length; start += size) {
      if (bias) {
        let mean = 0;
        for (let i = 0; i < size; i++) mean += out[start + i];
        mean /= size;
        for (let i = 0; i < size; i++) out[start + i] -= mean;
      }
      const inverse = inverseRootMeanSquare(out, start, size, config.epsilon);
      for (let i = 0; i < size; i++) {
        out[start + i] = out[start + i] * weight[i] * inverse + (bias ? bias[i] : 0);
      }
    }
    return out;
  };
}

/** Cosine and sine (C, D/2) of the angles by which each position rotates a head's units. */
function rotationTables({ context, hidden_size: size, num_heads: heads, rope_base: base }) {
  const half = size / heads / 2;
  const cosine = new Float32Array(context * half), sine = new Float32Array(context * half);
  for (let position = 0; position < context; position++) {
    for (let i = 0; i < half; i++) {
      const angle = position * base ** (-i / half);
      cosine[position * half + i] = Math.cos(angle);
      sine[position * half + i] = Math.sin(angle);
    }
  }
  return { cosine, sine };
}

/** Replace a head's units by themselves with a root mean square of one, each times its weight. */
function normaliseHead(values, start, weight, epsilon) {
  const inverse = inverseRootMeanSquare(values, start, weight.length, epsilon);
  for (let i = 0; i < weight.length; i++) values[start + i] *= inverse * weight[i];
}

/** Rotate each pair of a head's units (i, i + D/2) by the angle of its position. */
function rotateHead(values, start, headSize, { cosine, sine }, position) {
  const half = headSize / 2;
  for (let i = 0; i < half; i++) {
    const c = cosine[position * half + i], s = sine[position * half + i];
    const a = values[start + i], b = values[start + half + i];
    values[start + i] = a * c - b * s;
    values[start + half + i] = b * c + a * s;
  }
}

/** Replace values by GELU of them, in its tanh form: (1 + tanh(x)) / 2 is 1 / (1 + exp(-2 x)). */
function gelu(values) {
  for (let i = 0; i < values.length; i++) {
    const x = values[i];
    values[i] = x / (1 + Math.exp(-1.5957691216 * (x + 0.044715 * x * x * x)));
  }
}

/** 1 / sqrt(mean(x²) + epsilon) of `count` values from `start` on. */
function inverseRootMeanSquare(values, start, count, epsilon) {
  let squares = 0;
  for (let i = start; i < start + count; i++) squares += values[i] * values[i];
  return 1 / Math.sqrt(squares / count + epsilon);
}

function add(values, others) {
  for (let i = 0; i < values.length; i++) values[i] += others[i];
}
