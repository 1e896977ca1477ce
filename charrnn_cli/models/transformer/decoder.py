"""A transformer's decoder in NumPy, with a cache of keys and values."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from charrnn_cli.models.decoder import Array, Decoder, Floats, State
from charrnn_cli.models.transformer.block import Block, Linear, Workspace
from charrnn_cli.models.transformer.config import (
    INITIAL_STD,
    NORM_EPSILON,
    ROPE_BASE,
    TransformerConfig,
)

EPSILON = np.float32(NORM_EPSILON)
# At most so many characters of all streams together are read at once. It bounds memory.
MAX_CHARACTERS = 1024


class TransformerDecoder(Decoder):
    """Runs a trained transformer, with a cache of keys and values.

    When the context is full, the newer half of its characters is read again, side by side, as the
    beginning of a new window, as in `text.rows.windows`. Time and memory per character are thus
    bounded for a text of any length, and each character sees at least half a context.
    """

    def __init__(
        self, config: TransformerConfig, weights: Mapping[str, Array], streams: int | None = None
    ) -> None:
        self.config, self.single = config, streams is None
        self.vocabulary_size = config.vocabulary_size
        self.streams = streams or 1
        own = {name: np.asarray(values, np.float32) for name, values in weights.items()}
        self.characters = own["characters.weight"]  # (V, H)
        self.positions = own.get("positions.weight")  # (C, H)
        self.head = Linear(own, ("characters" if config.kind.tied else "head",), "norm")
        if config.kind.biases:  # centred, as `Block` expects where norms are LayerNorm
            self.characters = self.characters - self.characters.mean(1, keepdims=True)
        if self.positions is not None:
            self.positions = self.positions - self.positions.mean(1, keepdims=True)
        tables = None if config.kind.learned_positions else rotation_tables(config)
        layers = range(config.num_layers)
        self.blocks = [Block(config, own, layer, self.streams, tables) for layer in layers]
        self.ids = np.zeros((self.streams, config.context), np.int64)
        self.filled = 0  # number of characters in the context
        self.most_at_once = max(1, MAX_CHARACTERS // self.streams)  # of each stream
        self.space = Workspace(config, self.streams, 1)
        self.wide: Workspace | None = None  # the last one for more than one step
        self.last_logits = self._room_for_logits(self.space)

    def step(self, ids: Any) -> Floats:
        """See `Decoder`."""
        self.read(ids)
        return self._last()

    def read(self, ids: Any) -> None:
        """See `Decoder`."""
        self._make_room()
        self._embed(ids, self.space)
        for block in self.blocks:
            block.read(self.space)

    def logits(self, ids: Any) -> Floats:
        """See `Decoder`; the characters that fit the context are read side by side."""
        logits = np.empty((len(ids), self.streams, self.vocabulary_size), np.float32)
        done = 0
        for part in self._parts(ids):
            space = self._read_part(part)
            outputs = self.head(space.normalise(), self._room_for_logits(space))
            end = done + part.shape[1]
            logits[done:end] = outputs.reshape(*part.shape, -1).swapaxes(0, 1)
            done = end
        return logits[:, 0] if self.single else logits

    def prefill(self, ids: Any) -> Floats:
        """See `Decoder`; of a long prompt only the last window is read, as the earlier ones leave
        nothing behind."""
        context = self.config.context
        if not self.filled and len(ids) > context:
            span = context - context // 2
            ids = ids[-(-(len(ids) - context) // span) * span :]
        for part in self._parts(ids):
            space = self._read_part(part)
        stream = space.stream.reshape(*part.shape, -1)
        self.space.stream[...] = stream[:, -1].reshape(self.space.stream.shape)
        return self._last()

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
        space = self._begin(np.reshape(ids, (1, -1)))
        for block in self.blocks:
            block.read(space)
            yield space.attention()[0]

    def _last(self) -> Floats:
        """Logits (V,) or (B, V) after the last character."""
        logits = self.head(self.space.normalise(), self.last_logits)
        return logits if self.single else logits.reshape(self.streams, -1)

    def _room_for_logits(self, space: Workspace) -> Floats:
        return np.empty((*space.stream.shape[:-1], self.vocabulary_size), np.float32)

    def _parts(self, ids: Any) -> Iterator[Array]:
        """Ids (T,) or (T, B) in parts (B, t), for each of which there is room in the context."""
        rows = np.asarray(ids).reshape(len(ids), -1).T
        while rows.shape[1]:
            self._make_room()
            most = min(self.most_at_once, self.config.context - self.filled)
            yield rows[:, :most]
            rows = rows[:, most:]

    def _make_room(self) -> None:
        """If the context is full, begin a new window with its newer half."""
        context = self.config.context
        if self.filled < context:
            return
        self.filled = 0
        kept = self.ids[:, context - context // 2 :].copy()
        for first in range(0, kept.shape[1], self.most_at_once):
            space = self._begin(kept[:, first : first + self.most_at_once])
            for block in self.blocks[:-1]:
                block.read(space)
            self.blocks[-1].store(space)  # nothing reads its outputs

    def _read_part(self, ids: Array) -> Workspace:
        """Read ids (B, T) that fit into the rest of the context; the stream is then complete."""
        space = self._begin(ids)
        for block in self.blocks:
            block.read(space)
        return space

    def _begin(self, ids: Array) -> Workspace:
        """A workspace with ids (B, T), before the first block."""
        if ids.shape[1] == 1:
            self._embed(ids[:, 0], self.space)
            return self.space
        if self.wide is None or self.wide.steps != ids.shape[1]:
            self.wide = Workspace(self.config, *ids.shape)
        self._embed(ids, self.wide)
        return self.wide

    def _embed(self, ids: Array, space: Workspace) -> None:
        """Add ids (B, T) to the context, or one for each stream, and begin the residual stream with
        their embeddings."""
        space.move(self.filled)
        self.ids[:, space.place] = ids
        self.filled = space.end
        stream = self.characters[ids]  # (B, T, H)
        if self.positions is not None:
            stream = stream + self.positions[space.place]
        space.stream[...] = stream.reshape(space.stream.shape)


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
