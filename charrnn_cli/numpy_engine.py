"""The models' forward step in plain NumPy: text is there before PyTorch would be imported."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from charrnn_cli.config import ModelConfig

Floats = npt.NDArray[np.float32]
Step = Callable[["NumpyLayer", Floats | None, Floats, list[Floats]], Floats]


class NumpyEngine:
    """Steps a saved model one character at a time, for one stream or for several side by side.

    `streams` is None for one stream, whose arrays then have no batch axis (a matrix-vector product
    is what the time goes to), or the number B of streams. Weights are by the names of
    `ModelConfig.tensor_shapes()`.
    """

    def __init__(
        self, config: ModelConfig, weights: Mapping[str, npt.NDArray[Any]], streams: int | None
    ) -> None:
        lead = () if streams is None else (streams,)
        self.layers = [
            NumpyLayer(config, _layer_weights(weights, index), lead, first=index == 0)
            for index in range(config.num_layers)
        ]
        self.head = np.asarray(weights["head.weight"], np.float32).T  # (H, V)
        self.head_bias = np.asarray(weights["head.bias"], np.float32)
        self.logits = np.empty((*lead, config.vocabulary_size), np.float32)

    def step(self, ids: Any) -> Floats:
        """Read one character of each stream, an int or ids (B,); return the logits (V,) or (B, V)
        for the next. The array is overwritten by the next step."""
        layers = self.layers
        outputs = layers[0].first_step(ids)
        for layer in layers[1:]:
            outputs = layer.step(outputs)
        np.dot(outputs, self.head, out=self.logits)
        np.add(self.logits, self.head_bias, out=self.logits)
        return self.logits


class NumpyLayer:
    """One recurrent layer: its weights laid out for a step, its state, and room to compute in.

    The logistic function is taken as (1 + tanh(x/2)) / 2, which is one fast call; the halves are
    multiplied into the weights of the gates beforehand.
    """

    def __init__(
        self, config: ModelConfig, weights: Mapping[str, Floats], lead: tuple[int, ...], first: bool
    ) -> None:
        size, cell = config.hidden_size, config.cell
        self.size = size
        self.advance = _STEPS[config.model]
        halves = np.ones((cell.gates * size, 1), np.float32)
        halves[_LOGISTIC[config.model](size)] = 0.5
        self.recurrent = (weights["weight_hh"] * halves).T  # (H, G*H)
        inputs = weights["weight_ih"] * halves  # (G*H, W)
        self.bias = weights["bias_ih"] * halves[:, 0]
        self.inner_bias = np.zeros(size, np.float32)  # a GRU's, inside its reset gate
        if "bias_hh" in weights:
            self.bias[: 2 * size] += weights["bias_hh"][: 2 * size] * 0.5
            self.inner_bias = weights["bias_hh"][2 * size :]
        # layer 1 reads one-hot vectors: its product is a row of a table
        self.table = np.ascontiguousarray(inputs.T) + self.bias if first else None
        self.inputs = inputs.T  # (W, G*H)
        self.state = [np.zeros((*lead, size), np.float32) for _ in range(cell.states)]
        self.from_inputs = np.empty((*lead, cell.gates * size), np.float32)
        self.gates = np.empty((*lead, cell.gates * size), np.float32)
        self.spare = np.empty((*lead, size), np.float32)

    def first_step(self, ids: Any) -> Floats:
        """Read ids as the first layer does; return the outputs (…, H)."""
        assert self.table is not None
        np.dot(self.state[0], self.recurrent, out=self.gates)
        return self.advance(self, self.table[ids])

    def step(self, inputs: Floats) -> Floats:
        """Read the outputs (…, W) of the layer below; return this layer's (…, H)."""
        np.dot(inputs, self.inputs, out=self.from_inputs)
        np.add(self.from_inputs, self.bias, out=self.from_inputs)
        np.dot(self.state[0], self.recurrent, out=self.gates)
        return self.advance(self, self.from_inputs)


def _rnn(layer: NumpyLayer, inputs: Floats) -> Floats:
    np.add(layer.gates, inputs, out=layer.gates)
    return np.tanh(layer.gates, out=layer.state[0])


def _gru(layer: NumpyLayer, inputs: Floats) -> Floats:
    size, hidden = layer.size, layer.state[0]
    logistic, new = layer.gates[..., : 2 * size], layer.gates[..., 2 * size :]
    np.add(logistic, inputs[..., : 2 * size], out=logistic)
    np.tanh(logistic, out=logistic)
    np.multiply(logistic, 0.5, out=logistic)
    np.add(logistic, 0.5, out=logistic)
    np.add(new, layer.inner_bias, out=new)
    np.multiply(new, logistic[..., :size], out=new)  # the reset gate
    np.add(new, inputs[..., 2 * size :], out=new)
    np.tanh(new, out=new)
    np.subtract(hidden, new, out=hidden)  # h = new + update * (h - new)
    np.multiply(hidden, logistic[..., size:], out=hidden)
    return np.add(hidden, new, out=hidden)


def _lstm(layer: NumpyLayer, inputs: Floats) -> Floats:
    size, gates = layer.size, layer.gates  # input, forget, candidate, output
    hidden, memory = layer.state
    np.add(gates, inputs, out=gates)
    np.tanh(gates, out=gates)
    for logistic in (gates[..., : 2 * size], gates[..., 3 * size :]):
        np.multiply(logistic, 0.5, out=logistic)
        np.add(logistic, 0.5, out=logistic)
    np.multiply(memory, gates[..., size : 2 * size], out=memory)
    np.multiply(gates[..., :size], gates[..., 2 * size : 3 * size], out=layer.spare)
    np.add(memory, layer.spare, out=memory)
    np.tanh(memory, out=hidden)
    return np.multiply(hidden, gates[..., 3 * size :], out=hidden)


_STEPS: Mapping[str, Callable[[NumpyLayer, Floats], Floats]] = {
    "gru": _gru,
    "lstm": _lstm,
    "rnn": _rnn,
}


# which rows of a layer's weights feed a logistic gate, in PyTorch's order of gates
_LOGISTIC: Mapping[str, Callable[[int], Any]] = {
    "gru": lambda size: slice(0, 2 * size),
    "lstm": lambda size: np.r_[0 : 2 * size, 3 * size : 4 * size],
    "rnn": lambda size: slice(0, 0),
}


def _layer_weights(weights: Mapping[str, npt.NDArray[Any]], index: int) -> dict[str, Floats]:
    prefix = f"layers.{index}."
    return {
        name.removeprefix(prefix): np.asarray(values, np.float32)
        for name, values in weights.items()
        if name.startswith(prefix)
    }
