"""Which evaluation is the best of a run."""

from typing import NamedTuple

from charrnn_cli.checkpoints.checkpoint import Checkpoint
from charrnn_cli.checkpoints.runs import stored_checksums


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
    measured = newest
    if best is not None and stored_checksums(best) == stored_checksums(newest):
        measured = best
    progress = measured.progress
    loss, step = progress.best_val_loss, progress.best_step
    if loss is None:
        return None
    # a long history has lost its beginning; the epochs grow with the steps
    epoch = progress.epoch * step / max(1, progress.step)
    epochs = (record["epoch"] for record in measured.history if record["step"] == step)
    return Best(loss, step, next(epochs, epoch))
