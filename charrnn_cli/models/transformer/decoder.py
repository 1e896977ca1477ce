"""A transformer's forward step in NumPy, with a cache of keys and values."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from charrnn_cli.models.decoder import Array, Decoder, Floats, State
from charrnn_cli.models.transformer.config import (
    INITIAL_STD,
    NORM_EPSILON,
    ROPE_BASE,
    TransformerConfig,
)

Weights = Mapping[str, Floats]
EPSILON = np.float32(NORM_EPSILON)


class TransformerDecoder(Decoder):
    """Runs a trained transformer, with a cache of keys and values.

    When the context is full, the newer half of its characters is read again, in one pass, as the
    beginning of a new window, as in `text.rows.windows`. Time and memory per character are thus
    bounded for a text of any length, and each character sees at least half a context.
    """

    def __init__(
        self, config: TransformerConfig, weights: Mapping[str, Array], streams: int | None = None
    ) -> None:
        self.config, self.single = config, streams is None
        self.vocabulary_size = config.vocabulary_size
        own = {name: np.asarray(values, np.float32) for name, values in weights.items()}
        self.characters = own["characters.weight"]  # (V, H)
        self.positions = own.get("positions.weight")  # (C, H)
        self.norm = _Norm(own, "norm")
        self.head = self.characters if config.kind.tied else own["head.weight"]  # (V, H)
        tables = None if config.kind.learned_positions else rotation_tables(config)
        layers = range(config.num_layers)
        self.blocks = [_Block(config, own, layer, streams or 1, tables) for layer in layers]
        self.ids = np.zeros((streams or 1, config.context), np.int64)
        self.filled = 0  # number of characters in the context

    def step(self, ids: Any) -> Floats:
        """See `Decoder`."""
        return self._logits(self._read(np.reshape(ids, (-1, 1)))[:, -1])

    def read(self, ids: Any) -> None:
        """See `Decoder`."""
        self._read(np.reshape(ids, (-1, 1)))

    def logits(self, ids: Any) -> Floats:
        """See `Decoder`; the characters that fit the context are read at once."""
        rows = np.asarray(ids).reshape(len(ids), -1).T  # (B, T)
        parts = [linear(self.norm(self._read(part)), self.head) for part in self._parts(rows)]
        logits = np.concatenate(parts, axis=1).swapaxes(0, 1)  # (T, B, V)
        return logits[:, 0] if self.single else logits

    def prefill(self, ids: Any) -> Floats:
        """See `Decoder`; of a long prompt only the last window is read, as the earlier ones leave
        nothing behind."""
        rows = np.asarray(ids).reshape(len(ids), -1).T
        parts = self._parts(rows)
        if not self.filled and len(parts) > 1:
            kept = self.config.context // 2
            begin = rows.shape[1] - parts[-1].shape[1] - kept
            parts = [rows[:, begin : begin + kept], parts[-1]]
        for part in parts:
            stream = self._read(part)
        return self._logits(stream[:, -1])

    def set_state(self, state: State | None, rows: Any = slice(None)) -> None:
        """See `Decoder`: there is no state."""
        if not (isinstance(rows, slice) and rows == slice(None)):
            raise ValueError("the streams of a transformer begin a text together")
        self.filled = 0

    def attention(self, ids: Any) -> Floats:
        """The attention weights (L, N, T, T) of L layers and N heads, for ids (T,).

        The ids are read as the beginning of a new text and must fit into the context. For a decoder
        of one stream.
        """
        self.set_state(None)
        return np.stack(list(self.read_attention(ids)))

    def read_attention(self, ids: Any) -> Iterator[Floats]:
        """See `Decoder`."""
        begin, stream = self._embed(np.reshape(ids, (1, -1)))
        for block in self.blocks:
            stream, weights = block.read(stream, begin)
            yield weights[0]

    def _logits(self, stream: Floats) -> Floats:
        """Logits (V,) or (B, V) from the residual stream (B, H) after the last character."""
        logits = linear(self.norm(stream), self.head)
        return logits[0] if self.single else logits

    def _parts(self, rows: Array) -> list[Array]:
        """Ids (B, T) split into parts that each fit into the rest of the context."""
        span = self.config.context - self.config.context // 2
        first = (self.config.context - self.filled) or span
        edges = range(first, rows.shape[1], span)
        return [part for part in np.split(rows, edges, axis=1) if part.shape[1]]

    def _read(self, ids: Array) -> Floats:
        """The residual stream (B, T, H) after ids (B, T) that fit into the rest of the context."""
        context = self.config.context
        if self.filled == context:
            kept = self.ids[:, context - context // 2 :].copy()
            self.filled = 0
            if kept.shape[1]:
                self._read(kept)
        begin, stream = self._embed(ids)
        for block in self.blocks:
            stream, _ = block.read(stream, begin)
        return stream

    def _embed(self, ids: Array) -> tuple[int, Floats]:
        """Add ids (B, T) to the context; return where they begin in it and the residual stream
        (B, T, H) before the first block."""
        begin, end = self.filled, self.filled + ids.shape[1]
        self.ids[:, begin:end] = ids
        self.filled = end
        stream = self.characters[ids]
        if self.positions is not None:
            stream = stream + self.positions[begin:end]
        return begin, stream


class _Norm:
    """LayerNorm over the last axis if there is a bias, else RMSNorm."""

    def __init__(self, weights: Weights, name: str) -> None:
        self.weight, self.bias = weights[f"{name}.weight"], weights.get(f"{name}.bias")

    def __call__(self, values: Floats) -> Floats:
        if self.bias is not None:
            values = values - values.mean(-1, keepdims=True)
        normed: Floats = values * (self.weight * inverse_root_mean_square(values))
        return normed if self.bias is None else normed + self.bias


class _Block:
    """One block's weights, and its cache of keys and values (B, N, C, D)."""

    def __init__(
        self,
        config: TransformerConfig,
        weights: Weights,
        layer: int,
        rows: int,
        tables: tuple[Floats, Floats] | None,
    ) -> None:
        prefix = f"blocks.{layer}."
        own = {
            name.removeprefix(prefix): values
            for name, values in weights.items()
            if name.startswith(prefix)
        }
        self.own, self.gated = own, config.kind.gated
        self.heads, self.head_size = config.num_heads, config.head_size
        self.attention_norm = _Norm(own, "attention_norm")
        self.feed_forward_norm = _Norm(own, "feed_forward_norm")
        up = [own["feed_forward.up.weight"]]
        if self.gated:  # both products in one
            up.insert(0, own["feed_forward.gate.weight"])
        self.up = np.concatenate(up)
        self.scale = np.float32(config.head_size**-0.5)
        self.rotation = None if tables is None else _Rotation(own, tables)
        shape = rows, config.num_heads, config.context, config.head_size
        self.keys, self.values = np.zeros(shape, np.float32), np.zeros(shape, np.float32)

    def read(self, stream: Floats, begin: int) -> tuple[Floats, Floats]:
        """The residual stream (B, T, H) after this block, and its attention weights
        (B, N, T, begin + T); `begin` is the stream's first position in the context."""
        attended, weights = self._attend(self.attention_norm(stream), begin)
        stream = stream + attended
        return stream + self._feed_forward(self.feed_forward_norm(stream)), weights

    def _attend(self, inputs: Floats, begin: int) -> tuple[Floats, Floats]:
        rows, steps, size = inputs.shape
        end = begin + steps
        qkv = linear(inputs, self.own["attention.qkv.weight"], self.own.get("attention.qkv.bias"))
        qkv = qkv.reshape(rows, steps, 3, self.heads, self.head_size).transpose(2, 0, 3, 1, 4)
        queries, keys = qkv[0], qkv[1]  # (B, N, T, D)
        if self.rotation is not None:
            queries, keys = self.rotation(qkv[:2], begin, end)
        self.keys[:, :, begin:end], self.values[:, :, begin:end] = keys, qkv[2]
        scores: Floats = (queries * self.scale) @ self.keys[:, :, :end].swapaxes(-1, -2)
        if steps > 1:
            scores[..., np.arange(end) > np.arange(begin, end)[:, None]] = -np.inf
        scores -= np.maximum.reduce(scores, axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= np.add.reduce(scores, axis=-1, keepdims=True)
        taken = scores @ self.values[:, :, :end]
        joined = taken.swapaxes(1, 2).reshape(rows, steps, size)
        weight, bias = self.own["attention.output.weight"], self.own.get("attention.output.bias")
        return linear(joined, weight, bias), scores

    def _feed_forward(self, inputs: Floats) -> Floats:
        inner = linear(inputs, self.up, self.own.get("feed_forward.up.bias"))
        if self.gated:
            wide = len(self.up) // 2
            gate, inner = inner[..., :wide], inner[..., wide:]
            inner = inner * (gate / (1 + np.exp(-gate)))  # SiLU
        else:  # GELU in its tanh form (Hendrycks and Gimpel 2016)
            cubic = inner * inner * inner
            inner *= 0.5 * (1 + np.tanh(0.7978845608 * (inner + 0.044715 * cubic)))
        weight, bias = self.own["feed_forward.down.weight"], self.own.get("feed_forward.down.bias")
        return linear(inner, weight, bias)


class _Rotation:
    """Normalises queries and keys by head, and rotates each pair of units (i, i + D/2) by the angle
    of its position. The norms' weights are multiplied into the tables of sines and cosines."""

    def __init__(self, weights: Weights, tables: tuple[Floats, Floats]) -> None:
        cosine, sine = tables  # (C, D)
        half = cosine.shape[1] // 2
        norms = [weights[f"attention.{name}_norm.weight"] for name in ("query", "key")]
        self.cosine: Floats = np.stack([cosine * norm for norm in norms])  # (2, C, D)
        signed: Floats = sine * np.r_[-np.ones(half), np.ones(half)].astype(np.float32)
        self.sine: Floats = np.stack([signed * np.roll(norm, half) for norm in norms])
        self.swapped = np.r_[half : 2 * half, :half]

    def __call__(self, heads: Floats, begin: int, end: int) -> Floats:
        """Rotated queries and keys (2, B, N, T, D) of the positions `begin` to `end`."""
        heads = heads * inverse_root_mean_square(heads)
        cosine, sine = (table[:, None, None, begin:end] for table in (self.cosine, self.sine))
        turned: Floats = heads * cosine + heads.take(self.swapped, axis=-1) * sine
        return turned


def rotation_tables(config: TransformerConfig) -> tuple[Floats, Floats]:
    """Cosine and sine (C, D) of the angles by which each position rotates a head's units."""
    half = np.arange(0, config.head_size, 2) / config.head_size
    angles = np.outer(np.arange(config.context), ROPE_BASE**-half)
    angles = np.concatenate([angles, angles], axis=1)
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


def linear(inputs: Floats, weight: Floats, bias: Floats | None = None) -> Floats:
    """The product (…, K) of inputs (…, H) with a weight (K, H), plus the bias (K,)."""
    rows = inputs.reshape(-1, inputs.shape[-1])
    # a matrix of one row is slower than a vector
    outputs: Floats = weight.dot(rows[0]) if len(rows) == 1 else rows.dot(weight.T)
    if bias is not None:
        outputs += bias
    return outputs.reshape(*inputs.shape[:-1], len(weight))


def inverse_root_mean_square(values: Floats) -> Floats:
    """1 / sqrt(mean(x²) + epsilon) over the last axis, (…, 1)."""
    squares = np.einsum("...i,...i->...", values, values)[..., None]
    inverse: Floats = 1 / np.sqrt(squares / np.float32(values.shape[-1]) + EPSILON)
    return inverse


def untrained_weights(config: TransformerConfig) -> dict[str, Array]:
    """Initial weights as in `model.TransformerModel`, made without PyTorch; always the same."""
    rng = np.random.default_rng(0)
    weights: dict[str, Array] = {}
    for name, shape in config.parameter_shapes().items():
        if len(shape) == 1:
            weights[name] = np.full(shape, 0.0 if name.endswith("bias") else 1.0, np.float32)
            continue
        adds = name.endswith(("output.weight", "down.weight"))
        deviation = INITIAL_STD / math.sqrt(2 * config.num_layers) if adds else INITIAL_STD
        weights[name] = rng.normal(0.0, deviation, shape).astype(np.float32)
    return weights
