"""The model: one-hot characters, a stack of recurrent layers, logits for the next character."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.backends.cudnn import rnn

from charrnn_cli.checkpoints.checkpoint import Checkpoint
from charrnn_cli.config import ModelConfig, TrainConfig
from charrnn_cli.models.device import memory_limit
from charrnn_cli.models.dropout import Dropout
from charrnn_cli.models.recurrent.cpu_kernels import STEPS, run_window
from charrnn_cli.text.vocabulary import Vocabulary

Hidden = tuple[Tensor, ...]
"""The state of all layers, layer by layer, each (B, H); an LSTM layer has two: output and cell."""


class Kernel(Protocol):
    """One recurrent layer over a whole window, as PyTorch's own kernels compute it."""

    def __call__(self, inputs: Tensor, state: Hidden, weights: list[Tensor]) -> tuple[Tensor, ...]:
        """Map inputs (T, B, W) and a state of (B, H) tensors to the outputs (T, B, H) and the new
        state, each of its tensors (1, B, H)."""


def _one_layer() -> tuple[bool, int, float, bool, bool, bool]:
    """The kernels' has_biases, num_layers, dropout, train, bidirectional, batch_first: one plain
    time-major layer. cuDNN keeps what a backward pass needs only if told that one will come."""
    return True, 1, 0.0, torch.is_grad_enabled(), False, False


def _rnn(inputs: Tensor, state: Hidden, weights: list[Tensor]) -> tuple[Tensor, ...]:
    return torch.rnn_tanh(inputs, state[0][None], weights, *_one_layer())


def _gru(inputs: Tensor, state: Hidden, weights: list[Tensor]) -> tuple[Tensor, ...]:
    return torch.gru(inputs, state[0][None], weights, *_one_layer())


def _lstm(inputs: Tensor, state: Hidden, weights: list[Tensor]) -> tuple[Tensor, ...]:
    return torch.lstm(inputs, tuple(s[None] for s in state), weights, *_one_layer())


KERNELS: Mapping[str, Kernel] = {"gru": _gru, "lstm": _lstm, "rnn": _rnn}
CUDNN_MODES = {"gru": "GRU", "lstm": "LSTM", "rnn": "RNN_TANH"}


class Layer(nn.Module):
    """One recurrent layer, with only the parameters that its cell needs."""

    def __init__(self, config: ModelConfig, input_size: int) -> None:
        super().__init__()
        self.steps, self.kernel = STEPS.get(config.model), KERNELS[config.model]
        self.model, self.cell = config.model, config.cell
        hidden, rows = config.hidden_size, self.cell.gates * config.hidden_size
        self.weight_ih = nn.Parameter(torch.empty(rows, input_size))
        self.weight_hh = nn.Parameter(torch.empty(rows, hidden))
        self.bias_ih = nn.Parameter(torch.empty(rows))
        if "bias_hh" in self.cell.biases:
            self.bias_hh: Tensor = nn.Parameter(torch.empty(rows))
        else:  # the kernels want two biases: a constant that is neither learned nor saved
            self.register_buffer("bias_hh", torch.zeros(rows), persistent=False)
        self.reset(config.model, hidden)

    def reset(self, model: str, hidden: int) -> None:
        """Orthogonal recurrent blocks (Saxe et al. 2014), zero biases, but 1 for an LSTM's forget
        gate (Jozefowicz et al. 2015)."""
        nn.init.xavier_uniform_(self.weight_ih)
        for block in torch.split(self.weight_hh.detach(), hidden):
            nn.init.orthogonal_(block)
        for name in self.cell.biases:
            nn.init.zeros_(getattr(self, name))
        if model == "lstm":
            nn.init.ones_(self.bias_ih.detach()[hidden : 2 * hidden])

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "Layer":
        """Lay the weights out in one piece on a GPU that they are moved to, as `nn.RNNBase` does:
        else cuDNN does so at every call, and warns of it."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        if self.weight_hh.is_cuda and torch._use_cudnn_rnn_flatten_weight():
            mode = rnn.get_cudnn_mode(CUDNN_MODES[self.model])  # type: ignore[no-untyped-call]
            weights = [self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh]
            sizes = self.weight_ih.shape[1], mode, self.weight_hh.shape[1], 0, 1, False, False
            with torch.cuda.device(self.weight_hh.device), torch.no_grad():
                torch._cudnn_rnn_flatten_weight(weights, len(weights), *sizes)
        return self

    def forward(self, inputs: Tensor, state: Hidden) -> tuple[Tensor, Hidden]:
        """Map inputs, ids (T, B) or vectors (T, B, W), and this layer's state to outputs (T, B, H)
        and the new state."""
        weights = (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        if self.steps is not None and inputs.device.type == "cpu":
            outputs = run_window(self.steps, inputs, weights, state[0])
            return outputs, (outputs[-1],)
        if inputs.dim() == 2:  # a one-hot vector is faster to read than a wide embedding
            inputs = one_hot(inputs, self.weight_ih)
        outputs, *new_state = self.kernel(inputs, state, list(weights))
        return outputs, tuple(s[0] for s in new_state)


class CharRNN(nn.Module):
    """A character-level recurrent language model.

    `forward(ids, hidden)` takes ids (T, B) and the state after the characters before them, and
    returns logits (T, B, V) for the character after each, and the new state. Dropout stands after
    each layer (Zaremba et al. 2014). Parameter names and shapes are `config.tensor_shapes()`.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        widths = [config.vocabulary_size] + [config.hidden_size] * (config.num_layers - 1)
        self.layers = nn.ModuleList(Layer(config, width) for width in widths)
        self.dropout = Dropout(config.dropout)
        self.head = nn.Linear(config.hidden_size, config.vocabulary_size)
        nn.init.zeros_(self.head.bias)

    def initial_hidden(self, batch_size: int) -> Hidden:
        """The state before any character: zeros."""
        zeros = self.head.weight.new_zeros(batch_size, self.config.hidden_size)
        return (zeros,) * (self.config.num_layers * self.config.cell.states)

    def forward(self, ids: Tensor, hidden: Hidden) -> tuple[Tensor, Hidden]:
        """Logits (T, B, V) for the character after each of ids (T, B), and the new state."""
        states = self.config.cell.states
        outputs = ids
        new_hidden: list[Tensor] = []
        for index, layer in enumerate(self.layers):
            state = hidden[index * states : (index + 1) * states]
            outputs, state = layer(outputs, state)  # (T, B, H)
            outputs = self.dropout(outputs)
            new_hidden.extend(state)
        return self.head(outputs), tuple(new_hidden)  # (T, B, V)


def one_hot(ids: Tensor, weight_ih: Tensor) -> Tensor:
    """Ids (T, B) as one-hot vectors (T, B, V), of the dtype of a layer's weight (G*H, V)."""
    zeros = weight_ih.new_zeros(*ids.shape, weight_ih.shape[1])
    return zeros.scatter_(-1, ids.unsqueeze(-1), 1.0)


def new_model(config: ModelConfig, train: TrainConfig, device: torch.device) -> CharRNN:
    """A model as training begins with it: its weights follow from the random seed. Raises
    MemoryLimitError."""
    torch.manual_seed(train.random_seed)
    with memory_limit(train):
        return CharRNN(config).to(device)


def load_weights(model: CharRNN, weights: Mapping[str, npt.NDArray[Any]]) -> None:
    """Put a checkpoint's weights into a model of the same configuration."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.tensor(weights[name]))


def load_known_weights(
    model: CharRNN, vocabulary: Vocabulary, source: Checkpoint
) -> tuple[int, int]:
    """Start `model` from another text's weights; return how many characters were known and new.

    Characters that both vocabularies hold keep their input column and output row; the others keep
    the values that `model` began with. Hidden layers are taken whole.
    """
    known = [c for c in vocabulary.characters if c in source.vocabulary]
    ours, theirs = vocabulary.encode("".join(known)), source.vocabulary.encode("".join(known))
    merged = {name: p.detach().cpu().numpy().copy() for name, p in model.named_parameters()}
    for name, values in source.weights.items():
        if name == "layers.0.weight_ih":
            merged[name][:, ours] = values[:, theirs]
        elif name.startswith("head."):
            merged[name][ours] = values[theirs]
        else:
            merged[name] = values
    load_weights(model, merged)
    return len(known), len(vocabulary) - len(known)


def detach(hidden: Hidden) -> Hidden:
    """The same state, cut off from the graph that computed it."""
    return tuple(state.detach() for state in hidden)
