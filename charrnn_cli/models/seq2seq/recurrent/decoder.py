"""A GRU encoder-decoder in NumPy, so that translating does not import PyTorch."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from charrnn_cli.models.decoder import Array, Floats
from charrnn_cli.models.seq2seq.decoder import PairDecoder
from charrnn_cli.models.seq2seq.recurrent.config import Seq2SeqConfig

Weights = Mapping[str, Array]


class Seq2SeqDecoder(PairDecoder):
    """Runs a trained GRU encoder-decoder, see `Seq2SeqConfig`.

    The two projections of attention that do not depend on the target, of the keys and of what is
    found, are made once for each source.
    """

    def __init__(self, config: Seq2SeqConfig, weights: Weights) -> None:
        super().__init__(config)
        self.attends = config.attends
        layers = range(config.num_layers)
        self.encoders = [
            [_Layer(weights, f"{part}.{index}") for part in config.directions] for index in layers
        ]
        self.layers = [_Layer(weights, f"decoder.{index}") for index in layers]
        if self.attends:
            self.keys = _transposed(weights["attention.keys.weight"] * config.hidden_size**-0.5)
            found, query = np.split(weights["attention.output.weight"], 2, axis=1)
            self.values, self.query = _transposed(found), _transposed(query)  # (H, H)
            self.bias = np.asarray(weights["attention.output.bias"], np.float32)
        self.head = _transposed(weights["head.weight"])  # (H, V)
        self.head_bias = np.asarray(weights["head.bias"], np.float32)

    def _encode(self, ids: Array, real: Array, beams: int) -> None:
        """See `PairDecoder`."""
        outputs: Array = ids
        for index, layers in enumerate(self.encoders):
            # the last direction is the backward one
            order = [slice(None)] * (len(layers) - 1) + [slice(None, None, -1)]
            read = [
                layer.run(outputs[steps], real[steps])
                for layer, steps in zip(layers, order, strict=True)
            ]
            outputs = np.concatenate(
                [values[steps] for values, steps in zip(read, order, strict=True)], axis=-1
            )
            # a finished source keeps its state, so the last step has that of each
            last = np.concatenate([values[-1] for values in read], axis=-1)  # (B, H)
            self.state[str(index)] = np.repeat(last[:, None], beams, axis=1)  # (B, K, H)
        if self.attends:
            keys = _product(outputs, self.keys).transpose(1, 2, 0)  # (B, H, S)
            values = _product(outputs, self.values).swapaxes(0, 1)  # (B, S, H)
            mask = np.where(real, 0, -np.inf).astype(np.float32).T[:, None]  # (B, 1, S)
            self.memory = {"keys": keys, "values": values, "mask": mask}

    def step(self, ids: Any) -> Floats:
        """See `PairDecoder`."""
        rows, beams = np.shape(ids)
        outputs = self._advance(0, self.layers[0].table[np.ravel(ids)])  # (B * K, H)
        if self.attends:
            outputs = self._attend(outputs, rows, beams)
        for index, layer in enumerate(self.layers[1:], start=1):
            outputs = self._advance(index, layer.from_inputs(outputs))
        logits: Floats = outputs @ self.head
        logits += self.head_bias
        return logits.reshape(rows, beams, -1)

    def _advance(self, index: int, inputs: Floats) -> Floats:
        """A layer's outputs (B * K, H), which are its new state."""
        state = self.state[str(index)]
        after = self.layers[index].step(inputs, state.reshape(len(inputs), -1))
        self.state[str(index)] = after.reshape(state.shape)
        return after

    def _attend(self, queries: Floats, rows: int, beams: int) -> Floats:
        """The outputs (B * K, H) of attention for queries (B * K, H)."""
        scores = queries.reshape(rows, beams, -1) @ self.memory["keys"]  # (B, K, S)
        scores += self.memory["mask"]
        scores -= np.maximum.reduce(scores, axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= np.add.reduce(scores, axis=-1, keepdims=True)
        self.attention = scores
        outputs: Floats = queries @ self.query
        outputs += (scores @ self.memory["values"]).reshape(outputs.shape)
        outputs += self.bias
        np.tanh(outputs, out=outputs)
        return outputs


class _Layer:
    """One GRU layer. The logistic function is (1 + tanh(x/2)) / 2; the inner factor 1/2 is
    multiplied into the gates' weights in advance."""

    def __init__(self, weights: Weights, name: str) -> None:
        recurrent = np.asarray(weights[f"{name}.weight_hh"], np.float32)  # (3H, H)
        self.size = recurrent.shape[1]
        halves = np.ones(3 * self.size, np.float32)
        halves[: 2 * self.size] = 0.5
        self.recurrent = _transposed(recurrent * halves[:, None])  # (H, 3H)
        self.recurrent_bias = weights[f"{name}.bias_hh"] * halves
        self.inputs = _transposed(weights[f"{name}.weight_ih"] * halves[:, None])  # (W, 3H)
        self.bias = weights[f"{name}.bias_ih"] * halves
        self.table = self.inputs + self.bias  # (V, 3H) in a first layer

    def from_inputs(self, inputs: Floats) -> Floats:
        """The contribution (…, 3H) of inputs (…, W) to the gates."""
        product = _product(inputs, self.inputs)
        product += self.bias
        return product

    def run(self, inputs: Array, real: Array) -> Floats:
        """The outputs (S, B, H) for ids (S, B) or vectors (S, B, W), from a state of zeros.

        The state does not change where `real` (S, B) is false.
        """
        gates = self.table[inputs] if inputs.ndim == 2 else self.from_inputs(inputs)
        state = np.zeros((inputs.shape[1], self.size), np.float32)
        outputs = np.empty((*inputs.shape[:2], self.size), np.float32)
        for gate, is_real, output in zip(gates, real, outputs, strict=True):
            after = self.step(gate, state)
            state = after if is_real.all() else np.where(is_real[:, None], after, state)
            output[:] = state
        return outputs

    def step(self, inputs: Floats, state: Floats) -> Floats:
        """The new state (B, H), from what the inputs contribute to the gates, (B, 3H)."""
        size = self.size
        gates = state @ self.recurrent
        gates += self.recurrent_bias
        logistic, new = gates[:, : 2 * size], gates[:, 2 * size :]
        logistic += inputs[:, : 2 * size]
        np.tanh(logistic, out=logistic)
        logistic *= 0.5
        logistic += 0.5
        new *= logistic[:, :size]  # the reset gate
        new += inputs[:, 2 * size :]
        np.tanh(new, out=new)
        after: Floats = state - new  # h = new + update * (h - new)
        after *= logistic[:, size:]
        after += new
        return after


def _transposed(weight: Array) -> Floats:
    return np.ascontiguousarray(weight.T, np.float32)


def _product(values: Floats, weight: Floats) -> Floats:
    """The product (…, K) of values (…, W) with a weight (W, K), as one for all rows."""
    product: Floats = values.reshape(-1, values.shape[-1]) @ weight
    return product.reshape(*values.shape[:-1], -1)
