// A GRU encoder-decoder's forward step, as models/seq2seq/recurrent/decoder.py does it.

/** Runs a model of kind `seq2seq` or `attention`: reads one source, then writes K targets of it side
 * by side. */
class Seq2SeqDecoder {
  constructor(config, weights) {
    this.size = config.hidden_size;
    this.attends = config.architecture === "attention";
    const directions = this.attends ? ["encoder_forward", "encoder_backward"] : ["encoder_backward"];
    const layers = Array.from({ length: config.num_layers }, (_, index) => index);
    this.encoder = layers.map((index) => directions.map((name) => new GruLayer(weights, `${name}.${index}`)));
    this.layers = layers.map((index) => new GruLayer(weights, `decoder.${index}`));
    if (this.attends) {
      this.keyWeight = weights["attention.keys.weight"]; // (H, H)
      [this.valueWeight, this.queryWeight] = halves(weights["attention.output.weight"], this.size);
      this.attentionBias = weights["attention.output.bias"];
      this.symbols = weights["attention.symbols.weight"]; // (source V, H)
    }
    this.head = weights["head.weight"]; // (V, H)
    this.headBias = weights["head.bias"];
    this.attention = null; // (K, S): what each target's last symbol looked at
  }

  /** Read a source, ids (S) that end with END. */
  encode(ids) {
    const { size } = this;
    const steps = ids.length;
    this.steps = steps;
    this.last = []; // the state after the source, by layer
    let outputs = null; // (S, H)
    for (const directions of this.encoder) {
      const joined = new Float32Array(steps * size), last = new Float32Array(size);
      let offset = 0;
      directions.forEach((layer, index) => {
        const backward = index === directions.length - 1;
        const inputs = outputs === null ? layer.look(ids) : layer.fromInputs(outputs, steps);
        layer.run(inputs, steps, backward, joined, offset, size, last);
        offset += layer.size;
      });
      outputs = joined;
      this.last.push(last);
    }
    if (!this.attends) return;
    this.keys = new Float32Array(steps * size);
    linear(this.keyWeight, null, outputs, steps, size, this.keys);
    for (let i = 0; i < this.keys.length; i++) this.keys[i] *= size ** -0.5;
    this.values = new Float32Array(steps * size);
    linear(this.valueWeight, null, outputs, steps, size, this.values);
    this.copies = new Float32Array(steps * size); // a vector of each symbol of the source
    ids.forEach((id, step) => this.copies.set(rowOf(this.symbols, id, size), step * size));
  }

  /** Begin `beams` targets K of the source that was read. */
  begin(beams) {
    this.attention = null;
    this.state = this.last.map((values) => repeated(values, beams)); // (K, H) by layer
  }

  /** Read a symbol of each target, ids (K), at first END; return the logits (K, V). */
  step(ids) {
    const { size } = this;
    const beams = ids.length;
    let outputs = this._advance(0, this.layers[0].look(ids), beams);
    if (this.attends) outputs = this._attend(outputs, beams);
    for (let index = 1; index < this.layers.length; index++) {
      outputs = this._advance(index, this.layers[index].fromInputs(outputs, beams), beams);
    }
    if (this.attends) outputs = this._withCopies(outputs, beams);
    const logits = new Float32Array(beams * this.headBias.length);
    linear(this.head, this.headBias, outputs, beams, size, logits);
    return logits;
  }

  /** Continue each target from another one: `parents` (K). */
  follow(parents) {
    this.state = this.state.map((values) => rowsOf(values, parents, this.size));
  }

  _advance(index, inputs, beams) {
    this.state[index] = this.layers[index].step(inputs, 0, this.state[index], beams);
    return this.state[index];
  }

  /** The outputs (K, H) of attention for queries (K, H). */
  _attend(queries, beams) {
    const { size, steps } = this;
    const outputs = new Float32Array(beams * size);
    linear(this.queryWeight, this.attentionBias, queries, beams, size, outputs);
    this.attention = new Float32Array(beams * steps);
    linear(this.keys, null, queries, beams, size, this.attention);
    for (let beam = 0; beam < beams; beam++) {
      const weights = this.attention.subarray(beam * steps, (beam + 1) * steps);
      softmaxInPlace(weights);
      addWeighed(outputs, beam * size, weights, this.values, size);
    }
    for (let i = 0; i < outputs.length; i++) outputs[i] = Math.tanh(outputs[i]);
    return outputs;
  }

  /** The outputs with the vectors of the symbols that were looked at. */
  _withCopies(outputs, beams) {
    const { size, steps } = this;
    const sums = outputs.slice();
    for (let beam = 0; beam < beams; beam++) {
      const weights = this.attention.subarray(beam * steps, (beam + 1) * steps);
      addWeighed(sums, beam * size, weights, this.copies, size);
    }
    return sums;
  }
}

/** One GRU layer, which reads K rows side by side. */
class GruLayer {
  constructor(weights, name) {
    this.recurrent = weights[`${name}.weight_hh`]; // (3H, H)
    this.recurrentBias = weights[`${name}.bias_hh`];
    this.inputs = weights[`${name}.weight_ih`]; // (3H, W)
    this.bias = weights[`${name}.bias_ih`];
    this.size = this.recurrentBias.length / 3;
  }

  /** What symbols, ids (K), contribute to the gates, (K, 3H): the columns of a matrix. */
  look(ids) {
    const rows = this.bias.length, width = this.inputs.length / rows;
    const found = new Float32Array(ids.length * rows);
    for (let k = 0; k < ids.length; k++) {
      for (let row = 0; row < rows; row++) {
        found[k * rows + row] = this.inputs[row * width + ids[k]] + this.bias[row];
      }
    }
    return found;
  }

  /** What outputs (K, W) of the layer below contribute to the gates, (K, 3H). */
  fromInputs(outputs, count) {
    const rows = this.bias.length;
    const found = new Float32Array(count * rows);
    linear(this.inputs, this.bias, outputs, count, this.inputs.length / rows, found);
    return found;
  }

  /** Read a whole sequence from a state of zeros, from its end if `backward`. The outputs go to
   * the columns of `joined` (S, `width`) from `offset` on, and the last state to those of `last`. */
  run(inputs, steps, backward, joined, offset, width, last) {
    let state = new Float32Array(this.size);
    for (let count = 0; count < steps; count++) {
      const step = backward ? steps - 1 - count : count;
      state = this.step(inputs, step * this.bias.length, state, 1);
      joined.set(state, step * width + offset);
    }
    last.set(state, offset);
  }

  /** The new states (K, H), from what the inputs contribute, (K, 3H) from `start` on. */
  step(inputs, start, state, count) {
    const { size } = this;
    const gates = new Float32Array(count * 3 * size);
    linear(this.recurrent, this.recurrentBias, state, count, size, gates);
    const after = new Float32Array(count * size);
    for (let k = 0; k < count; k++) {
      const g = k * 3 * size, x = start + g;
      for (let i = 0; i < size; i++) {
        const reset = 1 / (1 + Math.exp(-inputs[x + i] - gates[g + i]));
        const update = 1 / (1 + Math.exp(-inputs[x + size + i] - gates[g + size + i]));
        const candidate = Math.tanh(inputs[x + 2 * size + i] + reset * gates[g + 2 * size + i]);
        after[k * size + i] = candidate + update * (state[k * size + i] - candidate);
      }
    }
    return after;
  }
}

/** A row of a table (N, `width`). */
const rowOf = (table, row, width) => table.subarray(row * width, (row + 1) * width);

/** The rows of a table (N, `width`) in another order, as a new table. */
function rowsOf(table, rows, width) {
  const chosen = new Float32Array(rows.length * width);
  rows.forEach((row, index) => chosen.set(rowOf(table, row, width), index * width));
  return chosen;
}

const repeated = (values, count) => rowsOf(values, Array(count).fill(0), values.length);

/** The left and the right half of a matrix (H, 2 H). */
function halves(matrix, size) {
  const left = new Float32Array(size * size), right = new Float32Array(size * size);
  for (let row = 0; row < size; row++) {
    left.set(matrix.subarray(2 * row * size, (2 * row + 1) * size), row * size);
    right.set(matrix.subarray((2 * row + 1) * size, (2 * row + 2) * size), row * size);
  }
  return [left, right];
}

/** Replace values by their softmax. */
function softmaxInPlace(values) {
  let highest = -Infinity, sum = 0;
  for (const value of values) if (value > highest) highest = value;
  for (let i = 0; i < values.length; i++) {
    values[i] = Math.exp(values[i] - highest);
    sum += values[i];
  }
  for (let i = 0; i < values.length; i++) values[i] /= sum;
}

/** Add the rows of a table (S, `width`), each times its weight, to `sums` from `at` on. */
function addWeighed(sums, at, weights, table, width) {
  for (let step = 0; step < weights.length; step++) {
    const weight = weights[step], row = step * width;
    for (let i = 0; i < width; i++) sums[at + i] += weight * table[row + i];
  }
}

DECODERS.seq2seq = DECODERS.attention = Seq2SeqDecoder;
