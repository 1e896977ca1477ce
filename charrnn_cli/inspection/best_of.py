"""Which evaluation is the best of a run."""

from typing import NamedTuple

from charrnn_cli.checkpoints.checkpoint import Checkpoint, peek
from charrnn_cli.checkpoints.runs import Run
from charrnn_cli.errors import CheckpointError


class Best(NamedTuple):
    """The best evaluation of a run: its held-out loss in nats per character, and when it was."""

    val_loss: float
    step: int
    epoch: float


def best_of(best: Checkpoint | None, newest: Checkpoint) -> Best | None:
    """The best evaluation of the run with these checkpoints; None if there is none.

    It is that of `best`, which may be from an earlier course of training than the `newest`
    checkpoint; but a `best` of another text, on which losses do not compare, does not count.
    """
    measured = newest if best is None or _checksums(best) != _checksums(newest) else best
    progress = measured.progress
    loss, step = progress.best_val_loss, progress.best_step
    if loss is None:
        return None
    # a long history has lost its beginning; the epochs grow with the steps
    epoch = progress.epoch * step / max(1, progress.step)
    epochs = (record["epoch"] for record in measured.history if record["step"] == step)
    return Best(loss, step, next(epochs, epoch))


def best_beside(run: Run) -> Checkpoint | None:
    """The header of a run's `best`; None if it is missing or damaged."""
    try:
        return peek(run.best) if run.best.is_file() else None
    except CheckpointError:
        return None


def _checksums(checkpoint: Checkpoint) -> tuple[str, str | None]:
    val_text = checkpoint.val_text
    return checkpoint.corpus.sha256, None if val_text is None else val_text.sha256
