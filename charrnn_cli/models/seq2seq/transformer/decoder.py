"""A transformer encoder-decoder in NumPy, with a cache of the target's keys and values."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from charrnn_cli.models.decoder import Array, Floats
from charrnn_cli.models.seq2seq.decoder import PairDecoder
from charrnn_cli.models.seq2seq.transformer.config import Seq2SeqTransformerConfig
from charrnn_cli.models.seq2seq.transformer.positions import rotation_tables, sinusoids
from charrnn_cli.models.transformer.decoder import inverse_root_mean_square, linear

FIRST_CAPACITY = 16  # The cache has room for so many symbols at first; it doubles when it is full.


class Seq2SeqTransformerDecoder(PairDecoder):
    """Runs a trained transformer encoder-decoder.

    `attention` is the mean over all heads of all blocks.
    """

    def __init__(self, config: Seq2SeqTransformerConfig, weights: Mapping[str, Array]) -> None:
        super().__init__(config)
        self.heads, self.head_size = config.num_heads, config.head_size
        self.scale = np.float32(config.head_size**-0.5)
        self.adds_positions = config.adds_positions
        self.own = {name: np.asarray(values, np.float32) for name, values in weights.items()}
        self.encoder = [f"encoder.{index}." for index in range(config.num_layers)]
        self.decoder = [f"decoder.{index}." for index in range(config.num_layers)]
        self.filled = 0  # symbols read of each target

    def _encode(self, ids: Array, real: Array, beams: int) -> None:
        """See `PairDecoder`."""
        rows = ids.shape[1]
        mask = np.where(real, 0, -np.inf).astype(np.float32).T[:, None, None]  # (B, 1, 1, S)
        stream = self.own["source.weight"][ids.T]  # (B, S, H)
        if self.adds_positions:
            stream = stream + sinusoids(stream.shape[1], stream.shape[2])
        tables = rotation_tables(stream.shape[1], self.head_size)
        for block in self.encoder:
            queries, keys, values = self._project(block, stream, tables)
            found = self._attend(queries, keys, values, mask)[0]
            stream = stream + self._joined(f"{block}attention", found)
            stream = stream + self._feed_forward(block, stream)
        stream = self._normed("encoder_norm", stream)
        self.memory = {"mask": mask}
        self.state, self.filled = {}, 0
        shape = rows, beams, self.heads, FIRST_CAPACITY, self.head_size
        for block in self.decoder:
            name = f"{block}cross_attention"
            keys, values = self._split(linear(stream, self.own[f"{name}.key_value.weight"]), 2)
            self.memory[f"{block}keys"] = self._normed(f"{name}.key_norm", keys)
            self.memory[f"{block}values"] = values  # (B, N, S, D)
            self.state[f"{block}keys"] = np.zeros(shape, np.float32)
            self.state[f"{block}values"] = np.zeros(shape, np.float32)

    def step(self, ids: Any) -> Floats:
        """See `PairDecoder`."""
        rows, beams = np.shape(ids)
        stream = self.own["target.weight"][np.reshape(ids, (rows * beams, 1))]  # (B * K, 1, H)
        self._make_room()
        at = self.filled
        if self.adds_positions:
            stream = stream + sinusoids(at + 1, stream.shape[2])[at]
        tables = tuple(table[at:] for table in rotation_tables(at + 1, self.head_size))
        weights: list[Floats] = []  # (B, K, S) of each block
        for block in self.decoder:
            queries, *new = self._project(block, stream, tables)
            for name, values in zip(("keys", "values"), new, strict=True):
                cache = self.state[block + name]
                cache[..., at, :] = values.reshape(*cache.shape[:3], -1)
            keys, values = (
                self.state[block + name].reshape(rows * beams, *self.state[block + name].shape[2:])
                for name in ("keys", "values")
            )
            found = self._attend(queries, keys[:, :, : at + 1], values[:, :, : at + 1])[0]
            stream = stream + self._joined(f"{block}attention", found)
            found, seen = self._cross(block, stream.reshape(rows, beams, -1))
            stream = stream + self._joined(f"{block}cross_attention", found).reshape(stream.shape)
            stream = stream + self._feed_forward(block, stream)
            weights.append(np.add.reduce(seen, axis=1) / np.float32(self.heads))
        self.filled = at + 1
        self.attention = np.add.reduce(weights) / np.float32(len(weights))
        logits = linear(self._normed("decoder_norm", stream), self.own["head.weight"])
        return logits.reshape(rows, beams, -1)

    def _make_room(self) -> None:
        """Double the cache if it is full."""
        for name, cache in self.state.items():
            if cache.shape[3] == self.filled:
                self.state[name] = np.concatenate([cache, np.zeros_like(cache)], axis=3)

    def _project(self, block: str, stream: Floats, tables: tuple[Floats, ...]) -> list[Floats]:
        """Rotated queries and keys, and values, (B, N, T, D) each, of self-attention."""
        name = f"{block}attention"
        inputs = self._normed(f"{name}_norm", stream)
        queries, keys, values = self._split(linear(inputs, self.own[f"{name}.qkv.weight"]), 3)
        queries = _rotate(self._normed(f"{name}.query_norm", queries), *tables)
        keys = _rotate(self._normed(f"{name}.key_norm", keys), *tables)
        return [queries, keys, values]

    def _cross(self, block: str, stream: Floats) -> tuple[Floats, Floats]:
        """What heads found in the source (B, N, K, D) and their weights (B, N, K, S), for the
        streams (B, K, H) of the targets."""
        name = f"{block}cross_attention"
        inputs = self._normed(f"{name}_norm", stream)
        (queries,) = self._split(linear(inputs, self.own[f"{name}.query.weight"]), 1)
        queries = self._normed(f"{name}.query_norm", queries)
        keys, values = self.memory[f"{block}keys"], self.memory[f"{block}values"]
        return self._attend(queries, keys, values, self.memory["mask"])

    def _attend(
        self, queries: Floats, keys: Floats, values: Floats, mask: Floats | None = None
    ) -> tuple[Floats, Floats]:
        """What heads found, (B, N, T, D), and their weights (B, N, T, S)."""
        scores: Array = (queries * self.scale) @ keys.swapaxes(-1, -2)
        if mask is not None:
            scores += mask
        scores -= np.maximum.reduce(scores, axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= np.add.reduce(scores, axis=-1, keepdims=True)
        return scores @ values, scores

    def _joined(self, name: str, found: Floats) -> Floats:
        """The output (B, T, H) of attention, from what its heads found, (B, N, T, D)."""
        rows, _, steps, _ = found.shape
        joined = found.swapaxes(1, 2).reshape(rows, steps, -1)
        return linear(joined, self.own[f"{name}.output.weight"])

    def _feed_forward(self, block: str, stream: Floats) -> Floats:
        inputs = self._normed(f"{block}feed_forward_norm", stream)
        inner = linear(inputs, self.own[f"{block}feed_forward.up.weight"])
        # GELU in its tanh form (Hendrycks and Gimpel 2016)
        cubic = inner * inner * inner
        inner *= 0.5 * (1 + np.tanh(0.7978845608 * (inner + 0.044715 * cubic)))
        return linear(inner, self.own[f"{block}feed_forward.down.weight"])

    def _split(self, values: Floats, parts: int) -> Floats:
        """Projections (B, T, parts * H) by head, (parts, B, N, T, D)."""
        shape = (*values.shape[:2], parts, self.heads, self.head_size)
        return values.reshape(shape).transpose(2, 0, 3, 1, 4)

    def _normed(self, name: str, stream: Floats) -> Floats:
        """RMSNorm over the hidden units."""
        normed: Floats = stream * (self.own[f"{name}.weight"] * inverse_root_mean_square(stream))
        return normed


def _rotate(heads: Floats, cosine: Floats, sine: Floats) -> Floats:
    """Heads (B, N, T, D) with each pair of units (i, i + D/2) rotated by its position's angle."""
    first, second = np.split(heads, 2, axis=-1)
    turned: Array = heads * cosine
    turned += np.concatenate([-second, first], axis=-1) * sine
    return turned
