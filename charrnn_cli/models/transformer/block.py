"""A transformer's block in NumPy, and the arrays that it computes in.

At a hundred hidden units a call of NumPy costs as much as its arithmetic. So the weights are
rewritten once to save calls. A norm's weight and bias are multiplied into the matrix that reads it,
and so are scale factors. Where norms are LayerNorm, all that is added to the residual stream is
centred, which leaves an RMSNorm.
"""

import math
from collections.abc import Mapping

import numpy as np

from charrnn_cli.models.decoder import Floats
from charrnn_cli.models.transformer.config import NORM_EPSILON, TransformerConfig

Weights = Mapping[str, Floats]

# Scores that cannot exceed this need no maximum subtracted: exp(60) times any context is a float32.
MAX_SCORE = 60.0
GELU_SCALE, GELU_CUBIC = 0.7978845608, 0.044715  # Hendrycks and Gimpel 2016, tanh form


class Workspace:
    """The arrays that T characters of B streams pass through; the blocks share them.

    Arrays with a row for each character are (B*T, …), or vectors for a single one, whose products
    are faster.
    """

    def __init__(self, config: TransformerConfig, streams: int, steps: int) -> None:
        heads, size, wide = config.num_heads, config.head_size, config.feed_forward_size
        self.streams, self.steps, self.count = streams, steps, streams * steps
        self.stream, self.normed, self.added = (self._rows(config.hidden_size) for _ in range(3))
        self.scale = np.empty(() if self.count == 1 else (self.count, 1), np.float32)
        # attention; there is no axis for one stream, since NumPy takes longer for each axis
        lead = (streams,) if streams > 1 else ()
        self.qkv, self.joined = self._rows(3 * config.hidden_size), self._rows(config.hidden_size)
        qkv = self.qkv.reshape(*lead, steps, 3, heads, size)
        self.queries = qkv[..., 0, :, :].swapaxes(-3, -2)  # (B, N, T, D)
        self.new = np.moveaxis(qkv[..., 1:, :, :], (-3, -2), (0, -3))  # (2, B, N, T, D)
        self.taken = self.joined.reshape(*lead, steps, heads, size).swapaxes(-3, -2)
        self.sums = np.empty((*lead, heads, steps, 1), np.float32)
        self._flat_sums = self.sums.reshape(-1)
        self._scores = np.empty(self.sums.size * config.context, np.float32)
        self._ones = np.ones(config.context, np.float32)
        if not config.kind.learned_positions:  # rotation
            lead = *lead, *((steps,) if steps > 1 else ())
            self.turned = self.qkv.reshape(*lead, 3, heads, size)[..., :2, :, :]
            halves = self.qkv.reshape(*lead, 3, heads, 2, size // 2)
            self.swapped = halves[..., :2, :, ::-1, :]  # each unit of a pair at the other's place
            self.products = np.empty(self.swapped.shape, np.float32)
            self.flat_products = self.products.reshape(self.turned.shape)
            self.roots = np.empty((*lead, 2, heads, 1), np.float32)
            self.squares = self.turned[..., None, :], self.turned[..., None], self.roots[..., None]
        # feed-forward
        self.up = self._rows(wide * (2 if config.kind.gated else 1))
        self.inner = self._rows(wide)

    def _rows(self, width: int) -> Floats:
        return np.empty(width if self.count == 1 else (self.count, width), np.float32)

    def move(self, begin: int) -> None:
        """Take the places from `begin` on in the context."""
        self.end = end = begin + self.steps
        self.place = begin if self.steps == 1 else slice(begin, end)
        scores = self._scores[: self.sums.size * end]
        self._flat_scores = scores.reshape(-1, end)
        self.scores = scores.reshape(*self.sums.shape[:-1], end)  # (B, N, T, S)
        self.future: Floats | None = None  # (T, S), added to scores
        if self.steps > 1:
            self.future = np.zeros((self.steps, end), np.float32)
            self.future[np.arange(end) > np.arange(begin, end)[:, None]] = -np.inf

    def sum_scores(self) -> None:
        """Sum the exponentials of each character's scores, as a product, which is faster."""
        self._flat_scores.dot(self._ones[: self.end], self._flat_sums)

    def attention(self) -> Floats:
        """The attention weights (B, N, T, S) of the block that read last."""
        weights = np.divide(self.scores, self.sums)
        return weights.reshape(self.streams, *weights.shape[-3:])

    def normalise(self) -> Floats:
        """The stream divided by its root mean square."""
        stream, scale = self.stream, self.scale
        if stream.ndim == 1:
            scale[()] = 1 / math.sqrt(float(stream.dot(stream)) / len(stream) + NORM_EPSILON)
        else:
            np.einsum("ij,ij->i", stream, stream, out=scale[:, 0])
            scale *= 1 / stream.shape[1]
            scale += NORM_EPSILON
            np.sqrt(scale, out=scale)
            np.reciprocal(scale, out=scale)
        return np.multiply(stream, scale, out=self.normed)

    def add(self) -> None:
        """Add what a part of a block computed to the stream."""
        np.add(self.stream, self.added, out=self.stream)


class Linear:
    """A linear layer, as the product with its transposed weight, (inputs, outputs).

    What is multiplied into it: the norm of its inputs, named `norm`, or a number `input_scale`; and
    `scale` (outputs,), which multiplies its outputs. `centred` subtracts the outputs' mean.
    """

    def __init__(
        self,
        weights: Weights,
        names: tuple[str, ...],
        norm: str | None = None,
        input_scale: float = 1.0,
        scale: Floats | float = 1.0,
        centred: bool = False,
    ) -> None:
        weight: Floats = np.concatenate([weights[f"{name}.weight"] for name in names])
        biases = [weights[f"{name}.bias"] for name in names if f"{name}.bias" in weights]
        bias: Floats = np.concatenate(biases) if biases else np.zeros(len(weight), np.float32)
        if norm is not None:
            if f"{norm}.bias" in weights:
                bias = bias + weight @ weights[f"{norm}.bias"]
            weight = weight * weights[f"{norm}.weight"]
        weight = weight * np.float32(input_scale)
        if centred:
            weight, bias = weight - weight.mean(0), bias - bias.mean()
        scales = np.broadcast_to(np.asarray(scale, np.float32), bias.shape)
        self.weight = np.ascontiguousarray((weight * scales[:, None]).T)
        self.bias: Floats | None = bias * scales if bias.any() else None

    def __call__(self, inputs: Floats, outputs: Floats) -> Floats:
        """Compute the outputs for inputs (…, inputs)."""
        inputs.dot(self.weight, outputs)  # as a method: np.dot takes longer to call
        if self.bias is not None:
            np.add(outputs, self.bias, out=outputs)
        return outputs


class Block:
    """One block's weights, and its cache of keys and values."""

    def __init__(
        self,
        config: TransformerConfig,
        weights: Weights,
        layer: int,
        streams: int,
        tables: tuple[Floats, Floats] | None,
    ) -> None:
        prefix = f"blocks.{layer}."
        own = {
            name.removeprefix(prefix): values
            for name, values in weights.items()
            if name.startswith(prefix)
        }
        size, kind = config.hidden_size, config.kind
        self.gated, centred = kind.gated, kind.biases
        scale: Floats = np.ones(3 * size, np.float32)
        self.rotation = None if tables is None else Rotation(own, tables)
        if self.rotation is None:
            scale[:size] = config.head_size**-0.5
        self.bounded = self.rotation is not None and self.rotation.max_score <= MAX_SCORE
        self.qkv = Linear(own, ("attention.qkv",), "attention_norm", scale=scale)
        self.output = Linear(own, ("attention.output",), centred=centred)
        names: tuple[str, ...] = ("feed_forward.up",)
        factors: Floats | float = 1.0
        if kind.gated:
            names = ("feed_forward.gate", *names)
            factors = np.repeat(np.array([0.5, 1.0], np.float32), config.feed_forward_size)
        self.up = Linear(own, names, "feed_forward_norm", scale=factors)
        self.down = Linear(
            own, ("feed_forward.down",), input_scale=1.0 if kind.gated else 0.5, centred=centred
        )
        shape = config.num_heads, config.context, config.head_size
        lead = (streams,) if streams > 1 else ()
        self.cache = np.zeros((2, *lead, *shape), np.float32)  # keys, rotated, and values
        self.keys, self.values = self.cache[0].swapaxes(-1, -2), self.cache[1]

    def read(self, space: Workspace) -> None:
        """Add to the stream what this block computes from it."""
        self.store(space)
        end, scores, sums = space.end, space.scores, space.sums
        np.matmul(space.queries, self.keys[..., :end], out=scores)
        if space.future is not None:
            np.add(scores, space.future, out=scores)
        if not self.bounded:
            np.maximum.reduce(scores, axis=-1, keepdims=True, out=sums)
            np.subtract(scores, sums, out=scores)
        np.exp(scores, out=scores)
        space.sum_scores()
        np.matmul(scores, self.values[..., :end, :], out=space.taken)
        np.divide(space.taken, sums, out=space.taken)
        self.output(space.joined, space.added)
        space.add()
        self._feed_forward(space)
        space.add()

    def store(self, space: Workspace) -> None:
        """Compute queries, keys and values from the stream; keep keys and values."""
        self.qkv(space.normalise(), space.qkv)
        if self.rotation is not None:
            self.rotation.turn(space)
        self.cache[..., space.end - space.steps : space.end, :] = space.new

    def _feed_forward(self, space: Workspace) -> None:
        up, inner = self.up(space.normalise(), space.up), space.inner
        if self.gated:  # SiLU of x is x/2 (1 + tanh(x/2)); the gate's weights are halved
            wide = inner.shape[-1]
            gate, up = up[..., :wide], up[..., wide:]
            np.tanh(gate, out=inner)
            np.add(inner, ONE, out=inner)
            np.multiply(inner, gate, out=inner)
        else:  # twice the GELU of x, x (1 + tanh(scale (x + cubic x³))); `down` is halved
            np.multiply(up, up, out=inner)
            np.multiply(inner, GELU_FACTOR, out=inner)
            np.add(inner, GELU_SUMMAND, out=inner)
            np.multiply(inner, up, out=inner)
            np.tanh(inner, out=inner)
            np.add(inner, ONE, out=inner)
        np.multiply(inner, up, out=inner)
        self.down(inner, space.added)


class Rotation:
    """Normalises queries and keys by head, and rotates each pair of units (i, i + D/2) by the angle
    of its position. The norms' weights and scale factors are multiplied into the tables."""

    def __init__(self, weights: Weights, tables: tuple[Floats, Floats]) -> None:
        cosine, sine = tables  # (C, D)
        length, size = cosine.shape
        half = size // 2
        norms = [weights[f"attention.{name}_norm.weight"] for name in ("query", "key")]
        # RMSNorm has a factor of sqrt(D); for queries the scale of the scores cancels it.
        norms = [norms[0], norms[1] * np.float32(math.sqrt(size))]
        self.max_score = float(np.abs(norms[0]).max() * np.abs(norms[1]).max())
        signed = sine * np.r_[-np.ones(half), np.ones(half)].astype(np.float32)
        cosines = np.stack([cosine * norm for norm in norms], axis=1)  # (C, 2, D)
        sines = np.stack([signed * np.roll(norm, half) for norm in norms], axis=1)
        self.cosine: Floats = cosines.reshape(length, 2, 1, size)
        self.sine: Floats = sines.reshape(length, 2, 1, 2, half)
        self.epsilon = np.array(size * NORM_EPSILON, np.float32)

    def turn(self, space: Workspace) -> None:
        """Normalise and rotate the queries and keys of the workspace."""
        turned, roots, place = space.turned, space.roots, space.place
        np.matmul(*space.squares)
        np.add(roots, self.epsilon, out=roots)
        np.sqrt(roots, out=roots)
        np.multiply(space.swapped, self.sine[place], out=space.products)
        np.multiply(turned, self.cosine[place], out=turned)
        np.add(turned, space.flat_products, out=turned)
        np.divide(turned, roots, out=turned)


# Arrays, because NumPy takes longer to convert numbers.
ONE = np.array(1.0, np.float32)
GELU_FACTOR = np.array(GELU_SCALE * GELU_CUBIC, np.float32)
GELU_SUMMAND = np.array(GELU_SCALE, np.float32)
