"""Opening a training: a new run, from nothing or from another model's weights, or a resumed one."""

import dataclasses
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from charrnn_cli.checkpoints.checkpoint import Checkpoint, load
from charrnn_cli.checkpoints.finding import find_checkpoint, find_run
from charrnn_cli.checkpoints.naming import create_run
from charrnn_cli.checkpoints.runs import ReadOnlyRun, Run
from charrnn_cli.errors import UsageError
from charrnn_cli.models.autocast import choose_precision
from charrnn_cli.models.base import ModelConfig
from charrnn_cli.models.device import processor
from charrnn_cli.models.module import Model
from charrnn_cli.models.weights import load_known_weights, new_model
from charrnn_cli.settings.configs import TrainConfig
from charrnn_cli.settings.table import SETTINGS
from charrnn_cli.text.corpus import Watch
from charrnn_cli.text.dataset import Dataset
from charrnn_cli.text.pairs import Pairs
from charrnn_cli.text.vocabulary import REPLACEMENT
from charrnn_cli.training.base_model import base_model_offer
from charrnn_cli.training.baselines import baselines_of
from charrnn_cli.training.distributed.elastic import (
    find_earlier_run,
    record_launch,
    remove_unsaved_runs,
)
from charrnn_cli.training.distributed.group import ALONE, Group
from charrnn_cli.training.early_checks import check_request
from charrnn_cli.training.pair_runs import choose_kind, load_known_pairs, pairs_info
from charrnn_cli.training.planning import Plan, make_plan, plan_from_weights
from charrnn_cli.training.request import Reader, Request, Training
from charrnn_cli.training.resume import as_resume, resume_training
from charrnn_cli.training.texts import SharedReader, read_dataset
from charrnn_cli.training.throughput import CHOICE_SECONDS, Speeds
from charrnn_cli.training.trainer import Trainer

MOST_RESERVED = 0.2  # the first evaluation reserves at most this share of a time limit
LARGE_VOCABULARY = 1_000  # a note is given above this many characters; an alphabet has a tenth
COMMON = 10  # a character can be learned from this many occurrences


@contextmanager
def open_training(
    request: Request, group: Group = ALONE, watch: Watch = lambda stream: None
) -> Iterator[Training]:
    """Prepare what `request` asks for and hold its run folder while the body trains.

    Every process of a `group` prepares the same; the first holds the folder. A new run goes on
    where it was saved if the launcher has restarted it. `watch` sees the text being read. All that
    can be refused is refused before anything is written. Raises CharRNNError.
    """
    check_request(request)
    device = group.connect(request.device)
    reader = SharedReader(group, watch)
    with processor(request.threads or group.threads):
        if request.resume is None and (earlier := _restarted_run(request.checkpoints, group)):
            request = as_resume(request, earlier)
        if request.resume is None:
            yield from _open_new(request, device, group, reader)
        else:
            yield from _open_resumed(request, device, group, reader)


def _open_resumed(
    request: Request, device: torch.device, group: Group, reader: Reader
) -> Iterator[Training]:
    which = request.resume or None
    resumable = not request.from_best
    found = group.decide(lambda: find_run(which, request.checkpoints, resumable=resumable))
    run = _run_of_process(found, group)
    with run.locked():
        yield resume_training(request, run, device, group, reader)


def _open_new(
    request: Request, device: torch.device, group: Group, reader: Reader
) -> Iterator[Training]:
    model, dataset, plan, speed = _prepare(request, device, group, reader)
    run = _run_of_process(group.decide(lambda: _create(request, dataset)), group)
    try:
        with run.locked():
            trainer = Trainer(
                model,
                dataset,
                plan.train,
                run,
                started=request.started,
                reserve=_evaluation_seconds(dataset, plan, speed),
                save_every=request.save_every,
                baselines=group.decide(lambda: baselines_of(dataset, plan.train)),
                pairs=pairs_info(dataset, plan.train, request.pairs),
                group=group,
            )
            yield Training(trainer, speed, dataset.notes + plan.notes)
    finally:
        run.remove_if_empty()


def _restarted_run(checkpoints: Path, group: Group) -> Run | None:
    """The run that the same launch began before a restart, if it saved anything."""

    def take_up() -> Run | None:
        remove_unsaved_runs(checkpoints)
        return find_earlier_run(checkpoints)

    return group.decide(take_up)


def _create(request: Request, dataset: Dataset) -> Run:
    run = create_run(request.checkpoints, request.name, dataset.name)
    record_launch(run)
    return run


def _run_of_process(run: Run, group: Group) -> Run:
    """The run for this process: only the first process of a group writes to it."""
    return run if group.first else ReadOnlyRun(run.folder)


def _prepare(
    request: Request, device: torch.device, group: Group, reader: Reader
) -> tuple[Model, Dataset, Plan, float]:
    """A new model for a text, the plan for it, and the speed measured."""
    given, init = dict(request.given), _load_init(request, group)
    choose_kind(given, request.pairs, init)
    if init is not None:
        _take_sizes(given, init.model)
    dataset, given["hold_out"] = read_dataset(request, given, reader)

    plans, threads = MeasuredPlans(dataset, given, device, group), torch.get_num_threads()
    plan = plans.make()
    if _may_choose_threads(request, device, group) and plans.one_thread_is_faster(plan, threads):
        torch.set_num_threads(1)
        again = plans.make()  # the time may now be enough for a larger model
        plan = again if plans.one_thread_is_faster(again, threads) else plan
    if init is not None:
        plan = dataclasses.replace(plan, model=plan.model.starting_from(init.model))
        if "learning_rate" not in given:
            plan = plan_from_weights(plan, dataset)
    train, speed = plan.train, plans.speeds(plan.model, plan.train)

    model = new_model(plan.model, train, device)
    notes = plan.notes + _large_vocabulary(dataset, plan)
    if train.precision == "float16" and device.type == "cpu":
        notes += ("float16 is slow on a processor: bfloat16 or float32 trains faster",)
    if init is None:
        notes += base_model_offer(dataset, request.given, request.checkpoints)
    else:
        notes += (f"weights from {request.init_from}: {_load_known(model, dataset, init)}",)
    if torch.get_num_threads() < threads:
        notes += (
            f"one thread is faster now than {threads}, so one is used; --threads {threads} insists "
            "on all",
        )
    return model, dataset, dataclasses.replace(plan, notes=notes), speed


class MeasuredPlans:
    """Plans for a text that are made with the speeds measured on this machine. `given` are the
    settings that the user set, by name."""

    def __init__(
        self, dataset: Dataset, given: Mapping[str, Any], device: torch.device, group: Group
    ) -> None:
        self.precision = given.get("precision", "auto")
        self.given = {name: value for name, value in given.items() if name != "precision"}
        self.device, self.group = device, group
        self.parts = dataset.split(given.get("val_fraction", SETTINGS["val_fraction"].planned))
        least_seconds = 0.0 if given.get("minutes") is None else CHOICE_SECONDS
        self.speeds = Speeds(self.parts[0], device, group, least_seconds)

    def make(self) -> Plan:
        """A plan, by the speed with the number of threads set now. Raises UsageError."""
        plan = make_plan(*self.parts, self.given, self.measure, self.group.size)
        return dataclasses.replace(plan, train=self.with_precision(plan.model, plan.train))

    def measure(self, model: ModelConfig, train: TrainConfig) -> float:
        """Characters per second of training, in the precision chosen for the model."""
        return self.speeds(model, self.with_precision(model, train))

    def with_precision(self, model: ModelConfig, train: TrainConfig) -> TrainConfig:
        """The settings with the precision that was given, or the one that suits the model."""
        chosen = self.group.decide(lambda: choose_precision(self.precision, self.device, model))
        return dataclasses.replace(train, precision=chosen)

    def one_thread_is_faster(self, plan: Plan, threads: int) -> bool:
        """Whether a single thread trains a plan's model clearly faster than so many."""
        return self.speeds.one_is_faster(threads, plan.model, plan.train)


def _may_choose_threads(request: Request, device: torch.device, group: Group) -> bool:
    """Whether nobody has chosen the number of threads, and there is a choice."""
    chosen = request.threads is not None or "OMP_NUM_THREADS" in os.environ or group.size > 1
    return device.type == "cpu" and not chosen and torch.get_num_threads() > 1


def _load_init(request: Request, group: Group) -> Checkpoint | None:
    """The checkpoint whose weights a new model starts from, if one is asked for."""
    if (which := request.init_from) is None:
        return None
    return group.decide(lambda: load(find_checkpoint(which, request.checkpoints)))


def _take_sizes(given: dict[str, Any], source: ModelConfig) -> None:
    """Give a new model the kind and size of the one it starts from. Raises UsageError."""
    for name in ("model", *(name for name in source.sizes() if name != "dropout")):
        value = source.to_dict()[name]
        if given.setdefault(name, value) != value:
            option = "--" + name.replace("_", "-")
            raise UsageError(
                f"{option} {given[name]}: the model of --init-from has {value}. Leave {option} out."
            )


def _load_known(model: Model, dataset: Dataset, init: Checkpoint) -> str:
    """Initialise a model from a checkpoint; return in words what it knows of the text."""
    if isinstance(dataset, Pairs):
        return load_known_pairs(model, dataset, init)
    known, new = load_known_weights(model, dataset.vocabulary, init.weights, init.vocabulary)
    forgotten = len(init.vocabulary) - known
    return f"{known} characters known, {new} new" + (
        f", {forgotten} left out that this text has not" if forgotten else ""
    )


def _large_vocabulary(dataset: Dataset, plan: Plan) -> tuple[str, ...]:
    """A note on a vocabulary that takes most of the model and of the time."""
    size = len(dataset.vocabulary)
    if size <= LARGE_VOCABULARY:
        return ()
    shapes = plan.model.parameter_shapes()
    tables = [shapes[name] for name in plan.model.vocabulary_axes() if len(shapes[name]) > 1]
    share = sum(map(math.prod, tables)) / plan.model.parameters
    note = f"{size:,} distinct characters take {share:.0%} of the parameters"
    common = dataset.vocabulary.code_points[dataset.counts() >= COMMON].tolist()
    left = len({*common, ord(REPLACEMENT)})
    if left < size:
        note += f"; --min-count {COMMON} would leave {left:,}"
    return (note,)


def _evaluation_seconds(dataset: Dataset, plan: Plan, speed: float) -> float:
    """An estimate of the first evaluation's seconds: a character takes at most half as long as in
    training."""
    config = plan.train
    _, held_out = dataset.split(config.val_fraction)
    seconds = 0.5 + held_out.evaluation_size(plan.model.context) / (2 * speed)
    return seconds if config.minutes is None else min(seconds, MOST_RESERVED * 60 * config.minutes)
