"""Going on with a run: its last state, its own text, and something left to do."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch

from charrnn_cli.checkpoints.checkpoint import Checkpoint, load
from charrnn_cli.checkpoints.runs import Run, text_path
from charrnn_cli.config import TrainConfig
from charrnn_cli.errors import CheckpointError, TextError, UsageError
from charrnn_cli.models.autocast import choose_precision
from charrnn_cli.models.device import memory_limit
from charrnn_cli.models.weights import trained_model
from charrnn_cli.text.corpus import Corpus
from charrnn_cli.training.baselines import baselines_of
from charrnn_cli.training.distributed.group import Group
from charrnn_cli.training.planning import planned_steps
from charrnn_cli.training.request import Read, Request, Training
from charrnn_cli.training.throughput import measure_speed
from charrnn_cli.training.trainer import Trainer

CHANGEABLE = frozenset({"epochs", "minutes", "patience"})  # settings that a resume may change


def as_resume(request: Request, run: Run) -> Request:
    """The request for a new run turned into one to resume what was saved of that run."""
    return dataclasses.replace(
        request,
        resume=str(run.folder),
        from_best=not run.last.is_file(),
        given={},  # they are in the run's checkpoint
        name=None,
        init_from=None,
    )


def resume_training(
    request: Request, run: Run, device: torch.device, group: Group, read: Read
) -> Training:
    """A run as its checkpoint left it, with more epochs or minutes if the request gives them.

    Raises CharRNNError; nothing is written before it is certain that the run can go on.
    """
    refuse_fixed_settings(request)
    checkpoint = group.decide(lambda: load_to_resume(run, request.from_best))
    config = with_new_end(checkpoint.train, request.given)
    corpus, notes = text_to_resume(run, checkpoint, request, read)
    notes += (f"run {run.name} goes on at step {checkpoint.progress.step:,}",)
    if corpus.sha256 != checkpoint.corpus.sha256:
        checkpoint = without_losses(checkpoint)
    progress = checkpoint.progress
    seconds = max(group.decide(lambda: run.seconds_until(progress.step)), progress.seconds or 0.0)
    train_part, _ = corpus.split(config.val_fraction)
    refuse_if_complete(run, checkpoint, config, train_part.steps_per_epoch(config), seconds)
    choose_precision(config.precision, device, checkpoint.model)  # refuses a missing one
    if request.threads is None and group.size == 1 and checkpoint.threads:
        notes += _set_threads(checkpoint.threads, device)
    with memory_limit(config):
        model = trained_model(checkpoint.model, checkpoint.weights, device)
    speed = measure_speed(model, config, train_part, group)
    # a run of an earlier version has no baselines
    baselines = checkpoint.baselines or group.decide(lambda: baselines_of(corpus, config))
    trainer = Trainer(
        model,
        corpus,
        config,
        run,
        started=request.started,
        seconds_before=seconds,
        save_every=request.save_every,
        resumed=checkpoint,
        baselines=baselines,
        group=group,
    )
    run.drop_metrics_after(progress.step)
    return Training(trainer, speed, notes)


def refuse_fixed_settings(request: Request) -> None:
    """Raise UsageError if a request changes what a resumed run keeps."""
    fixed = sorted(set(request.given) - CHANGEABLE)
    if fixed or request.name is not None:
        option = "--" + (fixed[0] if fixed else "name").replace("_", "-")
        raise UsageError(
            f"{option}: a resumed run keeps its settings; only --epochs, --minutes and --patience "
            f"can change. Leave {option} out."
        )


def load_to_resume(run: Run, from_best: bool) -> Checkpoint:
    """The checkpoint that a run goes on from: `last`, or `best` if asked for.

    Raises CheckpointError, naming the ways on, if that one is missing or damaged.
    """
    if from_best:
        return load(run.best)
    again = f"charrnn train TEXT --resume {run.name} --from-best"
    if not run.last.is_file():
        raise CheckpointError(
            f"run {run.name} holds a model but no training to go on with. Go on from its weights: "
            f"{again}; or start a new run from them: charrnn train TEXT --init-from {run.name}"
        )
    try:
        return load(run.last, training=True)
    except CheckpointError as error:
        if not run.best.is_file():
            raise
        raise CheckpointError(f"{error} To go on from its best instead: {again}") from None


def with_new_end(config: TrainConfig, given: Mapping[str, Any]) -> TrainConfig:
    """A run's settings with what a resume may change. New epochs or minutes replace the old end,
    whichever of the two it was."""
    changes = {name: given[name] for name in CHANGEABLE & set(given)}
    if "epochs" in changes or "minutes" in changes:
        changes = {"epochs": None, "minutes": None} | changes
    return dataclasses.replace(config, **changes)


def text_to_resume(
    run: Run, checkpoint: Checkpoint, request: Request, read: Read
) -> tuple[Corpus, tuple[str, ...]]:
    """The text that a run goes on with, in its model's vocabulary, and notes on it: the text that
    the request names, or else the one that the checkpoint does.

    Raises UsageError if there is none, and TextError if the text has changed, unless the request
    insists on it; then still if the model does not know its characters or it is too short.
    """
    source = request.source or text_path(checkpoint.corpus)
    if source is None:
        raise _no_text(run, checkpoint, request)
    corpus = read(source, checkpoint.train.normalize)
    old, new = checkpoint.corpus.sha256[:12], corpus.sha256[:12]
    config = checkpoint.train
    changed = corpus.sha256 != checkpoint.corpus.sha256
    if changed and not request.changed_text:
        raise TextError(
            f"{corpus.name}: not the text of run {run.name} (SHA-256 {new}…, was {old}…). Give "
            "that text, insist on this one with --changed-text, or train a new run on it: "
            f"--init-from {run.name}"
        )
    corpus.recode(checkpoint.vocabulary, fold=config.min_count > 1)
    train_part, _ = corpus.split(config.val_fraction)
    if not train_part.steps_per_epoch(config):
        needed = config.batch_size * config.seq_length + 1
        raise TextError(
            f"{corpus.name}: {len(train_part):,} characters to train on; the batches of run "
            f"{run.name} need {needed:,}. Give it a longer text."
        )
    if not changed:
        return corpus, corpus.notes
    note = f"the text has changed (SHA-256 {new}…, was {old}…): the best is sought anew on this one"
    return corpus, (*corpus.notes, note)


def without_losses(checkpoint: Checkpoint) -> Checkpoint:
    """A checkpoint for another text, on which the losses measured so far do not compare."""
    progress = dataclasses.replace(
        checkpoint.progress, best_val_loss=None, best_step=0, since_best=0
    )
    return dataclasses.replace(checkpoint, progress=progress, history=(), baselines=None)


def refuse_if_complete(
    run: Run, checkpoint: Checkpoint, config: TrainConfig, epoch_steps: int, seconds: float
) -> None:
    """Raise UsageError if `config` leaves nothing to train after the `seconds` spent so far."""
    progress, epochs, minutes = checkpoint.progress, config.epochs, config.minutes
    done = epochs is not None and progress.step >= planned_steps(epochs, epoch_steps)
    spent = minutes is not None and seconds >= 60 * minutes
    if done or spent or (progress.finished and config == checkpoint.train):
        more = (
            f"--minutes {2 * max(minutes, seconds / 60):.3g}"
            if minutes is not None
            else f"--epochs {2 * max(epochs or 0, progress.epoch):g}"
        )
        raise UsageError(
            f"run {run.name} is complete at {progress.epoch:.1f} epochs. Give it more: {more}"
        )


def _no_text(run: Run, checkpoint: Checkpoint, request: Request) -> UsageError:
    path = checkpoint.corpus.path
    again = f"charrnn train TEXT --resume {run.name}"
    again += " --from-best" * request.from_best + " --changed-text" * request.changed_text
    if request.from_best and path is None:  # `best` never names it, since it may be given to others
        return UsageError(f"{run.best} does not say where its text is; give it: {again}")
    if not path:
        return UsageError(
            f"the text of run {run.name}, which came through a pipe, is not there; give it again: "
            f"{again}"
        )
    return UsageError(f"the text of run {run.name}, {path}, is not there; give it again: {again}")


def _set_threads(count: int, device: torch.device) -> tuple[str, ...]:
    """Compute with as many threads as before: another number changes the last bits. Returns a note
    if there could be more."""
    every = torch.get_num_threads()
    torch.set_num_threads(count)
    if count >= every or device.type != "cpu":
        return ()
    return (f"{count} thread{'s' * (count > 1)}, as before; --threads {every} takes all",)
