"""The contract of a model's configuration, and the presets that planning starts from.

A family of models is a package with a configuration, a PyTorch model (`module.py`), a decoder in
NumPy (`decoder.py`) and presets. `registry.py` lists the packages. This file does not import NumPy.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from charrnn_cli.settings.table import check_all

Shape = tuple[int, ...]


class LayerInfo(NamedTuple):
    """A part of a model, for `info`: its numbers of inputs and outputs, and its tensors' shapes."""

    name: str
    inputs: int
    outputs: int
    tensors: Mapping[str, Shape]

    @property
    def parameters(self) -> int:
        """The number of trained weights in this part."""
        return sum(math.prod(shape) for shape in self.tensors.values())


@dataclass(frozen=True)
class ModelConfig(ABC):
    """The architecture and sizes of a model, from which it can be built.

    A family adds fields for its own sizes. Each size is an option of `train` with the same name.
    Raises UsageError for a value outside its limits.
    """

    architecture: str
    """A key of `registry.ARCHITECTURES`."""
    vocabulary_size: int
    """Number of distinct characters, V."""
    hidden_size: int
    """Units in each layer, H."""
    num_layers: int
    """Number of layers."""
    dropout: float
    """Probability with which a value is set to zero in training."""

    defaults_when_absent: ClassVar[Mapping[str, Any]] = {}
    """Fields that were added later, with the values that the models before them had. A checkpoint
    leaves out a field with this value, and no option sets one."""
    input_kind: ClassVar[str] = "one-hot"
    """How the first layer represents a character, for `info`."""
    dropout_between_parts: ClassVar[bool] = False
    """Whether dropout stands between the parts that `info` draws."""
    decodes_on_two_cores: ClassVar[bool] = False
    """Whether a decoder of several streams has work for `Decoder.use_second_core`."""
    muon_interval: ClassVar[int] = 1
    """Number of optimizer steps between two updates by Muon."""
    muon_rms: ClassVar[float] = 0.065
    """Root mean square of an update by Muon at a learning rate of one; Adam's is about 0.2."""
    muon_polar: ClassVar[bool] = False
    """Whether Muon takes the three iterations of Polar Express, of all matrices of one shape
    together, in place of five Newton-Schulz iterations."""

    def __post_init__(self) -> None:
        check_all(vars(self))

    if TYPE_CHECKING:

        @property
        def context(self) -> int | None:
            """How many characters the model can look back on; None: a state without a limit."""

    else:
        context = None  # a family with a limited context has a field of this name

    @abstractmethod
    def parameter_shapes(self) -> dict[str, Shape]:
        """Name and shape of every parameter."""

    def state_shapes(self, batch_size: int) -> dict[str, Shape]:
        """Name and shape of the state carried from window to window; no state by default."""
        return {}

    @abstractmethod
    def vocabulary_axes(self) -> dict[str, int]:
        """The parameters with one entry per character, and the axis of the entries."""

    def matrices(self) -> dict[str, int]:
        """The matrices that Muon updates, and the number of blocks stacked in the rows of each."""
        return {}

    @property
    def parameters(self) -> int:
        """The number of trained weights in the model."""
        return sum(math.prod(shape) for shape in self.parameter_shapes().values())

    @property
    def multiplications(self) -> int:
        """Multiplications per character in a forward pass: a measure of training time."""
        return sum(math.prod(shape) for shape in self.parameter_shapes().values() if len(shape) > 1)

    @property
    def vocabulary_sizes(self) -> tuple[int, int | None]:
        """The numbers of symbols of the target and of the source; None without a source."""
        return self.vocabulary_size, None

    @classmethod
    def own_sizes(cls) -> tuple[str, ...]:
        """The sizes that the family adds to those that every model has."""
        return tuple(n for n in cls.sizes() if n not in ("hidden_size", "num_layers", "dropout"))

    @property
    def units(self) -> int:
        """The number of hidden units that `info --units` can study; 0 without a state."""
        return 0

    @property
    def attention_heads(self) -> int:
        """The number of attention heads that `info --attention` can study, over all layers; 0
        without attention. A model that has some has as many in each layer, and a `context`."""
        return 0

    @property
    def missing_on_cpu(self) -> tuple[str, ...]:
        """The precisions in which the model cannot be trained on a CPU."""
        return ()

    @property
    def gains_by_bfloat16(self) -> bool:
        """Whether a CPU with bfloat16 instructions trains this model faster in bfloat16."""
        return False

    def layers(self) -> list[LayerInfo]:
        """The parts of the model from input to output."""
        parts: dict[str, dict[str, Shape]] = {}
        for path, shape in self.parameter_shapes().items():
            part, tensor = path.rsplit(".", 1)
            parts.setdefault(part, {})[tensor] = shape
        return self._connect(parts)

    def _connect(self, parts: Mapping[str, Mapping[str, Shape]]) -> list[LayerInfo]:
        """Parts connected in sequence: each has H outputs, the last has V."""
        widths = [self.vocabulary_size, *[self.hidden_size] * (len(parts) - 1)]
        outputs = [*widths[1:], self.vocabulary_size]
        return [
            LayerInfo(name, width, output, tensors)
            for (name, tensors), width, output in zip(parts.items(), widths, outputs, strict=True)
        ]

    def fitting(self, seq_length: int) -> "ModelConfig":
        """The configuration for training on windows of at most `seq_length` characters.

        A longer context than that cannot be trained, so a limited context is reduced to it.
        """
        return self

    def starting_from(self, other: "ModelConfig") -> "ModelConfig":
        """The configuration for starting from the weights of another model of the same kind and
        sizes: with its values of the fields that no option sets."""
        return replace(self, **{name: getattr(other, name) for name in self.defaults_when_absent})

    @classmethod
    def choose(cls, sizes: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
        """A preset's `sizes`, with those that the user has `given` in their place, and what must
        change with these."""
        return {name: given.get(name, sizes[name]) for name in cls.sizes()}

    @classmethod
    def sizes(cls) -> tuple[str, ...]:
        """The fields that a user may set: all but architecture and vocabulary size."""
        return tuple(
            f.name for f in fields(cls) if f.name not in ("architecture", "vocabulary_size")
        )

    def to_dict(self) -> dict[str, Any]:
        """The fields as a checkpoint stores them: those of `defaults_when_absent` only if
        they differ."""
        absent = self.defaults_when_absent.items()
        stored = dict(field for field in asdict(self).items() if field not in absent)
        return {"model": stored.pop("architecture"), **stored}


def in_words(sizes: Mapping[str, Any]) -> str:
    """Sizes that a family adds, such as `heads 4, context 256, `; empty if there are none."""
    return "".join(f"{name.removeprefix('num_')} {value}, " for name, value in sizes.items())


@dataclass(frozen=True)
class Preset:
    """Settings for fast training on a text of about `characters` characters.

    `sizes` are fields of the family's configuration, the others are fields of `TrainConfig`.
    `ends` says that a run with a time limit also ends after `epochs`: on a text this small, a
    longer run would overfit.
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
    label_smoothing: float = 0.0
