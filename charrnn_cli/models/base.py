"""The contract of a model's configuration, and the presets that a plan starts from.

A family of models is a package with a configuration, a PyTorch model (`module.py`), a decoder in
NumPy (`decoder.py`) and presets. `registry.py` names the packages. Nothing here needs NumPy.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from charrnn_cli.settings import check_all

Shape = tuple[int, ...]


class LayerInfo(NamedTuple):
    """A part of a model as `info` draws it: its inputs and outputs, and its tensors' shapes."""

    name: str
    inputs: int
    outputs: int
    tensors: Mapping[str, Shape]

    @property
    def parameters(self) -> int:
        """How many numbers this part learns."""
        return sum(math.prod(shape) for shape in self.tensors.values())


@dataclass(frozen=True)
class ModelConfig(ABC):
    """A model's architecture and sizes: with the vocabulary, all that is needed to build it.

    A family adds fields for sizes of its own; each field that is a setting is an option of `train`
    by that name. Raises UsageError for a value outside its limits.
    """

    architecture: str
    vocabulary_size: int
    hidden_size: int
    num_layers: int
    dropout: float

    input_kind: ClassVar[str] = "one-hot"  # how the first layer reads a character, in words
    dropout_between_parts: ClassVar[bool] = False  # where dropout stands, for the drawing
    muon_interval: ClassVar[int] = 1  # optimizer steps from one update by Muon to the next

    def __post_init__(self) -> None:
        check_all(vars(self))

    if TYPE_CHECKING:

        @property
        def context(self) -> int | None:
            """How many characters the model can look back on; None: its state has no limit."""

    else:
        context = None  # in a family whose context is a size, a field of this name

    @abstractmethod
    def parameter_shapes(self) -> dict[str, Shape]:
        """Name and shape of every parameter."""

    def state_shapes(self, batch_size: int) -> dict[str, Shape]:
        """Name and shape of the state that is carried from window to window; none by default."""
        return {}

    @abstractmethod
    def vocabulary_axes(self) -> dict[str, int]:
        """The axis along which a parameter has one entry per character of the vocabulary."""

    def matrices(self) -> dict[str, int]:
        """The matrices that Muon updates: name, and how many blocks are stacked in its rows."""
        return {}

    @property
    def parameters(self) -> int:
        """How many numbers the model learns."""
        return sum(math.prod(shape) for shape in self.parameter_shapes().values())

    @property
    def multiplications(self) -> int:
        """How many multiplications take a character through the model: its cost in training."""
        return sum(math.prod(shape) for shape in self.parameter_shapes().values() if len(shape) > 1)

    @property
    def units(self) -> int:
        """How many hidden units `info --units` can study; 0: the model has no such state."""
        return 0

    @property
    def missing_on_cpu(self) -> tuple[str, ...]:
        """The precisions that the model cannot be trained in on a CPU."""
        return ()

    @property
    def gains_by_bfloat16(self) -> bool:
        """Whether products this large are faster in bfloat16 on a CPU that multiplies in it."""
        return False

    def layers(self) -> list[LayerInfo]:
        """The parts of the model from input to output."""
        parts: dict[str, dict[str, Shape]] = {}
        for path, shape in self.parameter_shapes().items():
            part, tensor = path.rsplit(".", 1)
            parts.setdefault(part, {})[tensor] = shape
        return self._connect(parts)

    def _connect(self, parts: Mapping[str, Mapping[str, Shape]]) -> list[LayerInfo]:
        """Parts in a row, each of `hidden_size` outputs but for the last, which has V."""
        widths = [self.vocabulary_size, *[self.hidden_size] * (len(parts) - 1)]
        outputs = [*widths[1:], self.vocabulary_size]
        return [
            LayerInfo(name, width, output, tensors)
            for (name, tensors), width, output in zip(parts.items(), widths, outputs, strict=True)
        ]

    def fitting(self, seq_length: int) -> "ModelConfig":
        """The configuration for a text whose longest window has so many characters: a model that
        looks back further could not learn to."""
        return self

    @classmethod
    def sizes(cls) -> tuple[str, ...]:
        """The settings that a user may choose: all fields but architecture and vocabulary size."""
        return tuple(
            f.name for f in fields(cls) if f.name not in ("architecture", "vocabulary_size")
        )

    def to_dict(self) -> dict[str, Any]:
        """The fields as a checkpoint stores them."""
        values = asdict(self)
        return {"model": values.pop("architecture"), **values}


@dataclass(frozen=True)
class Preset:
    """Settings that learn much in little time from a text of about `characters` characters.

    `sizes` are fields of the family's configuration. A run in minutes ends after `epochs` as well
    where the text is so small that it would only be learned by heart (`ends`).
    """

    characters: float
    sizes: Mapping[str, float]
    batch_size: int
    seq_length: int
    learning_rate: float
    epochs: float
    optimizer: str
    weight_decay: float
    ends: bool = False
    warmup: float = 0.05
    schedule: str = "cosine"
    shuffle: bool = False
