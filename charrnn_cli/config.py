"""The configurations: settings that belong together, checked against their limits."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from charrnn_cli.errors import UsageError
from charrnn_cli.settings import check_all


@dataclass(frozen=True)
class Cell:
    """The layout of one recurrent cell's parameters and state."""

    gates: int
    states: int
    biases: tuple[str, ...]


# GRU keeps two biases, since its reset gate acts between them; one bias does for the others.
CELLS: Mapping[str, Cell] = {
    "gru": Cell(gates=3, states=1, biases=("bias_ih", "bias_hh")),
    "lstm": Cell(gates=4, states=2, biases=("bias_ih",)),
    "rnn": Cell(gates=1, states=1, biases=("bias_ih",)),
}


class _Checked:
    """Checks each field that is a setting; None means off."""

    def __post_init__(self) -> None:
        check_all(vars(self), model=CELLS)


@dataclass(frozen=True)
class ModelConfig(_Checked):
    """A model's kind and sizes: with the vocabulary, all that is needed to build it.

    Raises UsageError for an unknown kind or a value outside its limits.
    """

    model: str
    vocabulary_size: int
    hidden_size: int
    num_layers: int
    dropout: float

    @property
    def cell(self) -> Cell:
        """The layout of this model's recurrent cell."""
        return CELLS[self.model]

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every parameter, with V, H and G gates: (G*H, V), (G*H, H), (V, H)."""
        rows = self.cell.gates * self.hidden_size
        shapes: dict[str, tuple[int, ...]] = {}
        for layer in range(self.num_layers):
            width = self.hidden_size if layer else self.vocabulary_size
            shapes[f"layers.{layer}.weight_ih"] = (rows, width)
            shapes[f"layers.{layer}.weight_hh"] = (rows, self.hidden_size)
            for bias in self.cell.biases:
                shapes[f"layers.{layer}.{bias}"] = (rows,)
        shapes["head.weight"] = (self.vocabulary_size, self.hidden_size)
        shapes["head.bias"] = (self.vocabulary_size,)
        return shapes

    def hidden_matrices(self) -> tuple[str, ...]:
        """Names of the parameters (G*H, H) from hidden units to hidden units: a block a gate."""
        above = (f"layers.{layer}.weight_ih" for layer in range(1, self.num_layers))
        return *above, *(f"layers.{layer}.weight_hh" for layer in range(self.num_layers))

    @property
    def parameters(self) -> int:
        """How many numbers the model learns."""
        return sum(math.prod(shape) for shape in self.tensor_shapes().values())

    @property
    def multiplications(self) -> int:
        """How many of them take a character through the model: what its training time follows.
        The first layer's inputs cost none: they are looked up."""
        shapes = self.tensor_shapes()
        del shapes["layers.0.weight_ih"]
        return sum(math.prod(shape) for shape in shapes.values() if len(shape) == 2)

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON can hold them."""
        return asdict(self)


@dataclass(frozen=True)
class TrainConfig(_Checked):
    """How a model is trained. The run ends at `epochs` or `minutes`, whichever comes first.

    Raises UsageError for a value outside its limits, or if neither end is given.
    """

    epochs: float | None
    minutes: float | None
    batch_size: int
    seq_length: int
    learning_rate: float
    optimizer: str
    grad_clip: float
    val_fraction: float
    patience: int | None
    random_seed: int
    eval_every: int
    precision: str = "float32"
    min_count: int = 1
    warmup: float = 0.05  # short enough to cost nothing, long enough to stay stable
    weight_decay: float = 0.01  # PyTorch's own default for AdamW

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.epochs is None and self.minutes is None:
            raise UsageError("a run needs an end: give --epochs or --minutes.")

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON can hold them."""
        return asdict(self)


@dataclass(frozen=True)
class SamplingConfig(_Checked):
    """How the next character is chosen; None means off.

    Raises UsageError for a value outside its limits.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
