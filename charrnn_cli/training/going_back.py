"""Where a resumed run starts: where it ended, or, if it is made much longer, in its middle, before
its learning rate fell."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from charrnn_cli.checkpoints.checkpoint import Checkpoint, load
from charrnn_cli.checkpoints.runs import Run, best_beside, stored_checksums
from charrnn_cli.errors import CheckpointError, UsageError
from charrnn_cli.settings.configs import TrainConfig
from charrnn_cli.training.best import Record
from charrnn_cli.training.planning import MIDDLE, planned_steps, share_of_time

# A run goes on from its middle if it is given at least so many times its length. On Tiny
# Shakespeare it then ended within 0.005 nats of a new run of that length; gone on with from its
# end, 0.03 worse (benchmarks/RESULTS.md).
MIN_TIMES_LONGER = 1.25


class Start(NamedTuple):
    """Where a resumed run starts: the checkpoint, the seconds that the run had taken up to it, and
    a note on it. `to_beat` is the evaluation of `best` if the checkpoint's history lacks it."""

    checkpoint: Checkpoint
    seconds: float
    note: str
    to_beat: Record | None
    from_middle: bool = False


def start_of(run: Run, last: Checkpoint, times: float) -> Start:
    """Where a run starts that is made so many `times` longer; `last` is its newest checkpoint."""
    note = f"run {run.name} goes on at step {last.progress.step:,}"
    middle = None
    if times >= MIN_TIMES_LONGER:
        try:
            middle = middle_of(run, last)
        except CheckpointError as error:
            note = f"{error} So {note}, where its learning rate had already fallen"
    if middle is None:
        return Start(last, seconds_spent(run, last), note, evaluation_to_beat(run, last))
    note = (
        f"run {run.name} goes on from its middle, at step {middle.progress.step:,} of the "
        f"{last.progress.step:,} made: at its end its learning rate had already fallen, so a "
        "longer run learns more from there. What it learned after its middle is given up; its best "
        "model is kept until there is a better one"
    )
    seconds, to_beat = seconds_spent(run, middle), evaluation_to_beat(run, middle)
    return Start(middle, seconds, note, to_beat, from_middle=True)


def refuse_if_complete(
    run: Run, checkpoint: Checkpoint, config: TrainConfig, epoch_steps: int, seconds: float
) -> None:
    """Raise UsageError if `config` leaves nothing to train after the `seconds` spent so far."""
    progress, epochs, minutes = checkpoint.progress, config.epochs, config.minutes
    done = epochs is not None and progress.step >= planned_steps(epochs, epoch_steps)
    spent = minutes is not None and seconds >= 60 * minutes
    if done and not progress.finished and config != checkpoint.train:
        raise UsageError(
            f"--epochs {epochs:g}: run {run.name} is at {progress.epoch:.1f} epochs already. Leave "
            "--epochs out to go on to its planned end."
        )
    if done or spent or (progress.finished and config == checkpoint.train):
        more = (
            f"--minutes {2 * max(minutes, seconds / 60):.3g}"
            if minutes is not None
            else f"--epochs {2 * max(epochs or 0, progress.epoch):.3g}"
        )
        raise UsageError(
            f"run {run.name} is complete at {progress.epoch:.1f} epochs. Give it more: {more}"
        )


def seconds_spent(run: Run, checkpoint: Checkpoint) -> float:
    """The seconds that a run had taken when a checkpoint of it was saved."""
    progress = checkpoint.progress
    return max(run.seconds_until(progress.step), progress.seconds or 0.0)


def times_longer(last: Checkpoint, config: TrainConfig, epoch_steps: int, seconds: float) -> float:
    """How many times as long as before `config` makes a run on which so many `seconds` were spent;
    1 if it had not come beyond its middle, or if that is not known."""
    before, after = (
        max(_share_of_steps(last, train, epoch_steps), share_of_time(train, seconds))
        for train in (last.train, config)
    )
    return before / after if before > MIDDLE and after > 0 else 1.0


def middle_of(run: Run, last: Checkpoint) -> Checkpoint | None:
    """The state that was kept in the middle of the course of training that `last` ends; None if
    there is none. Raises CheckpointError if it is damaged."""
    if not run.middle.is_file():
        return None
    middle = load(run.middle, training=True)
    end = {name: getattr(last.train, name) for name in ("epochs", "minutes", "patience")}
    of_course = (
        middle.model == last.model
        and dataclasses.replace(middle.train, **end) == last.train
        and stored_checksums(middle) == stored_checksums(last)
        and all(record in last.history for record in middle.history[-1:])
        and middle.progress.step < last.progress.step
    )
    return middle if of_course else None


def evaluation_to_beat(run: Run, checkpoint: Checkpoint) -> Record | None:
    """The evaluation of `best` if it is none of those in the history of the checkpoint that a run
    goes on from: it was made after that, or in a course of training that a resume went back on."""
    best = best_beside(run)
    if best is None or not best.history or stored_checksums(best) != stored_checksums(checkpoint):
        return None
    record = dict(best.history[-1])
    return None if record in checkpoint.history else record


def with_patience_for(config: TrainConfig, times: float, given: Mapping[str, Any]) -> TrainConfig:
    """The settings of a run made so many `times` longer: its patience grows as much, unless it was
    given."""
    if config.patience is None or "patience" in given:
        return config
    return dataclasses.replace(config, patience=math.ceil(times * config.patience))


def _share_of_steps(last: Checkpoint, train: TrainConfig, epoch_steps: int) -> float:
    return (
        0.0
        if train.epochs is None
        else last.progress.step / planned_steps(train.epochs, epoch_steps)
    )
