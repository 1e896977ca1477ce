"""How fast this machine trains a model: measured, to plan and to tell the time a run will take."""

import contextlib
import copy
import dataclasses
import statistics
import time

import torch

from charrnn_cli.config import TrainConfig
from charrnn_cli.models.base import ModelConfig
from charrnn_cli.models.device import memory_limit
from charrnn_cli.models.module import Model
from charrnn_cli.models.weights import new_model
from charrnn_cli.text.dataset import Dataset
from charrnn_cli.training.batches import DeviceBatches
from charrnn_cli.training.cuda_graph import WARM_UP
from charrnn_cli.training.distributed.group import ALONE, Group
from charrnn_cli.training.optimizer import Optimizer
from charrnn_cli.training.updates import NotFiniteError, Updates

COUNTED = 3  # updates, of which the median counts; those before warm up
LONG, TOO_LONG = 1.0, 5.0  # seconds after which measuring ends: once one counts, or at all
MEASURED = 1 << 14  # characters of an update; longer windows, which take as long each, are cut
FASTER = 1.25  # times, from which a single thread is worth it


class Speeds:
    """The speeds of models in training on a text, each size of model and batch measured once."""

    def __init__(self, train_part: Dataset, device: torch.device, group: Group = ALONE) -> None:
        self.train_part, self.device, self.group = train_part, device, group
        self._known: dict[tuple[object, ...], float] = {}

    def __call__(self, model: ModelConfig, train: TrainConfig) -> float:
        """Characters a second, all processes of a group together, with the threads set now."""
        sizes = dataclasses.replace(model, dropout=0.0), train.batch_size, train.seq_length
        like = *sizes, train.optimizer, train.precision, torch.get_num_threads()
        if like not in self._known:
            new = new_model(model, train, self.device)
            self._known[like] = measure_speed(new, train, self.train_part, self.group)
        return self._known[like]

    def one_is_faster(self, threads: int, model: ModelConfig, train: TrainConfig) -> bool:
        """Whether a single thread is clearly faster than so many. Leaves the number set as it is.

        It may be where other programs keep the processor busy, so that threads wait for each other.
        On an idle machine all threads are faster, but for small models on many cores.
        """
        return self._with(1, model, train) > FASTER * self._with(threads, model, train)

    def _with(self, threads: int, model: ModelConfig, train: TrainConfig) -> float:
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            return self(model, train)
        finally:
            torch.set_num_threads(before)


def measure_speed(
    model: Model, config: TrainConfig, train_part: Dataset, group: Group = ALONE
) -> float:
    """Characters a second that training takes here, all processes of a group together: those of
    the usual update, not of the fastest. Leaves the weights as they were."""
    device = next(model.parameters()).device
    rows = group.rows(config.batch_size)
    window = min(config.seq_length, max(1, MEASURED // config.batch_size))
    config = dataclasses.replace(config, seq_length=window)
    beginning = train_part.beginning(config.batch_size * config.seq_length + 1)  # one batch

    def usual(step: int, warm_up: int) -> float:
        """Seconds of the update of that number."""
        taken: list[float] = []
        while len(taken) < warm_up + COUNTED:
            begun = time.perf_counter()
            with contextlib.suppress(NotFiniteError):  # training will tell
                updates.step(batch, 0.0, step)
                updates.read_losses()  # waits for a GPU
            taken.append(group.highest(time.perf_counter() - begun))
            limit = LONG if len(taken) > warm_up else TOO_LONG
            if sum(taken) > limit and device.type == "cpu":  # a GPU takes its time at first
                break
        return statistics.median_low(taken[warm_up:] or taken[-1:])

    with memory_limit(config):
        model = copy.deepcopy(model).to(device).train()
        updates = Updates(model, Optimizer(model, config), config, rows.stop - rows.start, group)
        batch = DeviceBatches(beginning.batches(config, 0, rows), device)[0]
        recorded = WARM_UP + 1 if updates.ahead else 0  # updates of each kind before a graph's
        seconds = usual(1, max(1, recorded))  # does not move Muon's matrices
        if config.optimizer == "muon" and not updates.optimizer.moves_matrices(1):
            interval = model.config.muon_interval
            seconds += max(0.0, usual(0, recorded) - seconds) / interval
    return config.batch_size * config.seq_length / seconds
