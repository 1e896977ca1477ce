"""What the user asks of a training, and the training that is made of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from charrnn_cli.settings import SAVE_EVERY
from charrnn_cli.text.corpus import Corpus
from charrnn_cli.training.trainer import Trainer

Read = Callable[[str, str], Corpus]
"""Reads a text from a path, or from stdin for `-`, in a normal form or `none`."""


@dataclass(frozen=True)
class Request:
    """What the user asked for. `given` has only the settings that were set, by name.

    `resume` and `init_from` name a run or a checkpoint; an empty `resume` means the newest run.
    `started` is the `time.monotonic()` of the command's start, from which a time limit counts.
    """

    source: str | None
    given: Mapping[str, Any]
    checkpoints: Path
    started: float
    name: str | None = None
    resume: str | None = None
    init_from: str | None = None
    device: str = "auto"
    threads: int | None = None
    save_every: float = SAVE_EVERY
    from_best: bool = False
    changed_text: bool = False


@dataclass(frozen=True)
class Training:
    """A training that is ready to start; `notes` says in words what was changed on the way."""

    trainer: Trainer
    chars_per_second: float
    notes: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """An estimate of the seconds that the rest of the run takes, evaluations left out."""
        trainer, config = self.trainer, self.trainer.config
        steps = trainer.total_steps - trainer.progress.step
        seconds = steps * config.batch_size * config.seq_length / self.chars_per_second
        if config.minutes is not None:
            seconds = min(seconds, 60 * config.minutes - trainer.seconds())
        return max(0.0, seconds)
