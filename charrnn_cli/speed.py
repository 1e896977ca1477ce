"""How fast this machine trains a model: measured, to plan and to tell the time a run will take."""

import contextlib
import copy
import statistics
import time

import torch

from charrnn_cli.config import ModelConfig, TrainConfig
from charrnn_cli.cuda_graph import WARM_UP
from charrnn_cli.device import memory_limit
from charrnn_cli.group import ALONE, Group
from charrnn_cli.model import CharRNN, new_model
from charrnn_cli.optimizer import EVERY, Optimizer
from charrnn_cli.updates import NotFiniteError, Updates
from charrnn_cli.vocabulary import Ids
from charrnn_cli.windows import Windows

COUNTED = 3  # updates, of which the median counts; those before warm up
LONG = 0.3  # seconds: what takes so long is measured once
FASTER = 1.25  # times, from which a single thread is worth it


class Speeds:
    """The speeds of models in training on a text, each measured once."""

    def __init__(self, train_ids: Ids, device: torch.device, group: Group = ALONE) -> None:
        self.train_ids, self.device, self.group = train_ids, device, group
        self._known: dict[tuple[object, ...], float] = {}

    def __call__(self, model: ModelConfig, train: TrainConfig) -> float:
        """Characters a second, all processes of a group together."""
        sizes = model.hidden_size, model.num_layers, train.batch_size, train.seq_length
        like = *sizes, train.precision, torch.get_num_threads()
        if like not in self._known:
            new = new_model(model, train, self.device)
            self._known[like] = measure_speed(new, train, self.train_ids, self.group)
        return self._known[like]

    def take_one_thread(self, model: ModelConfig, train: TrainConfig) -> bool:
        """Go on with a single thread if that is faster; whether it is.

        It is where other programs keep the processor busy, so that threads wait for each other: ten
        times as fast then. On an idle machine all threads are faster, but for small models on many
        cores.
        """
        threads, speed = torch.get_num_threads(), self(model, train)
        torch.set_num_threads(1)
        if self(model, train) > FASTER * speed:
            return True
        torch.set_num_threads(threads)
        return False


def measure_speed(
    model: CharRNN, config: TrainConfig, train_ids: Ids, group: Group = ALONE
) -> float:
    """Characters a second that training takes here, all processes of a group together. Leaves the
    weights as they were."""
    device = next(model.parameters()).device
    lanes = group.lanes(config.batch_size)
    some = train_ids[: config.batch_size * config.seq_length + 1]  # one window of each lane

    def usual(step: int, passes: int) -> float:
        """Seconds of the update of that number."""
        taken = []
        for _ in range(passes):
            begun = time.perf_counter()
            with contextlib.suppress(NotFiniteError):  # training will tell
                updates.make(inputs, targets, 0.0, step)
                updates.read()  # waits for a GPU
            taken.append(group.highest(time.perf_counter() - begun))
            if taken[-1] > LONG and device.type == "cpu":  # a GPU takes its time at first
                break
        return statistics.median(taken[-COUNTED:])

    with memory_limit(config):
        model = copy.deepcopy(model).to(device).train()
        updates = Updates(model, Optimizer(model, config), config, lanes.stop - lanes.start, group)
        inputs, targets = Windows(some, config, 0, lanes, device)[0]
        warm_up = WARM_UP + 1 if updates.ahead else 0
        seconds = usual(1, warm_up + 1 + COUNTED)  # does not move Muon's matrices
        moved = usual(0, warm_up + 1)
        seconds += max(0.0, moved - seconds) / EVERY
    return config.batch_size * config.seq_length / seconds
