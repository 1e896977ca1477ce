// A transformer encoder-decoder's forward step with a cache of the target's keys and values, as
// models/seq2seq/transformer/decoder.py does it.

/** Runs a model of kind `transformer`: reads one source, then writes K targets of it side by side.
 * `attention` is the mean over all heads of all blocks. */
class Seq2SeqTransformerDecoder {
  constructor(config, weights) {
    this.config = config;
    this.size = config.hidden_size;
    this.source = weights["source.weight"]; // (source V, H)
    this.target = weights["target.weight"]; // (V, H)
    this.head = weights["head.weight"]; // (V, H)
    this.encoderNorm = makeNorm(weights, "encoder_norm", config);
    this.decoderNorm = makeNorm(weights, "decoder_norm", config);
    this.encoder = [];
    this.decoder = [];
    for (let layer = 0; layer < config.num_layers; layer++) {
      this.encoder.push(new SelfAttentionBlock(config, weights, `encoder.${layer}`));
      this.decoder.push(new CrossAttentionBlock(config, weights, `decoder.${layer}`));
    }
    this._setTables(64);
    this.attention = null; // (K, S): what each target's last symbol looked at
  }

  /** Read a source, ids (S) that end with END. */
  encode(ids) {
    const steps = ids.length;
    this.steps = steps;
    this._needPositions(steps);
    let stream = rowsOf(this.source, ids, this.size);
    ids.forEach((_, step) => this._addPosition(stream, step, step));
    for (const block of this.encoder) block.readSource(stream, steps, this.tables);
    stream = this.encoderNorm(stream, steps);
    for (const block of this.decoder) block.setSource(stream, steps);
  }

  /** Begin `beams` targets K of the source that was read. */
  begin(beams) {
    this.attention = null;
    this.filled = 0; // symbols read of each target
    for (const block of this.decoder) block.begin(beams);
  }

  /** Read a symbol of each target, ids (K), at first END; return the logits (K, V). */
  step(ids) {
    const { size, steps } = this;
    const beams = ids.length;
    this._needPositions(this.filled + 1);
    const stream = rowsOf(this.target, ids, size);
    ids.forEach((_, beam) => this._addPosition(stream, beam, this.filled));
    this.attention = new Float32Array(beams * steps);
    for (const block of this.decoder) {
      block.readTarget(stream, beams, this.filled, this.tables, this.attention);
    }
    const share = 1 / (this.config.num_heads * this.decoder.length);
    for (let i = 0; i < this.attention.length; i++) this.attention[i] *= share;
    this.filled++;
    const logits = new Float32Array(beams * this.head.length / size);
    linear(this.head, null, this.decoderNorm(stream, beams), beams, size, logits);
    return logits;
  }

  /** Continue each target from another one: `parents` (K). */
  follow(parents) {
    for (const block of this.decoder) block.follow(parents);
  }

  _needPositions(count) {
    let length = 2 * this.tables.cosine.length / (this.size / this.config.num_heads);
    if (count <= length) return;
    while (length < count) length *= 2;
    this._setTables(length);
  }

  _setTables(context) {
    this.tables = rotationTables({ ...this.config, context });
    this.sinusoids = rotationTables({ ...this.config, num_heads: 1, context });
  }

  /** Add the sinusoids of a position to a row of a stream, if the model has them. */
  _addPosition(stream, row, position) {
    if (!this.config.adds_positions) return;
    const half = this.size / 2, { cosine, sine } = this.sinusoids;
    const start = row * this.size;
    for (let i = 0; i < half; i++) {
      stream[start + i] += sine[position * half + i];
      stream[start + half + i] += cosine[position * half + i];
    }
  }
}

/** A block with self-attention: those of the encoder. */
class SelfAttentionBlock {
  constructor(config, weights, name) {
    const own = (part) => weights[`${name}.${part}.weight`];
    this.own = own;
    this.size = config.hidden_size;
    this.heads = config.num_heads;
    this.headSize = this.size / this.heads;
    this.epsilon = config.epsilon;
    this.norm = makeNorm(weights, `${name}.attention_norm`, config);
    this.feedForwardNorm = makeNorm(weights, `${name}.feed_forward_norm`, config);
    this.qkv = own("attention.qkv");
    this.queryNorm = own("attention.query_norm");
    this.keyNorm = own("attention.key_norm");
    this.output = own("attention.output");
    this.up = own("feed_forward.up");
    this.down = own("feed_forward.down");
  }

  /** Change the stream (S, H) of a source to what it is after this block. */
  readSource(stream, steps, tables) {
    const { queries, keys, values } = this._project(stream, steps, (step) => step, tables);
    const found = new Float32Array(steps * this.size);
    const weights = new Float32Array(this.heads * steps);
    for (let step = 0; step < steps; step++) {
      const at = step * this.size;
      attend(queries, at, keys, values, 0, steps, this.heads, weights, steps, found, at, this.size);
    }
    add(stream, this._product(this.output, found, steps));
    this._feedForward(stream, steps);
  }

  /** Queries and keys, normalised by head and rotated, and values, (T, H) each. */
  _project(stream, steps, positionOf, tables) {
    const { size, headSize, epsilon } = this;
    const inputs = this.norm(stream, steps);
    const part = (index) => this._product(rowOf(this.qkv, index, size * size), inputs, steps);
    const [queries, keys, values] = [part(0), part(1), part(2)];
    for (const [heads, norm] of [[queries, this.queryNorm], [keys, this.keyNorm]]) {
      for (let start = 0; start < heads.length; start += headSize) {
        normaliseHead(heads, start, norm, epsilon);
        rotateHead(heads, start, headSize, tables, positionOf(Math.floor(start / size)));
      }
    }
    return { queries, keys, values };
  }

  /** The product (T, K) of rows (T, W) with the transpose of a weight (K, W). */
  _product(weight, rows, steps) {
    const width = rows.length / steps;
    const out = new Float32Array(steps * weight.length / width);
    linear(weight, null, rows, steps, width, out);
    return out;
  }

  _feedForward(stream, steps) {
    const inner = this._product(this.up, this.feedForwardNorm(stream, steps), steps);
    gelu(inner);
    add(stream, this._product(this.down, inner, steps));
  }
}

/** A block with self-attention, and attention to the source: those of the decoder. */
class CrossAttentionBlock extends SelfAttentionBlock {
  constructor(config, weights, name) {
    super(config, weights, name);
    this.crossNorm = makeNorm(weights, `${name}.cross_attention_norm`, config);
    this.crossQuery = this.own("cross_attention.query");
    this.crossKeyValue = this.own("cross_attention.key_value");
    this.crossQueryNorm = this.own("cross_attention.query_norm");
    this.crossKeyNorm = this.own("cross_attention.key_norm");
    this.crossOutput = this.own("cross_attention.output");
  }

  /** Compute the keys and values of a source (S, H). */
  setSource(stream, steps) {
    const part = (index) => rowOf(this.crossKeyValue, index, this.size * this.size);
    this.steps = steps;
    this.sourceKeys = this._normed(this._product(part(0), stream, steps), this.crossKeyNorm);
    this.sourceValues = this._product(part(1), stream, steps);
  }

  /** Begin targets with an empty cache. */
  begin(beams) {
    this.cache = Array.from({ length: beams }, () => ({ keys: [], values: [] }));
  }

  follow(parents) {
    this.cache = parents.map((parent) => ({
      keys: this.cache[parent].keys.slice(), values: this.cache[parent].values.slice(),
    }));
  }

  /** Change the stream (K, H) of the targets' newest symbols to what it is after this block; the
   * weights of the heads are added to `attention` (K, S). */
  readTarget(stream, beams, position, tables, attention) {
    this._attendToTarget(stream, beams, position, tables);
    this._attendToSource(stream, beams, attention);
    this._feedForward(stream, beams);
  }

  _attendToTarget(stream, beams, position, tables) {
    const { size, heads } = this;
    const { queries, keys, values } = this._project(stream, beams, () => position, tables);
    const found = new Float32Array(beams * size);
    const count = position + 1;
    const weights = new Float32Array(heads * count);
    for (let beam = 0; beam < beams; beam++) {
      const cache = this.cache[beam];
      cache.keys = grown(cache.keys, position * size, rowOf(keys, beam, size));
      cache.values = grown(cache.values, position * size, rowOf(values, beam, size));
      attend(queries, beam * size, cache.keys, cache.values, 0, count, heads, weights, count, found,
        beam * size, size);
    }
    add(stream, this._product(this.output, found, beams));
  }

  _attendToSource(stream, beams, attention) {
    const { size, heads, steps } = this;
    const queries = this._normed(
      this._product(this.crossQuery, this.crossNorm(stream, beams), beams), this.crossQueryNorm,
    );
    const found = new Float32Array(beams * size);
    const weights = new Float32Array(heads * steps);
    for (let beam = 0; beam < beams; beam++) {
      attend(queries, beam * size, this.sourceKeys, this.sourceValues, 0, steps, heads, weights,
        steps, found, beam * size, size);
      for (let i = 0; i < weights.length; i++) attention[beam * steps + (i % steps)] += weights[i];
    }
    add(stream, this._product(this.crossOutput, found, beams));
  }

  /** Rows of heads, each head normalised. */
  _normed(heads, norm) {
    for (let start = 0; start < heads.length; start += this.headSize) {
      normaliseHead(heads, start, norm, this.epsilon);
    }
    return heads;
  }
}

/** A cache with a row at a place; one with twice the room if it was full. */
function grown(cache, place, row) {
  let room = cache;
  if (place + row.length > cache.length) {
    room = new Float32Array(Math.max(2 * cache.length, 16 * row.length));
    room.set(cache);
  }
  room.set(row, place);
  return room;
}

DECODERS.transformer = Seq2SeqTransformerDecoder;
