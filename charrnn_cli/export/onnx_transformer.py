"""The graph of a GPT-2 or a Llama."""

from collections.abc import Mapping, Sequence

import numpy as np

from charrnn_cli.checkpoints.checkpoint import Array
from charrnn_cli.export.onnx_graph import Graph
from charrnn_cli.models.transformer.config import NORM_EPSILON, TransformerConfig
from charrnn_cli.models.transformer.decoder import rotation_tables

Weights = Mapping[str, Array]


def add_transformer(graph: Graph, model: TransformerConfig, weights: Weights) -> None:
    """Add the model: `ids` (B, T) and the cache `keys.0`, `values.0` … (B, N, P, D) of P characters
    before in; `logits` (B, T, V) and `new_keys.0`, `new_values.0` … (B, N, P + T, D) out.

    P + T must not exceed the context.
    """
    ids = graph.input("ids", ("batch", "time"), np.int64)
    axes = ("batch", model.num_heads, "past", model.head_size)
    new_axes = ("batch", model.num_heads, "past + time", model.head_size)
    caches = [
        [graph.input(f"{name}.{layer}", axes) for name in ("keys", "values")]
        for layer in range(model.num_layers)
    ]
    one = np.array([1])
    past = graph.node("Reshape", graph.size(caches[0][0], 2), one)
    total = graph.node("Add", past, graph.node("Reshape", graph.size(ids, 1), one))
    stream = graph.node(
        "Gather", graph.constant(weights["characters.weight"], "characters.weight"), ids
    )
    tables: list[str] = []
    if model.kind.learned_positions:
        positions = graph.constant(weights["positions.weight"], "positions.weight")
        stream = graph.node("Add", stream, graph.slice(positions, past, total, 0))
    else:
        names = ("cosine", "sine")
        tables = [
            graph.slice(graph.constant(table, name), past, total, 0)  # (T, D)
            for name, table in zip(names, rotation_tables(model), strict=True)
        ]
    mask = causal_mask(graph, past, total)
    for layer, cache in enumerate(caches):
        block = Block(graph, weights, f"blocks.{layer}.", model.num_heads, model.head_size)
        attended, after = block.attend(stream, cache, mask, tables)
        stream = graph.node("Add", stream, attended)
        stream = graph.node("Add", stream, block.feed_forward(stream))
        for name, value in zip(("keys", "values"), after, strict=True):
            graph.output(value, f"new_{name}.{layer}", new_axes)
    head = "characters" if model.kind.tied else "head"
    stream = norm(graph, weights, "norm", stream)
    logits = graph.linear(stream, weights[f"{head}.weight"], "logits")
    graph.output(logits, "logits", ("batch", "time", model.vocabulary_size))


class Block:
    """The nodes of one block, named by `prefix` as its parameters are."""

    def __init__(
        self, graph: Graph, weights: Weights, prefix: str, num_heads: int, head_size: int
    ) -> None:
        self.graph, self.weights, self.prefix = graph, weights, prefix
        self.num_heads, self.head_size = num_heads, head_size

    def attend(
        self, stream: str, cache: Sequence[str], mask: str, tables: Sequence[str]
    ) -> tuple[str, list[str]]:
        """What attention adds to the stream (B, T, H), and all keys and values: those of the
        `cache`, if there is one, and the new ones."""
        graph = self.graph
        projected = self.linear(self.norm(stream, "attention_norm"), "attention.qkv")
        queries, keys, values = self.split(projected, 3)
        if tables:
            queries = rotate(graph, self.norm(queries, "attention.query_norm"), tables)
            keys = rotate(graph, self.norm(keys, "attention.key_norm"), tables)
        if cache:
            keys = graph.node("Concat", cache[0], keys, axis=2)
            values = graph.node("Concat", cache[1], values, axis=2)
        found, _ = attention(graph, queries, keys, values, mask, self.head_size)
        return self.linear(found, "attention.output"), [keys, values]

    def feed_forward(self, stream: str) -> str:
        """What the feed-forward layer adds to the stream."""
        graph = self.graph
        inputs = self.norm(stream, "feed_forward_norm")
        inner = self.linear(inputs, "feed_forward.up")
        if f"{self.prefix}feed_forward.gate.weight" in self.weights:
            gate = self.linear(inputs, "feed_forward.gate")
            gate = graph.node("Mul", gate, graph.node("Sigmoid", gate))  # SiLU
            inner = graph.node("Mul", inner, gate)
        else:
            inner = gelu(graph, inner)
        return self.linear(inner, "feed_forward.down")

    def split(self, projected: str, parts: int) -> list[str]:
        """Projections (B, T, parts * H) by head, (B, N, T, D) for each of the parts."""
        shape = np.array([0, 0, parts, self.num_heads, self.head_size])  # 0: as in the input
        by_head = self.graph.node("Reshape", projected, shape)
        by_head = self.graph.node("Transpose", by_head, perm=[2, 0, 3, 1, 4])
        return [self.graph.node("Gather", by_head, np.int64(part)) for part in range(parts)]

    def linear(self, value: str, name: str) -> str:
        """The product of a value with one of the block's matrices, plus its bias if it has one."""
        path = self.prefix + name
        weight, bias = self.weights[f"{path}.weight"], self.weights.get(f"{path}.bias")
        return self.graph.linear(value, weight, path, bias)

    def norm(self, value: str, name: str) -> str:
        """A value normalised by one of the block's norms."""
        return norm(self.graph, self.weights, self.prefix + name, value)


def norm(graph: Graph, weights: Weights, name: str, value: str) -> str:
    """LayerNorm over the last axis if there is a bias, else RMSNorm."""
    weight = graph.constant(weights[f"{name}.weight"], f"{name}.weight")
    if f"{name}.bias" in weights:
        bias = graph.constant(weights[f"{name}.bias"], f"{name}.bias")
        layer_norm = graph.node(
            "LayerNormalization", value, weight, bias, axis=-1, epsilon=NORM_EPSILON
        )
        return str(layer_norm)
    squares = graph.node("ReduceMean", graph.node("Mul", value, value), axes=[-1])
    root = graph.node("Sqrt", graph.node("Add", squares, np.float32(NORM_EPSILON)))
    return str(graph.node("Mul", graph.node("Div", value, root), weight))


def rotate(graph: Graph, heads: str, tables: Sequence[str]) -> str:
    """Heads (B, N, T, D) with each pair of units (i, i + D/2) rotated by its position's angle.

    `tables` are the cosine and the sine (T, D) of the angles.
    """
    first, second = graph.node("Split", heads, outputs=2, axis=3)
    swapped = graph.node("Concat", graph.node("Neg", second), first, axis=3)
    cosine, sine = tables
    turned = graph.node("Mul", heads, cosine), graph.node("Mul", swapped, sine)
    return str(graph.node("Add", *turned))


def causal_mask(graph: Graph, past: str, total: str) -> str:
    """0 where a character may attend to another, else minus infinity, (T, P + T).

    `past` is P and `total` P + T, int64 (1,) each.
    """
    zero, step = np.int64(0), np.int64(1)
    places = graph.node("Range", zero, graph.node("Squeeze", total, np.array([0])), step)
    rows = graph.node("Unsqueeze", graph.slice(places, past, total, 0), np.array([1]))
    later = graph.node("Greater", places, rows)
    return str(graph.node("Where", later, np.float32(-np.inf), np.float32(0)))


def attention(
    graph: Graph, queries: str, keys: str, values: str, mask: str, head_size: int
) -> tuple[str, str]:
    """What the heads found, joined (B, T, H), and their weights (B, N, T, S); `mask` is added to
    their scores."""
    queries = graph.node("Mul", queries, np.float32(head_size**-0.5))
    scores = graph.node("MatMul", queries, graph.node("Transpose", keys, perm=[0, 1, 3, 2]))
    weights = graph.node("Softmax", graph.node("Add", scores, mask), axis=-1)
    found = graph.node("MatMul", weights, values)
    joined = graph.node("Transpose", found, perm=[0, 2, 1, 3])
    return str(graph.node("Reshape", joined, np.array([0, 0, -1]))), weights


def gelu(graph: Graph, value: str) -> str:
    """GELU in its tanh form (Hendrycks and Gimpel 2016)."""
    cubic = graph.node("Mul", graph.node("Mul", value, value), value)
    inner = graph.node("Add", value, graph.node("Mul", cubic, np.float32(0.044715)))
    bent = graph.node("Tanh", graph.node("Mul", inner, np.float32(0.7978845608)))
    half = graph.node("Mul", value, np.float32(0.5))
    return str(graph.node("Mul", half, graph.node("Add", bent, np.float32(1))))
