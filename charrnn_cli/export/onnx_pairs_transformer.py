"""The two graphs of a transformer encoder-decoder."""

import math

import numpy as np

from charrnn_cli.export.onnx_graph import Graph
from charrnn_cli.export.onnx_padding import add_sources
from charrnn_cli.export.onnx_transformer import Block, Weights, attention, causal_mask, norm
from charrnn_cli.models.seq2seq.transformer.config import Seq2SeqTransformerConfig
from charrnn_cli.models.transformer.config import ROPE_BASE

ONE = np.array([1])


def add_encoder(graph: Graph, model: Seq2SeqTransformerConfig, weights: Weights) -> None:
    """Add the encoder: `source` (B, S) in; out what the decoder looks at, `memory.keys.0`,
    `memory.values.0` … (B, N, S, D) and `memory.mask` (B, S), and its empty cache `new_keys.0`,
    `new_values.0` … (B, N, 0, D)."""
    ids, mask, _ = add_sources(graph, model.source_end)
    seen = graph.node("Unsqueeze", mask, np.array([1, 2]))  # (B, 1, 1, S)
    length = graph.node("Reshape", graph.size(ids, 1), ONE)
    places = np.array([0]), length
    stream = _embedded(graph, model, weights, "source", ids, places)
    tables = rotation(graph, model.head_size, *places)
    for layer in range(model.num_layers):
        block = Block(graph, weights, f"encoder.{layer}.", model.num_heads, model.head_size)
        attended, _ = block.attend(stream, (), seen, tables)
        stream = graph.node("Add", stream, attended)
        stream = graph.node("Add", stream, block.feed_forward(stream))
    stream = norm(graph, weights, "encoder_norm", stream)
    batch = graph.node("Reshape", graph.size(ids, 0), ONE)
    rest = np.array([model.num_heads, 0, model.head_size])
    empty = graph.node("ConstantOfShape", graph.node("Concat", batch, rest, axis=0))
    for layer in range(model.num_layers):
        block = Block(graph, weights, f"decoder.{layer}.", model.num_heads, model.head_size)
        projected = block.linear(stream, "cross_attention.key_value")
        keys, values = block.split(projected, 2)
        keys = block.norm(keys, "cross_attention.key_norm")
        for name, value in (("keys", keys), ("values", values)):
            graph.output(value, f"memory.{name}.{layer}", _axes(model, "source_time"))
            graph.output(empty, f"new_{name}.{layer}", _axes(model, 0))
    graph.output(mask, "memory.mask", ("batch", "source_time"))


def add_decoder(graph: Graph, model: Seq2SeqTransformerConfig, weights: Weights) -> None:
    """Add the decoder: `ids` (B, T), the encoder's memory, and the cache `keys.0`, `values.0` …
    (B, N, P, D) of P symbols before in; out `logits` (B, T, V), `new_keys.0`, `new_values.0` …
    (B, N, P + T, D), and the mean weights of all heads to the source, `attention` (B, T, S)."""
    ids = graph.input("ids", ("batch", "time"), np.int64)
    layers, names = range(model.num_layers), ("keys", "values")
    mask = graph.input("memory.mask", ("batch", "source_time"))
    memory = [
        [graph.input(f"memory.{name}.{layer}", _axes(model, "source_time")) for name in names]
        for layer in layers
    ]
    caches = [
        [graph.input(f"{name}.{layer}", _axes(model, "past")) for name in names] for layer in layers
    ]
    past = graph.node("Reshape", graph.size(caches[0][0], 2), ONE)
    total = graph.node("Add", past, graph.node("Reshape", graph.size(ids, 1), ONE))
    tables = rotation(graph, model.head_size, past, total)
    causal = causal_mask(graph, past, total)
    seen = graph.node("Unsqueeze", mask, np.array([1, 2]))  # (B, 1, 1, S)
    stream = _embedded(graph, model, weights, "target", ids, (past, total))
    looked_at = []
    for layer, (own, (keys, values)) in enumerate(zip(caches, memory, strict=True)):
        block = Block(graph, weights, f"decoder.{layer}.", model.num_heads, model.head_size)
        attended, after = block.attend(stream, own, causal, tables)
        stream = graph.node("Add", stream, attended)
        inputs = block.norm(stream, "cross_attention_norm")
        (queries,) = block.split(block.linear(inputs, "cross_attention.query"), 1)
        queries = block.norm(queries, "cross_attention.query_norm")
        found, by_head = attention(graph, queries, keys, values, seen, model.head_size)
        stream = graph.node("Add", stream, block.linear(found, "cross_attention.output"))
        stream = graph.node("Add", stream, block.feed_forward(stream))
        looked_at.append(graph.node("ReduceMean", by_head, axes=[1], keepdims=0))
        for name, value in zip(names, after, strict=True):
            graph.output(value, f"new_{name}.{layer}", _axes(model, "past + time"))
    graph.output(graph.node("Mean", *looked_at), "attention", ("batch", "time", "source_time"))
    stream = norm(graph, weights, "decoder_norm", stream)
    logits = graph.linear(stream, weights["head.weight"], "head")
    graph.output(logits, "logits", ("batch", "time", model.vocabulary_size))


def rotation(
    graph: Graph, size: int, begin: str | np.ndarray, end: str, name: str = "frequencies"
) -> list[str]:
    """Cosine and sine (T, D) of the angles of the positions from `begin` to `end`, int64 (1,) each,
    for `size` units D; `name` is that of the constant with their frequencies.

    There is no longest position. Angles are computed in double precision and reduced to one turn.
    """
    types, zero = graph.onnx.TensorProto, np.array([0])
    half = ROPE_BASE ** -(np.arange(0, size, 2) / size)
    frequencies = graph.constant(np.concatenate([half, half]), name, np.float64)
    first = graph.node("Squeeze", begin, zero)
    positions = graph.node("Range", first, graph.node("Squeeze", end, zero), np.int64(1))
    positions = graph.node("Cast", graph.node("Unsqueeze", positions, ONE), to=types.DOUBLE)
    turn = graph.constant([2 * math.pi], "turn", np.float64)
    angles = graph.node("Mod", graph.node("Mul", positions, frequencies), turn, fmod=1)
    angles = graph.node("Cast", angles, to=types.FLOAT)
    return [graph.node("Cos", angles), graph.node("Sin", angles)]


def _embedded(
    graph: Graph,
    model: Seq2SeqTransformerConfig,
    weights: Weights,
    half: str,
    ids: str,
    places: tuple[str | np.ndarray, str],
) -> str:
    """The embeddings (B, T, H) of ids, with the sinusoids of their places, from the first to the
    second, if the model adds them."""
    table = graph.constant(weights[f"{half}.weight"], f"{half}.weight")
    stream = graph.node("Gather", table, ids)
    if model.adds_positions:
        cosine, sine = rotation(graph, model.hidden_size, *places, "sinusoids")
        first, _ = graph.node("Split", sine, outputs=2, axis=1)
        second, _ = graph.node("Split", cosine, outputs=2, axis=1)
        stream = graph.node("Add", stream, graph.node("Concat", first, second, axis=1))
    return str(stream)


def _axes(model: Seq2SeqTransformerConfig, length: str | int) -> tuple[str | int, ...]:
    return "batch", model.num_heads, length, model.head_size
