"""The sizes of a GRU, an LSTM or a tanh RNN, and what follows from them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from charrnn_cli.errors import UsageError
from charrnn_cli.models.base import LayerInfo, ModelConfig, Shape

# Weights of a recurrent matrix from which products in bfloat16 are faster on a CPU that has them.
LARGE = 150_000


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


@dataclass(frozen=True)
class RecurrentConfig(ModelConfig):
    """One-hot characters, `num_layers` recurrent layers of `hidden_size` units, logits."""

    dropout_between_parts: ClassVar[bool] = True
    # Momentum turns slowly; an update at each step would take as long as the gradients.
    muon_interval: ClassVar[int] = 4

    def __post_init__(self) -> None:
        if self.architecture not in CELLS:
            raise UsageError(f"--model {self.architecture}: must be one of {', '.join(CELLS)}.")
        super().__post_init__()

    @property
    def cell(self) -> Cell:
        """The layout of this model's recurrent cell."""
        return CELLS[self.architecture]

    def parameter_shapes(self) -> dict[str, Shape]:
        """Name and shape of every parameter, with V, H and G gates: (G*H, V), (G*H, H), (V, H)."""
        rows = self.cell.gates * self.hidden_size
        shapes: dict[str, Shape] = {}
        for layer in range(self.num_layers):
            width = self.hidden_size if layer else self.vocabulary_size
            shapes[f"layers.{layer}.weight_ih"] = (rows, width)
            shapes[f"layers.{layer}.weight_hh"] = (rows, self.hidden_size)
            for bias in self.cell.biases:
                shapes[f"layers.{layer}.{bias}"] = (rows,)
        shapes["head.weight"] = (self.vocabulary_size, self.hidden_size)
        shapes["head.bias"] = (self.vocabulary_size,)
        return shapes

    def state_shapes(self, batch_size: int) -> dict[str, Shape]:
        """The state of all layers, (B, H) each; an LSTM layer has two: output and cell."""
        count = self.num_layers * self.cell.states
        return {str(index): (batch_size, self.hidden_size) for index in range(count)}

    def vocabulary_axes(self) -> dict[str, int]:
        """The input table's columns and the head's rows are characters."""
        return {"layers.0.weight_ih": 1, "head.weight": 0, "head.bias": 0}

    def matrices(self) -> dict[str, int]:
        """The parameters (G*H, H) from hidden units to hidden units: a block for each gate."""
        above = (f"layers.{layer}.weight_ih" for layer in range(1, self.num_layers))
        recurrent = (f"layers.{layer}.weight_hh" for layer in range(self.num_layers))
        return dict.fromkeys((*above, *recurrent), self.cell.gates)

    @property
    def multiplications(self) -> int:
        """The first layer's inputs cost none: they are looked up."""
        return super().multiplications - self.cell.gates * self.hidden_size * self.vocabulary_size

    @property
    def units(self) -> int:
        """Those of all layers."""
        return self.num_layers * self.hidden_size

    @property
    def missing_on_cpu(self) -> tuple[str, ...]:
        """PyTorch has no LSTM in float16 there."""
        return ("float16",) if self.architecture == "lstm" else ()

    @property
    def gains_by_bfloat16(self) -> bool:
        """Whether the recurrent matrix is large enough."""
        return self.cell.gates * self.hidden_size**2 >= LARGE

    def layers(self) -> list[LayerInfo]:
        """The recurrent layers, named by the cell and counted from 1, and the head."""
        return [
            layer._replace(
                name=f"{self.architecture} {int(layer.name.removeprefix('layers.')) + 1}"
            )
            if layer.name.startswith("layers.")
            else layer
            for layer in super().layers()
        ]
