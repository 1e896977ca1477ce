"""The configuration of a GRU encoder-decoder, without attention or with it."""

from dataclasses import dataclass
from typing import ClassVar

from charrnn_cli.errors import UsageError
from charrnn_cli.models.base import LayerInfo, Shape
from charrnn_cli.models.recurrent.config import CELLS, MIN_BFLOAT16_WEIGHTS
from charrnn_cli.models.seq2seq.base import PairConfig

ARCHITECTURES = ("seq2seq", "attention")
CELL = CELLS["gru"]


@dataclass(frozen=True)
class Seq2SeqConfig(PairConfig):
    """A GRU that reads the source, a GRU that writes the target; `num_layers` layers each.

    `seq2seq` is Cho et al. (2014) and Sutskever et al. (2014): each layer of the decoder starts
    from the last state of the encoder's layer. The source is read from its end to its beginning, as
    Sutskever et al. do. `attention` has an encoder that reads in both directions with H/2 units
    each, and global attention (Luong et al. 2015, with its `general` score) after the first layer
    of the decoder. What is attended to does not enter the next step's first layer, so that a whole
    target is one call in training; it enters the layers above.
    """

    dropout_between_parts: ClassVar[bool] = True
    muon_interval: ClassVar[int] = 4  # as in models of texts

    def __post_init__(self) -> None:
        if self.architecture not in ARCHITECTURES:
            raise UsageError(
                f"--model {self.architecture}: must be one of {', '.join(ARCHITECTURES)}."
            )
        super().__post_init__()
        if self.attends and self.hidden_size % 2:
            raise UsageError(
                f"--hidden-size {self.hidden_size}: must be even, since each direction of the "
                "encoder has half of it."
            )

    @property
    def attends(self) -> bool:
        """Whether the decoder has attention, and the encoder two directions."""
        return self.architecture == "attention"

    @property
    def directions(self) -> tuple[str, ...]:
        """The encoder's parts by direction, as parameters name them."""
        return ("encoder_forward", "encoder_backward") if self.attends else ("encoder_backward",)

    @property
    def encoder_size(self) -> int:
        """Units of the encoder in each direction."""
        return self.hidden_size // len(self.directions)

    def parameter_shapes(self) -> dict[str, Shape]:
        """Name and shape of every parameter; recurrent layers are as in `RecurrentConfig`."""
        shapes: dict[str, Shape] = {}

        def add(part: str, vocabulary_size: int, size: int) -> None:
            for layer in range(self.num_layers):
                width = self.hidden_size if layer else vocabulary_size
                shapes[f"{part}.{layer}.weight_ih"] = (CELL.gates * size, width)
                shapes[f"{part}.{layer}.weight_hh"] = (CELL.gates * size, size)
                for bias in CELL.biases:
                    shapes[f"{part}.{layer}.{bias}"] = (CELL.gates * size,)

        for part in self.directions:
            add(part, self.source_vocabulary_size, self.encoder_size)
        add("decoder", self.vocabulary_size, self.hidden_size)
        if self.attends:
            shapes["attention.keys.weight"] = (self.hidden_size, self.hidden_size)
            shapes["attention.output.weight"] = (self.hidden_size, 2 * self.hidden_size)
            shapes["attention.output.bias"] = (self.hidden_size,)
        shapes["head.weight"] = (self.vocabulary_size, self.hidden_size)
        shapes["head.bias"] = (self.vocabulary_size,)
        return shapes

    def vocabulary_axes(self) -> dict[str, int]:
        """The columns of the decoder's first input weights and the rows of the head."""
        return {"decoder.0.weight_ih": 1, "head.weight": 0, "head.bias": 0}

    def source_vocabulary_axes(self) -> dict[str, int]:
        """The columns of the encoder's first input weights."""
        return {f"{part}.0.weight_ih": 1 for part in self.directions}

    def matrices(self) -> dict[str, int]:
        """The weights of gates from hidden units, a block for each gate, and those of attention."""
        looked_up = self.vocabulary_axes() | self.source_vocabulary_axes()
        return {
            name: CELL.gates if ".weight_" in name else 1
            for name, shape in self.parameter_shapes().items()
            if len(shape) == 2 and name not in looked_up
        }

    @property
    def multiplications(self) -> int:
        """All matrices except those that are looked up, for one symbol of source and target."""
        shapes = self.parameter_shapes()
        looked_up = ("decoder.0.weight_ih", *self.source_vocabulary_axes())
        return super().multiplications - sum(
            shapes[name][0] * shapes[name][1] for name in looked_up
        )

    @property
    def gains_by_bfloat16(self) -> bool:
        """Whether the decoder's recurrent matrix has at least `MIN_BFLOAT16_WEIGHTS` weights."""
        return CELL.gates * self.hidden_size**2 >= MIN_BFLOAT16_WEIGHTS

    def layers(self) -> list[LayerInfo]:
        """The encoder's layers, the decoder's with attention after the first, and the head."""
        named: list[tuple[str, str]] = []
        widths: dict[str, tuple[int, int]] = {
            "decoder.0": (self.vocabulary_size, self.hidden_size),
            "attention": (2 * self.hidden_size, self.hidden_size),
            "head": (self.hidden_size, self.vocabulary_size),
        }
        for layer in range(self.num_layers):
            for part in self.directions:
                named.append((f"{part}.{layer}", f"{part.replace('_', ' ')} {layer + 1}"))
                inputs = self.hidden_size if layer else self.source_vocabulary_size
                widths[f"{part}.{layer}"] = inputs, self.encoder_size
        for layer in range(self.num_layers):
            named.append((f"decoder.{layer}", f"decoder {layer + 1}"))
            if self.attends and not layer:
                named.append(("attention", "attention"))
        return self._parts((*named, ("head", "head")), widths)
