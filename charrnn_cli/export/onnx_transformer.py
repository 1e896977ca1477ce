"""The graph of a GPT-2 or a Llama."""

from collections.abc import Mapping

import numpy as np

from charrnn_cli.checkpoints.checkpoint import Array
from charrnn_cli.export.onnx_graph import MAX_INT64, Graph
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
    # 0 where a character may attend to another, else minus infinity, (T, P + T)
    zero, step = np.int64(0), np.int64(1)
    places = graph.node("Range", zero, graph.node("Squeeze", total, np.array([0])), step)
    rows = graph.node("Unsqueeze", graph.slice(places, past, total, 0), one)
    later = graph.node("Greater", places, rows)
    mask = graph.node("Where", later, np.float32(-np.inf), np.float32(0))
    for layer, cache in enumerate(caches):
        block = _Block(graph, model, weights, f"blocks.{layer}.")
        attended, after = block.attend(stream, cache, mask, tables)
        stream = graph.node("Add", stream, attended)
        stream = graph.node("Add", stream, block.feed_forward(stream))
        for name, value in zip(("keys", "values"), after, strict=True):
            graph.output(value, f"new_{name}.{layer}", new_axes)
    head = "characters" if model.kind.tied else "head"
    stream = norm(graph, weights, "norm", stream)
    logits = graph.linear(stream, weights[f"{head}.weight"], "logits")
    graph.output(logits, "logits", ("batch", "time", model.vocabulary_size))


class _Block:
    """The nodes of one block, named by `prefix` as its parameters are."""

    def __init__(
        self, graph: Graph, model: TransformerConfig, weights: Weights, prefix: str
    ) -> None:
        self.graph, self.model, self.weights, self.prefix = graph, model, weights, prefix

    def attend(
        self, stream: str, cache: list[str], mask: str, tables: list[str]
    ) -> tuple[str, list[str]]:
        """What attention adds to the stream (B, T, H), and the new keys and values."""
        graph, model = self.graph, self.model
        projected = self._linear(self._norm(stream, "attention_norm"), "attention.qkv")
        shape = np.array([0, 0, 3, model.num_heads, model.head_size])  # 0: as in the input
        by_head = graph.node("Reshape", projected, shape)
        by_head = graph.node("Transpose", by_head, perm=[2, 0, 3, 1, 4])  # (3, B, N, T, D)
        queries, keys, values = (graph.node("Gather", by_head, np.int64(i)) for i in range(3))
        if tables:
            queries = rotate(graph, self._norm(queries, "attention.query_norm"), tables, model)
            keys = rotate(graph, self._norm(keys, "attention.key_norm"), tables, model)
        keys = graph.node("Concat", cache[0], keys, axis=2)
        values = graph.node("Concat", cache[1], values, axis=2)
        found = attention(graph, queries, keys, values, mask, model.head_size)
        return self._linear(found, "attention.output"), [keys, values]

    def feed_forward(self, stream: str) -> str:
        """What the feed-forward layer adds to the stream."""
        graph = self.graph
        inputs = self._norm(stream, "feed_forward_norm")
        inner = self._linear(inputs, "feed_forward.up")
        if self.model.kind.gated:
            gate = self._linear(inputs, "feed_forward.gate")
            gate = graph.node("Mul", gate, graph.node("Sigmoid", gate))  # SiLU
            inner = graph.node("Mul", inner, gate)
        else:
            inner = gelu(graph, inner)
        return self._linear(inner, "feed_forward.down")

    def _linear(self, value: str, name: str) -> str:
        path = self.prefix + name
        weight, bias = self.weights[f"{path}.weight"], self.weights.get(f"{path}.bias")
        return self.graph.linear(value, weight, path, bias)

    def _norm(self, value: str, name: str) -> str:
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


def rotate(graph: Graph, heads: str, tables: list[str], model: TransformerConfig) -> str:
    """Heads (B, N, T, D) with each pair of units (i, i + D/2) rotated by its position's angle."""
    half = np.array([model.head_size // 2])
    first = graph.slice(heads, np.array([0]), half, 3)
    second = graph.node("Neg", graph.slice(heads, half, np.array([MAX_INT64]), 3))
    swapped = graph.node("Concat", second, first, axis=3)
    cosine, sine = tables
    turned = graph.node("Mul", heads, cosine), graph.node("Mul", swapped, sine)
    return str(graph.node("Add", *turned))


def attention(
    graph: Graph, queries: str, keys: str, values: str, mask: str | None, head_size: int
) -> str:
    """What the heads found, joined (B, T, H); `mask` is added to their scores (B, N, T, S)."""
    queries = graph.node("Mul", queries, np.float32(head_size**-0.5))
    scores = graph.node("MatMul", queries, graph.node("Transpose", keys, perm=[0, 1, 3, 2]))
    if mask is not None:
        scores = graph.node("Add", scores, mask)
    found = graph.node("MatMul", graph.node("Softmax", scores, axis=-1), values)
    joined = graph.node("Transpose", found, perm=[0, 2, 1, 3])
    return str(graph.node("Reshape", joined, np.array([0, 0, -1])))


def gelu(graph: Graph, value: str) -> str:
    """GELU in its tanh form (Hendrycks and Gimpel 2016)."""
    cubic = graph.node("Mul", graph.node("Mul", value, value), value)
    inner = graph.node("Add", value, graph.node("Mul", cubic, np.float32(0.044715)))
    bent = graph.node("Tanh", graph.node("Mul", inner, np.float32(0.7978845608)))
    half = graph.node("Mul", value, np.float32(0.5))
    return str(graph.node("Mul", half, graph.node("Add", bent, np.float32(1))))
