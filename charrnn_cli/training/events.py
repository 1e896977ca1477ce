"""The events of a training while it runs: its steps, its evaluations, its end."""

from dataclasses import dataclass
from typing import Literal

from charrnn_cli.checkpoints.records import Progress


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
    since the evaluation before."""

    step: int
    epoch: float
    train_loss: float
    val_loss: float
    learning_rate: float
    grad_norm: float
    chars_per_second: float
    seconds: float
    best: bool


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
