"""A recurrent model: one-hot characters, recurrent layers, logits for the next character."""

import functools
from collections.abc import Callable, Mapping
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.backends.cudnn import rnn

from charrnn_cli.models.dropout import Dropout
from charrnn_cli.models.module import Model
from charrnn_cli.models.recurrent.config import RecurrentConfig
from charrnn_cli.models.recurrent.cpu_kernels import STEPS, run_window
from charrnn_cli.text.dataset import Batch

Hidden = tuple[Tensor, ...]
"""The state of one layer, each (B, H); an LSTM layer has two: output and cell."""


class Kernel(Protocol):
    """One recurrent layer over a whole window, computed by one of PyTorch's kernels."""

    def __call__(self, inputs: Tensor, state: Hidden, weights: list[Tensor]) -> tuple[Tensor, ...]:
        """The outputs (T, B, H) and the new state's tensors (1, B, H), for inputs (T, B, W) and a
        state of tensors (B, H)."""


def _one_layer() -> tuple[bool, int, float, bool, bool, bool]:
    """Arguments for one plain time-major layer: has_biases, num_layers, dropout, train,
    bidirectional, batch_first.

    cuDNN saves what a backward pass needs only if `train` is true.
    """
    return True, 1, 0.0, torch.is_grad_enabled(), False, False


def _rnn(inputs: Tensor, state: Hidden, weights: list[Tensor]) -> tuple[Tensor, ...]:
    return torch.rnn_tanh(inputs, state[0][None], weights, *_one_layer())


def _gru(inputs: Tensor, state: Hidden, weights: list[Tensor]) -> tuple[Tensor, ...]:
    return torch.gru(inputs, state[0][None], weights, *_one_layer())


def _lstm(inputs: Tensor, state: Hidden, weights: list[Tensor]) -> tuple[Tensor, ...]:
    hidden = tuple(s[None] for s in state)
    if inputs.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
        return torch.lstm(inputs, hidden, weights, *_one_layer())
    onednn = torch._C._get_mkldnn_enabled()
    torch._C._set_mkldnn_enabled(onednn and _onednn_has_lstm(torch.get_autocast_dtype("cpu")))
    try:
        return torch.lstm(inputs, hidden, weights, *_one_layer())
    finally:
        torch._C._set_mkldnn_enabled(onednn)


@functools.cache
def _onednn_has_lstm(dtype: torch.dtype) -> bool:
    """Whether oneDNN, PyTorch's LSTM on a CPU, supports a precision on this processor."""
    zero = torch.zeros(1, 1, 1)
    weights = [torch.zeros(4, 1), torch.zeros(4, 1), torch.zeros(4), torch.zeros(4)]
    try:
        with torch.no_grad(), torch.autocast("cpu", dtype):
            torch.lstm(zero, (zero, zero), weights, *_one_layer())
    except RuntimeError:  # "could not create a primitive descriptor"
        return False
    return True


KERNELS: Mapping[str, Kernel] = {"gru": _gru, "lstm": _lstm, "rnn": _rnn}
CUDNN_MODES = {"gru": "GRU", "lstm": "LSTM", "rnn": "RNN_TANH"}


class Layer(nn.Module):
    """One recurrent layer, with only the parameters that its cell needs."""

    def __init__(self, config: RecurrentConfig, input_size: int) -> None:
        super().__init__()
        self.steps, self.kernel = STEPS.get(config.architecture), KERNELS[config.architecture]
        self.architecture, self.cell = config.architecture, config.cell
        hidden, rows = config.hidden_size, self.cell.gates * config.hidden_size
        self.weight_ih = nn.Parameter(torch.empty(rows, input_size))
        self.weight_hh = nn.Parameter(torch.empty(rows, hidden))
        self.bias_ih = nn.Parameter(torch.empty(rows))
        if "bias_hh" in self.cell.biases:
            self.bias_hh: Tensor = nn.Parameter(torch.empty(rows))
        else:  # the kernels need two biases: this one is constant and not saved
            self.register_buffer("bias_hh", torch.zeros(rows), persistent=False)
        self.reset(config.architecture, hidden)

    def reset(self, architecture: str, hidden: int) -> None:
        """Set the initial weights: recurrent blocks orthogonal (Saxe et al. 2014), input weights
        Xavier uniform (Glorot and Bengio 2010), biases zero, but 1 for an LSTM's forget gate
        (Jozefowicz et al. 2015)."""
        nn.init.xavier_uniform_(self.weight_ih)
        for block in torch.split(self.weight_hh.detach(), hidden):
            nn.init.orthogonal_(block)
        for name in self.cell.biases:
            nn.init.zeros_(getattr(self, name))
        if architecture == "lstm":
            nn.init.ones_(self.bias_ih.detach()[hidden : 2 * hidden])

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "Layer":
        """Make the weights contiguous after a move to a GPU, as `nn.RNNBase` does.

        Otherwise cuDNN copies them at every call, with a warning.
        """
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        if self.weight_hh.is_cuda and torch._use_cudnn_rnn_flatten_weight():
            mode = rnn.get_cudnn_mode(CUDNN_MODES[self.architecture])  # type: ignore[no-untyped-call]
            weights = [self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh]
            sizes = self.weight_ih.shape[1], mode, self.weight_hh.shape[1], 0, 1, False, False
            with torch.cuda.device(self.weight_hh.device), torch.no_grad():
                torch._cudnn_rnn_flatten_weight(weights, len(weights), *sizes)
        return self

    def forward(self, inputs: Tensor, state: Hidden) -> tuple[Tensor, Hidden]:
        """The outputs (T, B, H) and the new state, for inputs that are ids (T, B) or vectors
        (T, B, W)."""
        weights = (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        if self.steps is not None and inputs.device.type == "cpu":
            outputs = run_window(self.steps, inputs, weights, state[0])
            return outputs, (outputs[-1],)
        if (
            inputs.dim() == 2
        ):  # the kernels read vectors; this is faster than a look-up of G*H values
            inputs = one_hot(inputs, self.weight_ih)
        outputs, *new_state = self.kernel(inputs, state, list(weights))
        return outputs, tuple(s[0] for s in new_state)


class RecurrentModel(Model):
    """A character-level recurrent language model.

    Dropout stands after each layer (Zaremba et al. 2014). Parameter names and shapes are
    `config.parameter_shapes()`.
    """

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__(config)
        widths = [config.vocabulary_size] + [config.hidden_size] * (config.num_layers - 1)
        self.layers = nn.ModuleList(Layer(config, width) for width in widths)
        self.cell = config.cell
        self.dropout = Dropout(config.dropout)
        self.head = nn.Linear(config.hidden_size, config.vocabulary_size)
        nn.init.zeros_(self.head.bias)

    def forward(self, batch: Batch, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Logits (T, B, V) for the character after each of the inputs (T, B), and the new state."""
        count = self.cell.states
        outputs = batch.inputs
        new_state: dict[str, Tensor] = {}
        for index, layer in enumerate(self.layers):
            names = [str(index * count + i) for i in range(count)]
            outputs, hidden = layer(outputs, tuple(state[name] for name in names))  # (T, B, H)
            outputs = self.dropout(outputs)
            new_state |= zip(names, hidden, strict=True)
        return self.head(outputs), new_state  # (T, B, V)


def one_hot(ids: Tensor, weight_ih: Tensor) -> Tensor:
    """Ids (T, B) as one-hot vectors (T, B, V), of the dtype of a layer's weight (G*H, V)."""
    zeros = weight_ih.new_zeros(*ids.shape, weight_ih.shape[1])
    return zeros.scatter_(-1, ids.unsqueeze(-1), 1.0)
