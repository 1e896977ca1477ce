"""The two graphs of a GRU encoder-decoder."""

import numpy as np

from charrnn_cli.export.onnx_graph import Graph
from charrnn_cli.export.onnx_padding import add_sources
from charrnn_cli.export.onnx_recurrent import ATTRIBUTES, Weights, add_layer, one_hot, tensors_of
from charrnn_cli.models.seq2seq.recurrent.config import Seq2SeqConfig

CELL = "gru"


def add_encoder(graph: Graph, model: Seq2SeqConfig, weights: Weights) -> None:
    """Add the encoder: `source` (B, S) in; the decoder's first state `new_state.0` … (B, H) out.

    With attention also what the decoder looks at: `memory.keys` (B, H, S), `memory.values` and
    `memory.symbols` (B, S, H), and `memory.mask` (B, S).
    """
    ids, mask, lengths = add_sources(graph, model.source_end)
    value = one_hot(graph, ids, model.source_vocabulary_size)  # (S, B, V)
    for layer in range(model.num_layers):
        results = graph.node(
            CELL.upper(),
            value,
            *tensors_of(graph, CELL, weights, [f"{part}.{layer}" for part in model.directions]),
            lengths,  # the backward direction begins at a source's own END
            outputs=2,
            hidden_size=model.encoder_size,
            direction="bidirectional" if model.attends else "reverse",
            **ATTRIBUTES[CELL],
        )
        shape = np.array([0, 0, model.hidden_size])  # 0: as in the input
        by_row = graph.node("Transpose", results[0], perm=[0, 2, 1, 3])  # (S, B, directions, …)
        value = graph.node("Reshape", by_row, shape)
        last = graph.node("Transpose", results[1], perm=[1, 0, 2])
        state = graph.node("Reshape", last, shape[1:])
        graph.output(state, f"new_state.{layer}", ("batch", model.hidden_size))
    if not model.attends:
        return
    outputs = graph.node("Transpose", value, perm=[1, 0, 2])  # (B, S, H)
    scale = model.hidden_size**-0.5
    keys = graph.linear(outputs, weights["attention.keys.weight"] * scale, "attention.keys")
    found, _ = np.split(weights["attention.output.weight"], 2, axis=1)
    symbols = graph.constant(weights["attention.symbols.weight"], "attention.symbols.weight")
    memory = {
        "keys": graph.node("Transpose", keys, perm=[0, 2, 1]),
        "values": graph.linear(outputs, found, "attention.values"),
        "symbols": graph.node("Gather", symbols, ids),
        "mask": mask,
    }
    for name, axes in _memory_axes(model).items():
        graph.output(memory[name], f"memory.{name}", axes)


def add_decoder(graph: Graph, model: Seq2SeqConfig, weights: Weights) -> None:
    """Add the decoder: `ids` (B, T), the encoder's memory and `state.0` … (B, H) in; `logits`
    (B, T, V) and `new_state.0` … out, and with attention its weights `attention` (B, T, S)."""
    ids = graph.input("ids", ("batch", "time"), np.int64)
    memory = {}
    if model.attends:
        memory = {
            name: graph.input(f"memory.{name}", axes) for name, axes in _memory_axes(model).items()
        }
    size = model.hidden_size
    states = [graph.input(f"state.{i}", ("batch", size)) for i in range(model.num_layers)]
    value = one_hot(graph, ids, model.vocabulary_size)  # (T, B, V)
    looked_at = None
    for layer, state in enumerate(states):
        value, (after,) = add_layer(graph, CELL, weights, f"decoder.{layer}", value, [state], size)
        graph.output(after, f"new_state.{layer}", ("batch", size))
        if model.attends and layer == 0:
            value, looked_at = _attend(graph, weights, value, memory)
    value = graph.node("Transpose", value, perm=[1, 0, 2])  # (B, T, H)
    if looked_at is not None:
        symbols = graph.node("MatMul", looked_at, memory["symbols"])
        value = graph.node("Add", value, symbols)
        graph.output(looked_at, "attention", ("batch", "time", "source_time"))
    logits = graph.linear(value, weights["head.weight"], "head", weights["head.bias"])
    graph.output(logits, "logits", ("batch", "time", model.vocabulary_size))


def _attend(
    graph: Graph, weights: Weights, outputs: str, memory: dict[str, str]
) -> tuple[str, str]:
    """The outputs (T, B, H) of attention, and its weights (B, T, S), for those of the first
    layer."""
    queries = graph.node("Transpose", outputs, perm=[1, 0, 2])  # (B, T, H)
    mask = graph.node("Unsqueeze", memory["mask"], np.array([1]))
    scores = graph.node("Add", graph.node("MatMul", queries, memory["keys"]), mask)
    looked_at = graph.node("Softmax", scores, axis=-1)
    _, query = np.split(weights["attention.output.weight"], 2, axis=1)
    bias = weights["attention.output.bias"]
    own = graph.linear(queries, query, "attention.query", bias)
    found = graph.node("MatMul", looked_at, memory["values"])
    value = graph.node("Tanh", graph.node("Add", own, found))
    return graph.node("Transpose", value, perm=[1, 0, 2]), looked_at


def _memory_axes(model: Seq2SeqConfig) -> dict[str, tuple[str | int, ...]]:
    size = model.hidden_size
    return {
        "keys": ("batch", size, "source_time"),
        "values": ("batch", "source_time", size),
        "symbols": ("batch", "source_time", size),
        "mask": ("batch", "source_time"),
    }
