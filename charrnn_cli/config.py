"""Every setting: its meaning, its limits, its default; and the configurations built of them."""

import math
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from charrnn_cli.errors import UsageError


@dataclass(frozen=True)
class Setting:
    """The meaning and the limits of one setting; `help` is also the option's help text."""

    help: str
    at_least: float = -math.inf
    at_most: float = math.inf
    above: float = -math.inf
    below: float = math.inf

    @property
    def limits(self) -> str:
        """The limits in words, such as `at least 1 and at most 64`."""
        words = [
            f"{name} {limit:,.10g}"
            for name, limit in (
                ("above", self.above),
                ("at least", self.at_least),
                ("below", self.below),
                ("at most", self.at_most),
            )
            if math.isfinite(limit)
        ]
        return " and ".join(words)

    def allows(self, value: float) -> bool:
        """Whether `value` lies within the limits; NaN and infinities never do."""
        return (
            abs(value) <= sys.float_info.max  # an integer can be too large for math.isfinite
            and self.at_least <= value <= self.at_most
            and self.above < value < self.below
        )


MAX_VOCABULARY = 0x110000  # every code point there is
SAVE_EVERY = 120.0  # seconds
OPTIMIZERS = ("muon", "adamw")
PRECISIONS = ("float32", "bfloat16", "float16")

SETTINGS: Mapping[str, Setting] = {
    # model
    "vocabulary_size": Setting("Distinct characters.", at_least=2, at_most=MAX_VOCABULARY),
    "hidden_size": Setting("Units in each layer.", at_least=1, at_most=8192),
    "num_layers": Setting("Layers, one above the other.", at_least=1, at_most=16),
    "num_heads": Setting(
        "Attention heads in each layer of a transformer.", at_least=1, at_most=256
    ),
    "context": Setting("Characters that a transformer looks back on.", at_least=2, at_most=16_384),
    "dropout": Setting(
        "Share of each layer's output dropped at random while training.", at_least=0, below=1
    ),
    # training
    "epochs": Setting("Passes over the text, in all.", above=0, at_most=1_000_000),
    "minutes": Setting("Time allowed, start-up included.", above=0, at_most=1_000_000),
    "batch_size": Setting("Lanes of text read side by side.", at_least=1, at_most=65_536),
    "seq_length": Setting(
        "Characters of each lane read per step, the truncated-BPTT window.",
        at_least=1,
        at_most=65_536,
    ),
    "learning_rate": Setting("Highest learning rate of the schedule.", above=0, at_most=10),
    "warmup": Setting("Share of the run in which the learning rate rises.", at_least=0, at_most=1),
    "weight_decay": Setting(
        "Weights shrink at each step by this much times the learning rate.", at_least=0, at_most=10
    ),
    "grad_clip": Setting("Largest norm of the gradient; a larger one is scaled down.", above=0),
    "val_fraction": Setting(
        "Share of the text, at its end, held out to measure the loss.", above=0, at_most=0.9
    ),
    "patience": Setting(
        "Stop after this many evaluations in a row without a new best held-out loss.", at_least=1
    ),
    "eval_every": Setting("Steps between measurements of the held-out loss.", at_least=1),
    "min_count": Setting(
        "Characters that the text has fewer times are read as one, U+FFFD.", at_least=1
    ),
    "save_every": Setting(
        "Seconds between saves for --resume, at most: what a power cut can cost.", at_least=0
    ),
    "random_seed": Setting("Seed of the random generator.", at_least=0, at_most=2**32 - 1),
    "threads": Setting("CPU threads.", at_least=1, at_most=1024),
    # sampling
    "length": Setting(
        "Characters to write after the seed; 0: until stopped.", at_least=0, at_most=10**12
    ),
    "temperature": Setting(
        "Below 1 plays safe, above 1 takes risks; 0: always the most likely character.",
        at_least=0,
        at_most=1000,
    ),
    "top_k": Setting("Draw only from the K most likely characters.", at_least=1),
    "top_p": Setting(
        "Draw only from the most likely characters that together reach probability P.",
        above=0,
        at_most=1,
    ),
    "min_p": Setting(
        "Draw only from characters at least P times as likely as the most likely one.",
        at_least=0,
        at_most=1,
    ),
    "num_samples": Setting("Samples to write.", at_least=1, at_most=100_000),
}


def check(name: str, value: float) -> None:
    """Raise UsageError, naming the option, if `value` is outside the limits of setting `name`."""
    setting = SETTINGS[name]
    if not setting.allows(value):
        option = "--" + name.replace("_", "-")
        raise UsageError(f"{option} {value}: must be {setting.limits or 'a finite number'}.")


def check_all(values: Mapping[str, Any]) -> None:
    """Raise UsageError for the first value that its setting does not allow."""
    for name, value in values.items():
        if name in (kinds_of := {"optimizer": OPTIMIZERS, "precision": PRECISIONS}):
            kinds = tuple(kinds_of[name])
            if value not in kinds:
                words = ("auto", *kinds) if name == "precision" else kinds
                raise UsageError(f"--{name} {value}: must be one of {', '.join(words)}.")
        elif name in SETTINGS and value is not None:
            check(name, value)


class _Checked:
    """Checks each field that is a setting; None means off."""

    def __post_init__(self) -> None:
        check_all(vars(self))


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
