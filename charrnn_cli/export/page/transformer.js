// A transformer's forward step with a cache of keys and values, as models/transformer/decoder.py
// does it.

/** Runs a GPT-2 or a Llama. When the context is full, its newer half is read again as the beginning
 * of a new window. */
class TransformerDecoder {
  constructor(config, weights) {
    this.config = config;
    this.context = config.context;
    this.size = config.hidden_size;
    this.characters = weights["characters.weight"]; // (V, H)
    this.positions = weights["positions.weight"] || null; // (C, H)
    this.norm = makeNorm(weights, "norm", config);
    this.head = weights["head.weight"] || this.characters; // GPT-2's output is tied to its input
    const tables = this.positions ? null : rotationTables(config);
    this.blocks = [];
    for (let layer = 0; layer < config.num_layers; layer++) {
      this.blocks.push(new TransformerBlock(config, weights, layer, tables));
    }
    this.ids = new Int32Array(config.context); // what the cache holds
    this.filled = 0; // number of characters in the context
    this.cached = 0; // positions of the cache that go with `ids`, beyond `filled` after a step back
    this.dropped = 0; // number of characters before the context
    this.logits = new Float32Array(config.vocabulary_size);
    this.last = new Float32Array(this.size);
  }

  /** Read one character; return the logits (V) for the next, overwritten by the next step. */
  step(id) {
    this.read([id]);
    linear(this.head, null, this.norm(this.last, 1), 1, this.size, this.logits);
    return this.logits;
  }

  /** Read characters; those that fit the context are read at once. */
  read(ids) {
    for (let begin = 0; begin < ids.length;) {
      if (this.filled === this.context) this._slide();
      const part = ids.slice(begin, begin + this.context - this.filled);
      this._read(part);
      begin += part.length;
    }
  }

  _slide() {
    const half = Math.floor(this.context / 2);
    const kept = this.ids.slice(this.context - half);
    this.dropped += this.context - half;
    this.filled = this.cached = 0;
    if (kept.length) this._read(kept, true);
  }

  /** The attention weights of the last character read, by layer and head: (L * N, filled). */
  attention() {
    const { context, filled } = this;
    return this.blocks.flatMap(({ weights, heads }) => Array.from(
      { length: heads }, (_, head) => weights.slice(head * context, head * context + filled),
    ));
  }

  /** What lies in the context: as much as a text needs to be taken up from here. */
  state() {
    return { ids: this.ids.slice(0, this.filled), dropped: this.dropped };
  }

  /** Take up a text; null is the beginning of one. What is cached already is not read again. */
  setState(state) {
    const { ids, dropped } = state === null ? { ids: [], dropped: 0 } : state;
    if (dropped !== this.dropped) this.cached = 0;
    this.dropped = dropped;
    let same = 0;
    while (same < Math.min(ids.length, this.cached) && ids[same] === this.ids[same]) same++;
    this.filled = same;
    if (same < ids.length) this._read(ids.slice(same));
  }

  /** Read ids (T) that fit into the rest of the context; the last one's stream goes to `last`,
   * unless others follow: what the last block puts out is then needed by nobody. */
  _read(ids, othersFollow = false) {
    const { size } = this;
    const begin = this.filled;
    const stream = new Float32Array(ids.length * size);
    for (let step = 0; step < ids.length; step++) {
      const row = ids[step] * size;
      for (let i = 0; i < size; i++) stream[step * size + i] = this.characters[row + i];
      if (this.positions) {
        const at = (begin + step) * size;
        for (let i = 0; i < size; i++) stream[step * size + i] += this.positions[at + i];
      }
      if (begin + step < this.cached && this.ids[begin + step] !== ids[step]) {
        this.cached = begin + step;
      }
      this.ids[begin + step] = ids[step];
    }
    this.blocks.forEach((block, index) => {
      if (othersFollow && index === this.blocks.length - 1) block.store(stream, ids.length, begin);
      else block.read(stream, ids.length, begin);
    });
    this.last.set(stream.subarray((ids.length - 1) * size));
    this.filled = begin + ids.length;
    this.cached = Math.max(this.cached, this.filled);
  }
}

class TransformerBlock {
  constructor(config, weights, layer, tables) {
    const own = (name) => weights[`blocks.${layer}.${name}`] || null;
    const { hidden_size: size, num_heads: heads, context, epsilon } = config;
    Object.assign(this, { size, heads, headSize: size / heads, context, tables, epsilon });
    this.attentionNorm = makeNorm(weights, `blocks.${layer}.attention_norm`, config);
    this.feedForwardNorm = makeNorm(weights, `blocks.${layer}.feed_forward_norm`, config);
    this.qkv = own("attention.qkv.weight");
    this.qkvBias = own("attention.qkv.bias");
    this.output = own("attention.output.weight");
    this.outputBias = own("attention.output.bias");
    this.queryNorm = own("attention.query_norm.weight");
    this.keyNorm = own("attention.key_norm.weight");
    this.gate = own("feed_forward.gate.weight");
    this.up = own("feed_forward.up.weight");
    this.upBias = own("feed_forward.up.bias");
    this.down = own("feed_forward.down.weight");
    this.downBias = own("feed_forward.down.bias");
    this.keys = new Float32Array(context * size);
    this.values = new Float32Array(context * size);
    this.weights = new Float32Array(heads * context); // of the last character read
  }

  /** Change the residual stream (T, H) to what it is after this block. */
  read(stream, steps, begin) {
    const qkv = this.store(stream, steps, begin);
    add(stream, this._attend(qkv, steps, begin));
    add(stream, this._feedForward(this.feedForwardNorm(stream, steps), steps));
  }

  /** Add the keys and values of a stream (T, H) to the cache; return its projections (T, 3 H). */
  store(stream, steps, begin) {
    const { size, heads, headSize } = this;
    const qkv = new Float32Array(steps * 3 * size);
    linear(this.qkv, this.qkvBias, this.attentionNorm(stream, steps), steps, size, qkv);
    for (let step = 0; step < steps; step++) {
      const row = step * 3 * size;
      if (this.tables) {
        for (let head = 0; head < heads; head++) {
          this._rotate(qkv, row + head * headSize, this.queryNorm, begin + step);
          this._rotate(qkv, row + size + head * headSize, this.keyNorm, begin + step);
        }
      }
      const place = (begin + step) * size;
      this.keys.set(qkv.subarray(row + size, row + 2 * size), place);
      this.values.set(qkv.subarray(row + 2 * size, row + 3 * size), place);
    }
    return qkv;
  }

  _attend(qkv, steps, begin) {
    const { size, heads, keys, values, weights, context } = this;
    const found = new Float32Array(steps * size);
    for (let step = 0; step < steps; step++) {
      attend(qkv, step * 3 * size, keys, values, 0, begin + step + 1, heads, weights, context, found,
        step * size, size);
    }
    const joined = new Float32Array(steps * size);
    linear(this.output, this.outputBias, found, steps, size, joined);
    return joined;
  }

  _rotate(values, start, norm, position) {
    normaliseHead(values, start, norm, this.epsilon);
    rotateHead(values, start, this.headSize, this.tables, position);
  }

  _feedForward(inputs, steps) {
    const { size } = this;
    const wide = this.up.length / size;
    const inner = new Float32Array(steps * wide);
    linear(this.up, this.upBias, inputs, steps, size, inner);
    if (this.gate) { // SwiGLU
      const gate = new Float32Array(steps * wide);
      linear(this.gate, null, inputs, steps, size, gate);
      for (let i = 0; i < inner.length; i++) inner[i] *= gate[i] / (1 + Math.exp(-gate[i]));
    } else gelu(inner);
    const out = new Float32Array(steps * size);
    linear(this.down, this.downBias, inner, steps, wide, out);
    return out;
  }
}

DECODERS.gpt2 = DECODERS.llama = TransformerDecoder;
