"""The three ways a training begins: anew, from another model's weights, or where a run left off."""

import dataclasses
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from charrnn_cli.checkpoints.checkpoint import load
from charrnn_cli.checkpoints.records import Baselines
from charrnn_cli.checkpoints.runs import Run, create_run, find_checkpoint, find_run
from charrnn_cli.config import SAVE_EVERY, TrainConfig, check
from charrnn_cli.errors import UsageError
from charrnn_cli.models.autocast import choose_precision
from charrnn_cli.models.base import ModelConfig
from charrnn_cli.models.device import memory_limit, processor
from charrnn_cli.models.module import Model
from charrnn_cli.models.weights import load_known_weights, new_model, trained_model
from charrnn_cli.text.corpus import MAX_MEASURED, Corpus, Watch
from charrnn_cli.text.vocabulary import REPLACEMENT
from charrnn_cli.training.baselines import measure_baselines
from charrnn_cli.training.distributed.elastic import recall, remember, taken_up
from charrnn_cli.training.distributed.group import ALONE, Group, read_together
from charrnn_cli.training.planning import VAL_FRACTION, Plan, make_plan
from charrnn_cli.training.resume import load_to_resume, refuse_if_complete, text_to_resume
from charrnn_cli.training.throughput import Speeds, measure_speed
from charrnn_cli.training.trainer import Trainer

MOST_RESERVED = 0.2  # of a time limit, for the first evaluation
LARGE_VOCABULARY = 1_000  # characters: an alphabet has a tenth of that
COMMON = 10  # times that a character occurs, of which something can be learned
RESUME_MAY_CHANGE = frozenset({"epochs", "minutes", "patience"})


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
    """A training ready to go; `notes` says in words what was changed on the way."""

    trainer: Trainer
    chars_per_second: float
    notes: tuple[str, ...] = field(default=())

    @property
    def seconds(self) -> float:
        """An estimate of the time that the rest of the run takes, evaluations left out."""
        trainer, config = self.trainer, self.trainer.config
        steps = trainer.total_steps - trainer.progress.step
        seconds = steps * config.batch_size * config.seq_length / self.chars_per_second
        if config.minutes is not None:
            seconds = min(seconds, 60 * config.minutes - trainer.seconds())
        return max(0.0, seconds)


@contextmanager
def open_training(
    request: Request, group: Group = ALONE, watch: Watch = lambda stream: None
) -> Iterator[Training]:
    """Prepare what `request` asks for and hold its run folder while the body trains.

    Every process of a `group` prepares the same; the first holds the folder. A new run goes on
    where it was saved if the launcher has restarted it. `watch` sees the text being read. All that
    can be refused is refused before anything is written. Raises CharRNNError.
    """
    if request.resume is not None and request.init_from is not None:
        raise UsageError("--resume and --init-from exclude each other: use one of them.")
    for name in ("from_best", "changed_text"):
        if getattr(request, name) and request.resume is None:
            raise UsageError(f"--{name.replace('_', '-')} is for --resume. Leave it out.")
    if request.threads is not None:
        check("threads", request.threads)
    check("save_every", request.save_every)
    device = group.connect(request.device)
    with processor(request.threads or group.threads):
        yield from _open(request, device, group, watch)


def _open(request: Request, device: torch.device, group: Group, watch: Watch) -> Iterator[Training]:
    if request.resume is None:
        earlier = group.decide(lambda: recall(request.checkpoints))
        request = taken_up(request, earlier) if earlier else request
    if request.resume is not None:
        which = request.resume or None
        run = group.writer(group.decide(lambda: find_run(which, request.checkpoints)))
        with run.locked():
            yield _resume(request, run, device, group, watch)
        return
    model, corpus, plan, speed = _begin(request, device, group, watch)
    run = group.writer(group.decide(lambda: _create(request, corpus)))
    try:
        with run.locked():
            trainer = Trainer(
                model,
                corpus,
                plan.train,
                run,
                started=request.started,
                reserve=_evaluation_seconds(corpus, plan.train, speed),
                save_every=request.save_every,
                baselines=_baselines(corpus, plan.train, group),
                group=group,
            )
            yield Training(trainer, speed, corpus.notes + plan.notes)
    finally:
        run.remove_if_empty()


def _create(request: Request, corpus: Corpus) -> Run:
    run = create_run(request.checkpoints, request.name, corpus.name)
    remember(run)
    return run


def _begin(
    request: Request, device: torch.device, group: Group, watch: Watch
) -> tuple[Model, Corpus, Plan, float]:
    """A new model for a text, the plan for it, and the speed measured."""
    if request.source is None:
        raise UsageError("name the text to train on: charrnn train TEXT (or - for stdin).")
    given = dict(request.given)
    source = None
    if (init_from := request.init_from) is not None:
        source = group.decide(lambda: load(find_checkpoint(init_from, request.checkpoints)))
        _take_sizes(given, source.model)
    corpus = read_together(request.source, group, watch)
    corpus.fold_rare(given.get("min_count", 1))
    if "val_fraction" in given:
        check("val_fraction", given["val_fraction"])
    train_part, held_out_part = corpus.split(given.get("val_fraction", VAL_FRACTION))
    precision = given.pop("precision", "auto")

    def with_precision(model: ModelConfig, train: TrainConfig) -> TrainConfig:
        chosen = group.decide(lambda: choose_precision(precision, device, model))
        return dataclasses.replace(train, precision=chosen)

    speeds = Speeds(train_part, device, group)

    def measure(model: ModelConfig, train: TrainConfig) -> float:
        return speeds(model, with_precision(model, train))

    def planned() -> Plan:
        plan = make_plan(train_part, held_out_part, given, measure, group.size)
        return dataclasses.replace(plan, train=with_precision(plan.model, plan.train))

    plan, threads = planned(), torch.get_num_threads()
    chosen = request.threads is not None or "OMP_NUM_THREADS" in os.environ or group.size > 1
    may_choose = device.type == "cpu" and not chosen and threads > 1
    alone = may_choose and speeds.one_is_faster(threads, plan.model, plan.train)
    if alone:
        torch.set_num_threads(1)
        again = planned()  # the time may be enough for more
        if speeds.one_is_faster(threads, again.model, again.train):
            plan = again
    train, speed = plan.train, speeds(plan.model, plan.train)
    model = new_model(plan.model, train, device)
    notes = plan.notes + _large_vocabulary(corpus, plan)
    if train.precision == "float16" and device.type == "cpu":
        notes += ("float16 is slow on a processor: bfloat16 or float32 trains faster",)
    if source is not None:
        known, new = load_known_weights(model, corpus.vocabulary, source.weights, source.vocabulary)
        notes += (f"weights from {request.init_from}: {known} characters known, {new} new",)
    if alone:
        notes += (
            f"one thread is faster now than {threads}, so one is used; --threads {threads} insists "
            "on all",
        )
    return model, corpus, dataclasses.replace(plan, notes=notes), speed


def _large_vocabulary(corpus: Corpus, plan: Plan) -> tuple[str, ...]:
    """A word on a vocabulary that most of the model and of the time goes to."""
    size = len(corpus.vocabulary)
    if size <= LARGE_VOCABULARY:
        return ()
    shapes = plan.model.parameter_shapes()
    tables = [shapes[name] for name in plan.model.vocabulary_axes() if len(shapes[name]) > 1]
    theirs = sum(map(math.prod, tables))
    common = corpus.vocabulary.code_points[corpus.counts() >= COMMON].tolist()
    left = len({*common, ord(REPLACEMENT)})
    advice = f"; --min-count {COMMON} would leave {left:,}" if left < size else ""
    share = theirs / plan.model.parameters
    return (f"{size:,} distinct characters take {share:.0%} of the parameters{advice}",)


def _evaluation_seconds(corpus: Corpus, config: TrainConfig, speed: float) -> float:
    """What the first evaluation may take: a character costs half of one of training at most."""
    _, held_out = corpus.split(config.val_fraction)
    seconds = 0.5 + min(len(held_out), MAX_MEASURED) / (2 * speed)
    return seconds if config.minutes is None else min(seconds, MOST_RESERVED * 60 * config.minutes)


def _baselines(corpus: Corpus, config: TrainConfig, group: Group) -> Baselines:
    train, held_out = corpus.split(config.val_fraction)
    size = len(corpus.vocabulary)
    return group.decide(lambda: measure_baselines(train.ids, held_out.ids, size, config.minutes))


def _take_sizes(given: dict[str, Any], source: ModelConfig) -> None:
    """Give a new model the kind and size of the one it starts from. Raises UsageError."""
    for name in ("model", *(name for name in source.sizes() if name != "dropout")):
        value = source.to_dict()[name]
        if given.setdefault(name, value) != value:
            option = "--" + name.replace("_", "-")
            raise UsageError(
                f"{option} {given[name]}: the model of --init-from has {value}. Leave {option} out."
            )


def _resume(
    request: Request, run: Run, device: torch.device, group: Group, watch: Watch
) -> Training:
    """The run as its `last` checkpoint left it, with more epochs or minutes if given."""
    fixed = sorted(set(request.given) - RESUME_MAY_CHANGE)
    if fixed or request.name is not None:
        option = "--" + (fixed[0] if fixed else "name").replace("_", "-")
        raise UsageError(
            f"{option}: a resumed run keeps its settings; only --epochs, --minutes and --patience "
            f"can change. Leave {option} out."
        )
    checkpoint = group.decide(lambda: load_to_resume(run, request.from_best))
    config = checkpoint.train
    epochs, minutes = request.given.get("epochs"), request.given.get("minutes")
    if epochs is not None or minutes is not None:
        # a new end replaces the old one, of whichever kind that was
        config = dataclasses.replace(config, epochs=epochs, minutes=minutes)
    if "patience" in request.given:
        config = dataclasses.replace(config, patience=request.given["patience"])

    corpus, notes = text_to_resume(
        run,
        checkpoint,
        request.source,
        request.changed_text,
        request.from_best,
        read=lambda source: read_together(source, group, watch),
    )
    notes += (f"run {run.name} goes on at step {checkpoint.progress.step:,}",)
    if corpus.sha256 != checkpoint.corpus.sha256:  # losses on another text do not compare
        progress = dataclasses.replace(
            checkpoint.progress, best_val_loss=None, best_step=0, since_best=0
        )
        checkpoint = dataclasses.replace(checkpoint, progress=progress, history=(), baselines=None)
    train_part, _ = corpus.split(config.val_fraction)
    progress = checkpoint.progress
    seconds = max(group.decide(lambda: run.seconds_until(progress.step)), progress.seconds or 0.0)
    refuse_if_complete(run, checkpoint, config, train_part.steps_per_epoch(config), seconds)
    choose_precision(config.precision, device, checkpoint.model)  # refuses what is not there
    if request.threads is None and group.size == 1 and checkpoint.threads:
        all_threads, count = torch.get_num_threads(), checkpoint.threads
        if count < all_threads and device.type == "cpu":
            notes += (
                f"{count} thread{'s' * (count > 1)}, as before; --threads {all_threads} takes all",
            )
        torch.set_num_threads(checkpoint.threads)  # another number changes the last bits
    with memory_limit(config):
        model = trained_model(checkpoint.model, checkpoint.weights, device)
    speed = measure_speed(model, config, train_part, group)
    trainer = Trainer(
        model,
        corpus,
        config,
        run,
        started=request.started,
        seconds_before=seconds,
        save_every=request.save_every,
        resumed=checkpoint,
        # a run of an earlier version has none
        baselines=checkpoint.baselines or _baselines(corpus, config, group),
        group=group,
    )
    run.drop_metrics_after(checkpoint.progress.step)
    return Training(trainer, speed, notes)
