"""Going on with a run: its last state, its own text, and something left to do."""

import dataclasses
import os
from collections import Counter
from collections.abc import Mapping
from typing import Any, cast

import torch

from charrnn_cli.checkpoints.checkpoint import Checkpoint, load
from charrnn_cli.checkpoints.records import CorpusInfo
from charrnn_cli.checkpoints.runs import Run, stored_checksums, text_paths
from charrnn_cli.errors import CheckpointError, TextError, UsageError
from charrnn_cli.models.autocast import choose_precision
from charrnn_cli.models.device import memory_limit
from charrnn_cli.models.weights import trained_model
from charrnn_cli.settings.configs import TrainConfig
from charrnn_cli.text.arranging import arranged
from charrnn_cli.text.dataset import Dataset, Identified
from charrnn_cli.text.holding_out import HoldOut
from charrnn_cli.text.pairs import Pairs
from charrnn_cli.text.reader import checksum
from charrnn_cli.text.sources import Sources
from charrnn_cli.training.baselines import baselines_of
from charrnn_cli.training.distributed.group import Group
from charrnn_cli.training.early_checks import (
    CHANGEABLE,
    check_state,
    from_best_command,
    one_file,
)
from charrnn_cli.training.going_back import (
    refuse_if_complete,
    seconds_spent,
    start_of,
    times_longer,
    with_patience_for,
)
from charrnn_cli.training.pair_runs import checksums, pairs_info, request_to_resume
from charrnn_cli.training.request import PairsRequest, Reader, Request, Training
from charrnn_cli.training.throughput import measure_speed
from charrnn_cli.training.trainer import Trainer


def as_resume(request: Request, run: Run) -> Request:
    """The request for a new run turned into one to resume what was saved of that run."""
    return dataclasses.replace(
        request,
        resume=str(run.folder),
        from_best=not run.last.is_file(),
        given={},  # they are in the run's checkpoint, as is how pairs are read
        pairs=None if request.pairs is None else PairsRequest(val_source=request.pairs.val_source),
        name=None,
        init_from=None,
    )


def resume_training(
    request: Request, run: Run, device: torch.device, group: Group, reader: Reader
) -> Training:
    """A run as its checkpoint left it, with more epochs or minutes if the request gives them.

    Raises CharRNNError; nothing is written before it is certain that the run can go on.
    """
    checkpoint = group.decide(lambda: load_to_resume(run, request.from_best))
    config = with_new_end(checkpoint.train, request.given)
    asked = request.pairs
    if asked is None and checkpoint.pairs is not None and request.val_sources:
        asked = PairsRequest(val_source=request.val_sources[0])
    pairs = request_to_resume(run, checkpoint, asked)
    if pairs is None:
        dataset, notes = text_to_resume(run, checkpoint, request, reader)
    else:
        dataset, notes = pairs_to_resume(run, checkpoint, request, reader, pairs)
    train_part, _ = dataset.split(config.val_fraction)
    epoch_steps = train_part.steps_per_epoch(config)
    seconds = group.decide(lambda: seconds_spent(run, checkpoint))
    refuse_if_complete(run, checkpoint, config, epoch_steps, seconds)
    times = 1.0 if request.from_best else times_longer(checkpoint, config, epoch_steps, seconds)
    start = group.decide(lambda: start_of(run, checkpoint, times))
    if start.from_middle:
        config = with_patience_for(config, times, request.given)
    checkpoint, seconds, to_beat = start.checkpoint, start.seconds, start.to_beat
    notes += (start.note,)
    if checksums(dataset) != stored_checksums(checkpoint):
        checkpoint, to_beat = without_losses(checkpoint), None
    progress = checkpoint.progress
    choose_precision(config.precision, device, checkpoint.model)  # refuses a missing one
    if request.threads is None and group.size == 1 and checkpoint.threads:
        notes += _set_threads(checkpoint.threads, device)
    with memory_limit(config):
        model = trained_model(checkpoint.model, checkpoint.weights, device)
    speed = measure_speed(model, config, train_part, group)
    # a run of an earlier version has no baselines
    baselines = checkpoint.baselines or group.decide(lambda: baselines_of(dataset, config))
    trainer = Trainer(
        model,
        dataset,
        config,
        run,
        started=request.started,
        seconds_before=seconds,
        save_every=request.save_every,
        resumed=checkpoint,
        to_beat=to_beat,
        baselines=baselines,
        pairs=pairs_info(dataset, config, pairs),
        group=group,
    )
    if start.from_middle:  # first: a kill in between must not leave an end without its metrics
        run.save(run.last, trainer.checkpoint(training=True))
    run.drop_metrics_after(progress.step)
    return Training(trainer, speed, notes)


def load_to_resume(run: Run, from_best: bool) -> Checkpoint:
    """The checkpoint that a run goes on from: `last`, or `best` if asked for.

    Raises CheckpointError, naming the ways on, if that one is missing or damaged.
    """
    if from_best:
        return load(run.best)
    check_state(run)
    try:
        return load(run.last, training=True)
    except CheckpointError as error:
        if not run.best.is_file():
            raise
        raise CheckpointError(
            f"{error} To go on from its best instead: {from_best_command(run)}"
        ) from None


def with_new_end(config: TrainConfig, given: Mapping[str, Any]) -> TrainConfig:
    """A run's settings with what a resume may change. New epochs or minutes replace the old end,
    whichever of the two it was."""
    changes = {name: given[name] for name in CHANGEABLE & set(given)}
    if "epochs" in changes or "minutes" in changes:
        changes = {"epochs": None, "minutes": None} | changes
    return dataclasses.replace(config, **changes)


def text_to_resume(
    run: Run, checkpoint: Checkpoint, request: Request, reader: Reader
) -> tuple[Dataset, tuple[str, ...]]:
    """The text that a run goes on with, in its model's vocabulary, and notes on it: the text that
    the request names, or else the one that the checkpoint does.

    Raises UsageError if there is none, and TextError if the text has changed, unless the request
    insists on it; then still if the model does not know its characters or it is too short.
    """
    lines, glob = checkpoint.train.lines, request.glob or checkpoint.corpus.glob
    paths = request.sources or text_paths(checkpoint.corpus)
    if not paths:
        raise _no_text(run, checkpoint, request)
    sources = Sources(paths, glob, lines, checkpoint.train.normalize)
    corpus = reader.text(sources)
    config, known = checkpoint.train, checkpoint.vocabulary
    changed = _check_text(corpus, checkpoint.corpus, run, request)
    corpus.recode(known, fold=config.min_count > 1)
    val_text = None
    if checkpoint.val_text is not None:
        val_paths = request.val_sources or text_paths(checkpoint.val_text)
        if not val_paths:
            raise _no_text(run, checkpoint, request)
        val_text = reader.text(sources._replace(paths=val_paths))
        changed += _check_text(val_text, checkpoint.val_text, run, request)
        val_text.recode(known, fold=config.min_count > 1)
    elif request.val_sources:
        raise UsageError(
            "--val-text: a resumed run keeps its held-out part. Leave --val-text out, or train a "
            f"new run: --init-from {run.name}"
        )
    hold_out = None if config.hold_out == "text" else cast(HoldOut, config.hold_out)
    dataset = arranged(corpus, lines=lines, hold_out=hold_out, val_text=val_text)
    train_part, _ = dataset.split(config.val_fraction)
    if not train_part.steps_per_epoch(config):
        batch = f"{config.batch_size:,} x {config.seq_length:,}"
        raise TextError(
            f"{corpus.name}: {len(train_part):,} characters to train on; they do not fill one "
            f"batch of run {run.name}, {batch}. Give it a longer text."
        )
    return dataset, corpus.notes + changed


def pairs_to_resume(
    run: Run, checkpoint: Checkpoint, request: Request, reader: Reader, pairs: PairsRequest
) -> tuple[Pairs, tuple[str, ...]]:
    """The pairs that a run goes on with; as `text_to_resume`."""
    paths = request.sources or text_paths(checkpoint.corpus)
    if not paths:
        raise _no_text(run, checkpoint, request)
    dataset = _read_pairs(one_file(paths), run, checkpoint, request, reader, pairs)
    config = checkpoint.train
    changed = _check_text(dataset, checkpoint.corpus, run, request)
    if dataset.val_text is not None and checkpoint.val_text is not None:
        changed += _check_text(dataset.val_text, checkpoint.val_text, run, request)
    assert checkpoint.pairs is not None
    dataset.recode(checkpoint.pairs.source, checkpoint.pairs.target, fold=config.min_count > 1)
    train_part, _ = dataset.split(config.val_fraction)
    if not train_part.steps_per_epoch(config):
        raise TextError(
            f"{dataset.name}: too few pairs to train on; a batch of run {run.name} has "
            f"{config.batch_size:,}. Give it more pairs."
        )
    return dataset, dataset.notes + changed


def _read_pairs(
    source: str, run: Run, checkpoint: Checkpoint, request: Request, reader: Reader,
    pairs: PairsRequest,
) -> Pairs:  # fmt: skip
    """The pairs of a file. What cannot be read as those of the run is named as another file if it
    is one, unless the request insists on it. Raises TextError."""
    try:
        return reader.pairs(source, pairs)
    except TextError:
        if request.changed_text:
            raise
        files = (source, checkpoint.corpus), (pairs.val_source, checkpoint.val_text)
        for path, stored in files:
            if path is None or stored is None or not os.path.isfile(path):
                continue
            if (sha256 := checksum(path)) != stored.sha256:
                what = _checksums_in_words(sha256, stored)
                raise TextError(
                    f"{path}: not the text of run {run.name} ({what}), and cannot be read as its "
                    "pairs are. Give that text."
                ) from None
        raise


def _checksums_in_words(sha256: str, stored: CorpusInfo) -> str:
    return f"SHA-256 {sha256[:12]}…, was {stored.sha256[:12]}…"


def _check_text(
    text: Identified, stored: CorpusInfo, run: Run, request: Request
) -> tuple[str, ...]:
    """A note if a text has changed since a checkpoint was written. Raises TextError then, unless
    the request insists on the new text."""
    if text.sha256 == stored.sha256:
        return ()
    what = _checksums_in_words(text.sha256, stored)
    if stored.file_sha256s:
        files = text.reading.file_sha256s
        same = (Counter(files) & Counter(stored.file_sha256s)).total()
        what += f"; {same:,} of its {len(stored.file_sha256s):,} files are the same"
    if not request.changed_text:
        raise TextError(
            f"{text.name}: not the text of run {run.name} ({what}). Give "
            "that text, insist on this one with --changed-text, or train a new run on it: "
            f"--init-from {run.name}"
        )
    return (f"the text has changed ({what}): the best is sought anew on this one",)


def without_losses(checkpoint: Checkpoint) -> Checkpoint:
    """A checkpoint for another text, on which the losses measured so far do not compare."""
    progress = dataclasses.replace(
        checkpoint.progress, best_val_loss=None, best_step=0, since_best=0, loss_sum=0.0
    )
    return dataclasses.replace(checkpoint, progress=progress, history=(), baselines=None)


def _no_text(run: Run, checkpoint: Checkpoint, request: Request) -> UsageError:
    path = checkpoint.corpus.path
    again = resume_command(run, checkpoint, request)
    if request.from_best and path is None:  # `best` never names it, since it may be given to others
        return UsageError(f"{run.best} does not say where its text is; give it: {again}")
    if not path:
        again = "COMMAND | " + again.replace("train TEXT", "train -", 1)
        return UsageError(
            f"the text of run {run.name}, which came through a pipe, is not there; give it again: "
            f"{again}"
        )
    missing = checkpoint.corpus
    if checkpoint.val_text is not None and text_paths(missing):
        missing = checkpoint.val_text
    places = ", ".join(missing.sources or (missing.path or "a pipe",))
    return UsageError(f"the text of run {run.name}, {places}, is not there; give it again: {again}")


def resume_command(run: Run, checkpoint: Checkpoint, request: Request) -> str:
    """The command that resumes a run whose text has to be given again."""
    val_text = " --val-text FILE" if checkpoint.val_text is not None else ""
    again = f"charrnn train TEXT --resume {run.name}{val_text}"
    return again + " --from-best" * request.from_best + " --changed-text" * request.changed_text


def _set_threads(count: int, device: torch.device) -> tuple[str, ...]:
    """Compute with as many threads as before: another number changes the last bits. Returns a note
    if there could be more."""
    every = torch.get_num_threads()
    torch.set_num_threads(count)
    if count >= every or device.type != "cpu":
        return ()
    return (f"{count} thread{'s' * (count > 1)}, as before; --threads {every} takes all",)
