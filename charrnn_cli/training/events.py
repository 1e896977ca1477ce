"""The events of a training while it runs: its steps, its evaluations, its end."""

from dataclasses import dataclass
from typing import Literal

from charrnn_cli.checkpoints.records import Progress

_REMEMBERED = ("step", "epoch", "train_loss", "val_loss", "learning_rate", "grad_norm")


@dataclass(frozen=True)
class Stepped:
    """One optimizer update: the newest loss read, in nats per character, None if none was read
    since the update before; and the share of the run that is done."""

    step: int
    loss: float | None
    share: float


@dataclass(frozen=True)
class Evaluated:
    """One measurement of the held-out loss, a line of `metrics.jsonl`. Losses are in nats per
    character; `seconds` were spent on the run in all its sessions; `chars_per_second` is the speed
    since the evaluation before. `accuracy` is that of the held-out pairs, None for a text."""

    step: int
    epoch: float
    train_loss: float
    val_loss: float
    learning_rate: float
    grad_norm: float
    chars_per_second: float
    seconds: float
    best: bool
    accuracy: "Accuracy | None" = None

    def remembered(self) -> dict[str, float]:
        """The fields that equal runs have in common, for a checkpoint's history."""
        values = {name: getattr(self, name) for name in _REMEMBERED}
        return values if self.accuracy is None else values | self.accuracy.record()

    def record(self) -> dict[str, float]:
        """The evaluation as `metrics.jsonl` has it."""
        values = dict(vars(self))
        del values["best"], values["accuracy"]
        return values if self.accuracy is None else values | self.accuracy.record()


@dataclass(frozen=True)
class Accuracy:
    """How many held-out pairs a model gets right when it decodes greedily.

    `exact_matches` is the share of the outputs that are the target, and `character_error_rate` the
    edit distances of all outputs divided by the characters of all targets. `examples` are some of
    the pairs, always the same.
    """

    exact_matches: float
    character_error_rate: float
    examples: tuple["Example", ...] = ()

    def record(self) -> dict[str, float]:
        """The two figures, by name."""
        return {
            "exact_matches": self.exact_matches,
            "character_error_rate": self.character_error_rate,
        }


@dataclass(frozen=True)
class Example:
    """A source, its target, and what a model makes of the source. Features stand in front of the
    source."""

    source: str
    target: str
    output: str


@dataclass(frozen=True)
class Finished:
    """The end of a run: complete as planned, patience exhausted, or stopped from outside."""

    reason: Literal["complete", "patience", "stopped"]
    progress: Progress


@dataclass(frozen=True)
class Noted:
    """Something that the user should know, in whole sentences; the training goes on."""

    text: str


Event = Stepped | Evaluated | Noted | Finished
