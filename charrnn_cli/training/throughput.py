"""Measuring how fast this machine trains a model, to plan a run and estimate its time."""

import contextlib
import copy
import dataclasses
import statistics
import time

import torch

from charrnn_cli.models.base import ModelConfig
from charrnn_cli.models.device import memory_limit
from charrnn_cli.models.module import Model
from charrnn_cli.models.weights import new_model
from charrnn_cli.settings.configs import TrainConfig
from charrnn_cli.text.dataset import IGNORE, Dataset
from charrnn_cli.training.batches import DeviceBatches
from charrnn_cli.training.cuda_graph import WARM_UP_CALLS
from charrnn_cli.training.distributed.group import ALONE, Group
from charrnn_cli.training.optimizer import Optimizer
from charrnn_cli.training.updates import NotFiniteError, Updates

TIMED_UPDATES = 3  # The speed is the median of three updates, timed after a warm-up.
# On a CPU, measuring ends after so many seconds: with at least one timed update, or without any.
MAX_SECONDS, MAX_WARM_UP_SECONDS = 1.0, 5.0
# Where a plan hangs on it, updates are timed for at least so many seconds: those of a small model
# take so little time that another program can hold up all three.
CHOICE_SECONDS = 0.4
# An update is timed on at most so many characters: longer windows take as long per character.
MAX_TIMED_CHARACTERS = 1 << 14
MIN_SPEEDUP = 1.25  # A single thread is used if it is at least so many times as fast.


class Speeds:
    """Measures the training speed of models on a text, once for each size of model and batch, for
    at least `least_seconds` each."""

    def __init__(
        self,
        train_part: Dataset,
        device: torch.device,
        group: Group = ALONE,
        least_seconds: float = 0.0,
    ) -> None:
        self.train_part, self.device, self.group = train_part, device, group
        self.least_seconds = least_seconds
        self._known: dict[tuple[object, ...], float] = {}

    def __call__(self, model: ModelConfig, train: TrainConfig) -> float:
        """Characters per second of all processes together, with the current number of threads."""
        sizes = dataclasses.replace(model, dropout=0.0), train.batch_size, train.seq_length
        like = *sizes, train.optimizer, train.precision, torch.get_num_threads()
        if like not in self._known:
            new = new_model(model, train, self.device)
            self._known[like] = measure_speed(
                new, train, self.train_part, self.group, self.least_seconds
            )
        return self._known[like]

    def one_is_faster(self, threads: int, model: ModelConfig, train: TrainConfig) -> bool:
        """Whether one thread is at least `MIN_SPEEDUP` times as fast as `threads` threads.

        It can be if other programs keep the processor busy, so that threads wait for each other, or
        for small models on many cores. The current number of threads is not changed.
        """
        return self._with(1, model, train) > MIN_SPEEDUP * self._with(threads, model, train)

    def _with(self, threads: int, model: ModelConfig, train: TrainConfig) -> float:
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            return self(model, train)
        finally:
            torch.set_num_threads(before)


def measure_speed(
    model: Model,
    config: TrainConfig,
    train_part: Dataset,
    group: Group = ALONE,
    least_seconds: float = 0.0,
) -> float:
    """The training speed in characters per second, of all processes of a group together.

    It is that of the median update, of three or of `least_seconds` of them. The model's weights are
    not changed.
    """
    device = next(model.parameters()).device
    rows = group.rows(config.batch_size)
    window = min(config.seq_length, max(1, MAX_TIMED_CHARACTERS // config.batch_size))
    config = dataclasses.replace(config, seq_length=window)
    beginning = train_part.beginning(config.batch_size * config.seq_length + 1)  # one batch

    def median_seconds(step: int, warm_up: int) -> float:
        """The median time of update number `step`, in seconds."""
        taken: list[float] = []
        while len(taken) < warm_up + TIMED_UPDATES or sum(taken[warm_up:]) < least_seconds:
            begun = time.perf_counter()
            with contextlib.suppress(NotFiniteError):  # training reports it
                updates.step(batch, 0.0, step)
                updates.read_losses()  # waits for a GPU
            taken.append(group.highest(time.perf_counter() - begun))
            limit = MAX_SECONDS if len(taken) > warm_up else MAX_WARM_UP_SECONDS
            if sum(taken) > limit and device.type == "cpu":  # a GPU is slow at first
                break
        return statistics.median_low(taken[warm_up:] or taken[-1:])

    with memory_limit(config):
        model = copy.deepcopy(model).to(device).train()
        updates = Updates(model, Optimizer(model, config), config, rows.stop - rows.start, group)
        batch = DeviceBatches(beginning.batches(config, 0, rows), device)[0]
        predictions = int((batch.targets != IGNORE).sum()) / batch.share
        # updates of each kind until its graph is recorded
        recorded = WARM_UP_CALLS + 1 if updates.ahead else 0
        seconds = median_seconds(1, max(1, recorded))
        if config.optimizer == "muon" and not updates.optimizer.moves_matrices(1):
            interval = model.config.muon_interval
            seconds += max(0.0, median_seconds(0, recorded) - seconds) / interval
    return predictions / seconds
