"""What the user asks of a training, and the training that is made of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from charrnn_cli.settings.table import SAVE_EVERY, BestBy
from charrnn_cli.text.corpus import Corpus
from charrnn_cli.text.pair_format import PairFormat
from charrnn_cli.text.pairs import Pairs
from charrnn_cli.text.sources import Sources

if TYPE_CHECKING:
    from charrnn_cli.training.trainer import Trainer  # imports PyTorch


@dataclass(frozen=True)
class PairsRequest:
    """How pairs are to be read: which columns, whether bad lines are skipped, which file is held
    out (None: a random part), and what the best checkpoint is chosen by."""

    format: PairFormat = field(default_factory=PairFormat)
    val_source: str | None = None
    skip_bad_lines: bool = False
    best_by: BestBy = "exact"


class Reader(Protocol):
    """Reads texts and pairs, from files or stdin, the same for all processes of a training."""

    def text(self, sources: Sources) -> Corpus:
        """A text. Raises TextError."""

    def pairs(self, source: str, request: PairsRequest) -> Pairs:
        """Pairs. Raises TextError."""


@dataclass(frozen=True)
class Request:
    """What the user asked for. `given` has only the settings that were set, by name.

    `resume` and `init_from` name a run or a checkpoint; an empty `resume` means the newest run.
    `sources` are files, folders or `-`; `val_sources` those of a held-out text of the user's own.
    `glob` is the pattern of the names that are read in folders. `pairs` is None for a text.
    `started` is the `time.monotonic()` of the command's start, from which a time limit counts.
    """

    sources: tuple[str, ...]
    given: Mapping[str, Any]
    checkpoints: Path
    started: float
    val_sources: tuple[str, ...] = ()
    glob: str | None = None
    name: str | None = None
    resume: str | None = None
    init_from: str | None = None
    device: str = "auto"
    threads: int | None = None
    save_every: float = SAVE_EVERY
    from_best: bool = False
    changed_text: bool = False
    pairs: PairsRequest | None = None


@dataclass(frozen=True)
class Training:
    """A training that is ready to start; `notes` says in words what was changed on the way."""

    trainer: "Trainer"
    chars_per_second: float
    notes: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """An estimate of the seconds that the rest of the run takes, evaluations left out."""
        trainer, config = self.trainer, self.trainer.config
        steps = trainer.total_steps - trainer.progress.step
        seconds = steps * trainer.predictions_per_step / self.chars_per_second
        if config.minutes is not None:
            seconds = min(seconds, 60 * config.minutes - trainer.seconds())
        return max(0.0, seconds)
