// A recurrent model's forward step, as models/recurrent/decoder.py does it.

/** Runs a GRU, an LSTM or a tanh RNN character by character. */
class RecurrentDecoder {
  constructor(config, weights) {
    this.context = null;
    this.size = config.hidden_size;
    this.layers = [];
    for (let index = 0; index < config.num_layers; index++) {
      this.layers.push(new RecurrentLayer(config, weights, index));
    }
    this.head = weights["head.weight"]; // (V, H)
    this.headBias = weights["head.bias"];
    this.logits = new Float32Array(this.headBias.length);
  }

  /** Read one character; return the logits (V) for the next, overwritten by the next step. */
  step(id) {
    this.read([id]);
    linear(this.head, this.headBias, this.layers[this.layers.length - 1].hidden, 1, this.size,
      this.logits);
    return this.logits;
  }

  /** Read characters without computing logits. */
  read(ids) {
    for (const id of ids) {
      let outputs = this.layers[0].look(id);
      for (let index = 1; index < this.layers.length; index++) {
        outputs = this.layers[index].step(outputs);
      }
    }
  }

  /** A copy of the state. */
  state() {
    return this.layers.map((layer) => [layer.hidden.slice(), layer.memory && layer.memory.slice()]);
  }

  /** Replace the state; null is the one before any character. */
  setState(state) {
    this.layers.forEach((layer, index) => {
      if (state === null) layer.hidden.fill(0);
      else layer.hidden.set(state[index][0]);
      if (!layer.memory) return;
      if (state === null) layer.memory.fill(0);
      else layer.memory.set(state[index][1]);
    });
  }

  /** The hidden units of all layers, in -1 to 1; for an LSTM, the tanh of its cells. */
  activations() {
    const units = new Float32Array(this.layers.length * this.size);
    this.layers.forEach((layer, index) => {
      const values = layer.memory ? layer.memory.map(Math.tanh) : layer.hidden;
      units.set(values, index * this.size);
    });
    return units;
  }
}

const GATES = { gru: 3, lstm: 4, rnn: 1 };

class RecurrentLayer {
  constructor(config, weights, index) {
    const own = (name) => weights[`layers.${index}.${name}`];
    const size = config.hidden_size;
    const rows = GATES[config.architecture] * size;
    this.size = size;
    this.advance = { gru: advanceGru, lstm: advanceLstm, rnn: advanceRnn }[config.architecture];
    this.recurrent = own("weight_hh"); // (G*H, H)
    this.bias = own("bias_ih").slice();
    this.innerBias = null; // the GRU's bias that its reset gate multiplies
    const second = own("bias_hh");
    if (second) {
      for (let row = 0; row < 2 * size; row++) this.bias[row] += second[row];
      this.innerBias = second.subarray(2 * size);
    }
    this.inputs = own("weight_ih"); // (G*H, W)
    this.table = null;
    if (index === 0) { // the product with a one-hot vector is a look-up in a table (V, G*H)
      const width = config.vocabulary_size;
      this.table = new Float32Array(width * rows);
      for (let row = 0; row < rows; row++) {
        for (let id = 0; id < width; id++) {
          this.table[id * rows + row] = this.inputs[row * width + id] + this.bias[row];
        }
      }
    }
    this.hidden = new Float32Array(size);
    this.memory = config.architecture === "lstm" ? new Float32Array(size) : null;
    this.fromInputs = new Float32Array(rows);
    this.gates = new Float32Array(rows);
  }

  /** Read an id, as the first layer does; return the outputs (H). */
  look(id) {
    const rows = this.gates.length;
    linear(this.recurrent, null, this.hidden, 1, this.size, this.gates);
    this.advance(this, this.table, id * rows);
    return this.hidden;
  }

  /** Read the outputs (W) of the layer below; return this layer's. */
  step(inputs) {
    linear(this.inputs, this.bias, inputs, 1, inputs.length, this.fromInputs);
    linear(this.recurrent, null, this.hidden, 1, this.size, this.gates);
    this.advance(this, this.fromInputs, 0);
    return this.hidden;
  }
}

const logistic = (x) => 1 / (1 + Math.exp(-x));

function advanceRnn(layer, inputs, start) {
  for (let i = 0; i < layer.size; i++) {
    layer.hidden[i] = Math.tanh(inputs[start + i] + layer.gates[i]);
  }
}

function advanceGru(layer, inputs, start) {
  const { size, hidden, gates, innerBias } = layer;
  for (let i = 0; i < size; i++) {
    const reset = logistic(inputs[start + i] + gates[i]);
    const update = logistic(inputs[start + size + i] + gates[size + i]);
    const candidate = Math.tanh(
      inputs[start + 2 * size + i] + reset * (gates[2 * size + i] + innerBias[i]),
    );
    hidden[i] = candidate + update * (hidden[i] - candidate);
  }
}

function advanceLstm(layer, inputs, start) {
  const { size, hidden, memory, gates } = layer; // gates: input, forget, candidate, output
  for (let i = 0; i < size; i++) {
    const input = logistic(inputs[start + i] + gates[i]);
    const forget = logistic(inputs[start + size + i] + gates[size + i]);
    const candidate = Math.tanh(inputs[start + 2 * size + i] + gates[2 * size + i]);
    const output = logistic(inputs[start + 3 * size + i] + gates[3 * size + i]);
    memory[i] = memory[i] * forget + input * candidate;
    hidden[i] = output * Math.tanh(memory[i]);
  }
}

DECODERS.gru = DECODERS.lstm = DECODERS.rnn = RecurrentDecoder;
