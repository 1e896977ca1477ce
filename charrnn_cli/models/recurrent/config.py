"""The configuration of a GRU, an LSTM or a tanh RNN."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from charrnn_cli.errors import UsageError
from charrnn_cli.models.base import LayerInfo, ModelConfig, Shape

# With at least so many weights in a recurrent matrix, products are faster in bfloat16 than in
# float32, on a CPU with bfloat16 instructions.
MIN_BFLOAT16_WEIGHTS = 150_000


@dataclass(frozen=True)
class Cell:
    """The layout of one recurrent cell: numbers of gates and states, and names of its biases."""

    gates: int
    states: int
    biases: tuple[str, ...]


# A GRU needs two biases, since its reset gate acts between them; the others need only one.
CELLS: Mapping[str, Cell] = {
    "gru": Cell(gates=3, states=1, biases=("bias_ih", "bias_hh")),
    "lstm": Cell(gates=4, states=2, biases=("bias_ih",)),
    "rnn": Cell(gates=1, states=1, biases=("bias_ih",)),
}


@dataclass(frozen=True)
class RecurrentConfig(ModelConfig):
    """One-hot characters, `num_layers` recurrent layers of `hidden_size` units, logits.

    The fields are those of `ModelConfig`; dropout stands after each layer.
    """

    dropout_between_parts: ClassVar[bool] = True
    decodes_on_two_cores: ClassVar[bool] = True
    # Momentum changes slowly, and an update takes as long as computing the gradients.
    muon_interval: ClassVar[int] = 4

    def __post_init__(self) -> None:
        if self.architecture not in CELLS:
            raise UsageError(f"--model {self.architecture}: must be one of {', '.join(CELLS)}.")
        super().__post_init__()

    @property
    def cell(self) -> Cell:
        """The layout of the model's recurrent cell."""
        return CELLS[self.architecture]

    def parameter_shapes(self) -> dict[str, Shape]:
        """Name and shape of every parameter, for G gates: (G*H, V), (G*H, H), (V, H), biases."""
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
        """The columns of the first layer's input weights and the rows of the head."""
        return {"layers.0.weight_ih": 1, "head.weight": 0, "head.bias": 0}

    def matrices(self) -> dict[str, int]:
        """The weights (G*H, H) from hidden units to hidden units: one block for each gate."""
        above = (f"layers.{layer}.weight_ih" for layer in range(1, self.num_layers))
        recurrent = (f"layers.{layer}.weight_hh" for layer in range(self.num_layers))
        return dict.fromkeys((*above, *recurrent), self.cell.gates)

    @property
    def multiplications(self) -> int:
        """All matrices except the first layer's input weights, which are looked up."""
        return super().multiplications - self.cell.gates * self.hidden_size * self.vocabulary_size

    @property
    def units(self) -> int:
        """The hidden units of all layers."""
        return self.num_layers * self.hidden_size

    @property
    def missing_on_cpu(self) -> tuple[str, ...]:
        """PyTorch has no float16 LSTM on a CPU."""
        return ("float16",) if self.architecture == "lstm" else ()

    @property
    def gains_by_bfloat16(self) -> bool:
        """Whether the recurrent matrix has at least `MIN_BFLOAT16_WEIGHTS` weights."""
        return self.cell.gates * self.hidden_size**2 >= MIN_BFLOAT16_WEIGHTS

    def layers(self) -> list[LayerInfo]:
        """The recurrent layers, named by cell and numbered from 1, and the head."""
        return [
            layer._replace(
                name=f"{self.architecture} {int(layer.name.removeprefix('layers.')) + 1}"
            )
            if layer.name.startswith("layers.")
            else layer
            for layer in super().layers()
        ]
