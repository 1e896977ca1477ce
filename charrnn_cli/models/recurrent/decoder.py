"""A recurrent model's forward step in NumPy, so that sampling does not import PyTorch."""

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from charrnn_cli.models.decoder import Array, Decoder, Floats, State
from charrnn_cli.models.product_thread import ProductThread
from charrnn_cli.models.recurrent.config import RecurrentConfig

# A second thread computes this share of a layer's product with its inputs: both then take as long.
SHARE = 0.25


class RecurrentDecoder(Decoder):
    """Runs a trained recurrent model character by character, for one stream or several.

    `streams` is the number B of streams, or None for one stream, whose arrays have no batch axis:
    matrix-vector products, which take most of the time, are faster than products with (H, 1).
    Internally the batch is the last axis, (H, B): products read the weights as they are stored, and
    a gate is one contiguous block. Weights are named as in `ModelConfig.parameter_shapes()`.
    """

    def __init__(
        self, config: RecurrentConfig, weights: Mapping[str, Array], streams: int | None = None
    ) -> None:
        self.vocabulary_size = config.vocabulary_size
        self.layers = [
            Layer(config, _layer_weights(weights, index), streams, first=index == 0)
            for index in range(config.num_layers)
        ]
        self.head = np.asarray(weights["head.weight"], np.float32)  # (V, H)
        self.head_bias = _column(np.asarray(weights["head.bias"], np.float32), streams)
        self._logits = _zeros(config.vocabulary_size, streams)
        self.thread: ProductThread | None = None

    def use_second_core(self) -> None:
        """See `Decoder`: products with the states are computed beside the rest of the step."""
        if self.layers[0].by_column:
            self.thread = ProductThread()

    def step(self, ids: Any) -> Floats:
        """Read one character of each stream, an int or ids (B,); return the logits (V,) or (B, V)
        for the next. The array is overwritten by the next step."""
        np.dot(self.head, self._outputs(ids), out=self._logits)
        np.add(self._logits, self.head_bias, out=self._logits)
        return self._logits.T

    def read(self, ids: Any) -> None:
        """See `Decoder`."""
        self._outputs(ids)

    def state(self) -> State:
        """See `Decoder`."""
        return {name: rows.copy() for name, rows in self._rows().items()}

    def set_state(self, state: State | None, rows: Any = slice(None)) -> None:
        """See `Decoder`."""
        for layer in self.layers:
            if self.thread is not None and layer.asked is not None:
                self.thread.wait(layer.asked)
            layer.asked = None  # for the product with another state
        for name, values in self._rows().items():
            values[rows] = 0.0 if state is None else state[name]

    def activations(self) -> Floats:
        """The hidden units of all layers, in -1 … 1; for an LSTM, the tanh of its cells."""
        return np.concatenate(
            [
                layer.state[0] if len(layer.state) == 1 else np.tanh(layer.state[1])
                for layer in self.layers
            ]
        )

    def _outputs(self, ids: Any) -> Floats:
        """Read one character of each stream; return the last layer's outputs, (H,) or (H, B)."""
        if self.thread is not None:
            return self._outputs_on_two_cores(ids, self.thread)
        outputs = self.layers[0].read(ids)
        for layer in self.layers[1:]:
            outputs = layer.step(outputs)
        return outputs

    def _outputs_on_two_cores(self, ids: Any, thread: ProductThread) -> Floats:
        """As `_outputs`. A layer's product with its state is computed by the thread during the rest
        of the step and the beginning of the next, and so is a part of one with its inputs."""
        first = self.layers[0]
        first.look_up(ids)
        first.wait_for_state(thread)
        outputs = first.advance(first, first.from_inputs)
        for below, layer in pairwise(self.layers):
            own, other = slice(layer.own_rows), slice(layer.own_rows, None)
            part = thread.ask(layer.inputs[other], outputs, layer.from_inputs[other])
            below.ask_for_next(thread)
            np.dot(layer.inputs[own], outputs, out=layer.from_inputs[own])
            layer.wait_for_state(thread)
            thread.wait(part)
            np.add(layer.from_inputs, layer.bias, out=layer.from_inputs)
            outputs = layer.advance(layer, layer.from_inputs)
        self.layers[-1].ask_for_next(thread)
        return outputs

    def _rows(self) -> dict[str, Floats]:
        """The state as views (B, H) of the layers' arrays."""
        states = [state for layer in self.layers for state in layer.state]  # (H,) or (H, B)
        return {str(index): state.reshape(len(state), -1).T for index, state in enumerate(states)}


class Layer:
    """One recurrent layer: its weights arranged for a step, its state, and scratch arrays.

    The logistic function is computed as (1 + tanh(x/2)) / 2, which is one fast call; the inner
    factor 1/2 is multiplied into the gates' weights in advance.
    """

    def __init__(
        self,
        config: RecurrentConfig,
        weights: Mapping[str, Floats],
        streams: int | None,
        first: bool,
    ) -> None:
        size, cell = config.hidden_size, config.cell
        rows = cell.gates * size
        self.size = size
        self.advance = _STEPS[config.architecture]
        halves = np.ones((rows, 1), np.float32)
        halves[_LOGISTIC[config.architecture](size)] = 0.5
        self.recurrent = weights["weight_hh"] * halves  # (G*H, H)
        inputs = weights["weight_ih"] * halves  # (G*H, W)
        bias = weights["bias_ih"] * halves[:, 0]
        inner_bias = np.zeros(size, np.float32)  # the GRU's bias that its reset gate multiplies
        if "bias_hh" in weights:
            bias[: 2 * size] += weights["bias_hh"][: 2 * size] * 0.5
            inner_bias = weights["bias_hh"][2 * size :]
        self.bias, self.inner_bias = _column(bias, streams), _column(inner_bias, streams)
        if first:  # the product with a one-hot vector is a look-up in a table
            table = inputs + bias[:, None]
            self.table = np.ascontiguousarray(table.T if streams is None else table)
        else:
            self.inputs = inputs
        self.by_column = streams is not None
        self.state = [_zeros(size, streams) for _ in range(cell.states)]
        self.from_inputs, self.gates = _zeros(rows, streams), _zeros(rows, streams)
        self.spare = _zeros(size, streams)
        self.asked: int | None = None  # the product with the state that a thread computes
        self.own_rows = rows - int(rows * SHARE) // 16 * 16

    def read(self, ids: Any) -> Floats:
        """Read an id or ids (B,), as the first layer does; return the outputs (H,) or (H, B)."""
        np.dot(self.recurrent, self.state[0], out=self.gates)
        if self.by_column:
            self.look_up(ids)
            return self.advance(self, self.from_inputs)
        return self.advance(self, self.table[ids])

    def look_up(self, ids: Any) -> None:
        """What ids (B,) contribute to the gates."""
        np.take(self.table, ids, axis=1, out=self.from_inputs, mode="clip")

    def step(self, inputs: Floats) -> Floats:
        """Read the outputs (W,) or (W, B) of the layer below; return this layer's."""
        np.dot(self.inputs, inputs, out=self.from_inputs)
        np.add(self.from_inputs, self.bias, out=self.from_inputs)
        np.dot(self.recurrent, self.state[0], out=self.gates)
        return self.advance(self, self.from_inputs)

    def ask_for_next(self, thread: ProductThread) -> None:
        """Have the thread compute the product with the state for the next step."""
        self.asked = thread.ask(self.recurrent, self.state[0], self.gates)

    def wait_for_state(self, thread: ProductThread) -> None:
        """Wait for that product, or compute it if it was not asked for."""
        if self.asked is None:
            np.dot(self.recurrent, self.state[0], out=self.gates)
        else:
            thread.wait(self.asked)


def _rnn(layer: Layer, inputs: Floats) -> Floats:
    np.add(layer.gates, inputs, out=layer.gates)
    return np.tanh(layer.gates, out=layer.state[0])


def _gru(layer: Layer, inputs: Floats) -> Floats:
    size, hidden = layer.size, layer.state[0]
    logistic, new = layer.gates[: 2 * size], layer.gates[2 * size :]
    np.add(logistic, inputs[: 2 * size], out=logistic)
    _finish_logistic(logistic)
    np.add(new, layer.inner_bias, out=new)
    np.multiply(new, logistic[:size], out=new)  # the reset gate
    np.add(new, inputs[2 * size :], out=new)
    np.tanh(new, out=new)
    np.subtract(hidden, new, out=hidden)  # h = new + update * (h - new)
    np.multiply(hidden, logistic[size:], out=hidden)
    return np.add(hidden, new, out=hidden)


def _lstm(layer: Layer, inputs: Floats) -> Floats:
    size, gates = layer.size, layer.gates  # input, forget, candidate, output
    hidden, memory = layer.state
    candidate = gates[2 * size : 3 * size]
    np.add(gates, inputs, out=gates)
    np.tanh(candidate, out=candidate)
    _finish_logistic(gates[: 2 * size])
    _finish_logistic(gates[3 * size :])
    np.multiply(memory, gates[size : 2 * size], out=memory)
    np.multiply(gates[:size], candidate, out=layer.spare)
    np.add(memory, layer.spare, out=memory)
    np.tanh(memory, out=hidden)
    return np.multiply(hidden, gates[3 * size :], out=hidden)


def _finish_logistic(halved: Floats) -> None:
    """Compute gates in place from halved pre-activations."""
    np.tanh(halved, out=halved)
    np.multiply(halved, 0.5, out=halved)
    np.add(halved, 0.5, out=halved)


_STEPS: Mapping[str, Callable[[Layer, Floats], Floats]] = {
    "gru": _gru,
    "lstm": _lstm,
    "rnn": _rnn,
}


# The rows of a layer's weights that belong to logistic gates, in PyTorch's order of gates.
_LOGISTIC: Mapping[str, Callable[[int], Any]] = {
    "gru": lambda size: slice(0, 2 * size),
    "lstm": lambda size: np.r_[0 : 2 * size, 3 * size : 4 * size],
    "rnn": lambda size: slice(0, 0),
}


def _zeros(rows: int, streams: int | None) -> Floats:
    """Zeros (rows,) for one stream, (rows, B) for several."""
    return np.zeros(rows if streams is None else (rows, streams), np.float32)


def _column(vector: Floats, streams: int | None) -> Floats:
    """A vector (rows,) in a shape that can be added to arrays of `_zeros`."""
    return vector if streams is None else vector[:, None]


def _layer_weights(weights: Mapping[str, Array], index: int) -> dict[str, Floats]:
    prefix = f"layers.{index}."
    return {
        name.removeprefix(prefix): np.asarray(values, np.float32)
        for name, values in weights.items()
        if name.startswith(prefix)
    }


def untrained_weights(config: RecurrentConfig) -> dict[str, Array]:
    """Initial weights as in `model.Layer.reset`, made without PyTorch; always the same."""
    rng = np.random.default_rng(0)
    weights: dict[str, Array] = {}
    size = config.hidden_size
    for name, shape in config.parameter_shapes().items():
        if name.endswith("weight_hh"):
            blocks = [np.linalg.qr(rng.normal(size=(size, size))) for _ in range(config.cell.gates)]
            weights[name] = np.concatenate([q * np.sign(np.diag(r)) for q, r in blocks])
        elif name.endswith("weight_ih"):
            weights[name] = rng.uniform(-1, 1, shape) * np.sqrt(6 / sum(shape))
        else:
            weights[name] = np.zeros(shape)
        if config.architecture == "lstm" and name.endswith("bias_ih"):
            weights[name][size : 2 * size] = 1.0
        weights[name] = weights[name].astype(np.float32)
    return weights
