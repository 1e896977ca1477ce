"""The graph of a GRU, an LSTM or a tanh RNN."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from charrnn_cli.checkpoints.checkpoint import Array
from charrnn_cli.export.onnx_graph import Graph
from charrnn_cli.models.recurrent.config import RecurrentConfig

# ONNX's order of gates, as places in PyTorch's: GRU (r, z, n) -> (z, r, h), LSTM (i, f, g, o) ->
# (i, o, f, c).
GATES: Mapping[str, tuple[int, ...]] = {"gru": (1, 0, 2), "lstm": (0, 3, 1, 2), "rnn": (0,)}
# A GRU's reset gate acts on the product, as in PyTorch and cuDNN.
ATTRIBUTES: Mapping[str, Mapping[str, Any]] = {
    "gru": {"linear_before_reset": 1},
    "lstm": {},
    "rnn": {},
}

Weights = Mapping[str, Array]


def add_recurrent(graph: Graph, model: RecurrentConfig, weights: Weights) -> None:
    """Add the model: `ids` (B, T) and `state.0` … (B, H) in; `logits` (B, T, V) and `new_state.0` …
    out. The state is that of `ModelConfig.state_shapes`."""
    ids = graph.input("ids", ("batch", "time"), np.int64)
    names = list(model.state_shapes(1))
    states = [graph.input(f"state.{name}", ("batch", model.hidden_size)) for name in names]
    per_layer, after = model.cell.states, []
    value = one_hot(graph, ids, model.vocabulary_size)
    for layer in range(model.num_layers):
        own = states[layer * per_layer : (layer + 1) * per_layer]
        value, new = add_layer(
            graph, model.architecture, weights, f"layers.{layer}", value, own, model.hidden_size
        )
        after += new
    logits = graph.linear(value, weights["head.weight"], "head", weights["head.bias"])
    logits = graph.node("Transpose", logits, perm=[1, 0, 2])
    graph.output(logits, "logits", ("batch", "time", model.vocabulary_size))
    for name, state in zip(names, after, strict=True):
        graph.output(state, f"new_state.{name}", ("batch", model.hidden_size))


def one_hot(graph: Graph, ids: str, size: int) -> str:
    """Ids (B, T) as vectors (T, B, V)."""
    steps = graph.node("Transpose", ids, perm=[1, 0])
    return str(graph.node("OneHot", steps, np.int64(size), np.array([0, 1], np.float32)))


def add_layer(
    graph: Graph,
    cell: str,
    weights: Weights,
    name: str,
    inputs: str,
    states: list[str],
    size: int,
) -> tuple[str, list[str]]:
    """Add one recurrent layer of `size` units: its outputs (T, B, H) for inputs (T, B, W), and the
    states (B, H) after them."""
    axis = np.array([0])
    results = graph.node(
        cell.upper(),
        inputs,
        *tensors_of(graph, cell, weights, [name]),
        "",  # all rows have the same length
        *(graph.node("Unsqueeze", state, axis) for state in states),
        outputs=1 + len(states),
        hidden_size=size,
        **ATTRIBUTES[cell],
    )
    outputs = graph.node("Squeeze", results[0], np.array([1]))
    return outputs, [graph.node("Squeeze", state, axis) for state in results[1:]]


def tensors_of(graph: Graph, cell: str, weights: Weights, names: Sequence[str]) -> list[str]:
    """The weights of a node's inputs and of its state, and its biases, in ONNX's order of gates.

    `names` are the prefixes of a layer's parameters, one for each of the node's directions.
    """
    order = GATES[cell]

    def by_gate(name: str, part: str) -> Array:
        blocks = np.split(weights[f"{name}.{part}"], len(order))
        return np.concatenate([blocks[gate] for gate in order])

    def biases(name: str) -> Array:
        bias = by_gate(name, "bias_ih")
        has_two = f"{name}.bias_hh" in weights
        return np.concatenate([bias, by_gate(name, "bias_hh") if has_two else np.zeros_like(bias)])

    stacked = {
        "weight_ih": [by_gate(name, "weight_ih") for name in names],
        "weight_hh": [by_gate(name, "weight_hh") for name in names],
        "bias": [biases(name) for name in names],
    }
    return [
        graph.constant(np.stack(parts), f"{names[0]}.{part}") for part, parts in stacked.items()
    ]
