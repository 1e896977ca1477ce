"""How fast this machine trains a model: measured, to plan and to tell the time a run will take."""

import contextlib
import copy
import math
import time

import torch

from charrnn_cli.config import TrainConfig
from charrnn_cli.cuda_graph import WARM_UP
from charrnn_cli.device import memory_limit
from charrnn_cli.group import ALONE, Group
from charrnn_cli.model import CharRNN
from charrnn_cli.optimizer import EVERY, Optimizer
from charrnn_cli.updates import NotFiniteError, Updates
from charrnn_cli.vocabulary import Ids
from charrnn_cli.windows import Windows

PASSES = 4
LONG = 0.3  # seconds: what takes so long is measured once


def measure_speed(
    model: CharRNN, config: TrainConfig, train_ids: Ids, group: Group = ALONE
) -> float:
    """Characters a second that training takes here, all processes of a group together. Leaves the
    weights as they were."""
    device = next(model.parameters()).device
    lanes = group.lanes(config.batch_size)
    some = train_ids[: config.batch_size * config.seq_length + 1]  # one window of each lane

    def fastest(step: int, passes: int) -> float:
        """Seconds of the update of that number."""
        seconds = math.inf
        for _ in range(passes):  # the first ones warm up
            begun = time.perf_counter()
            with contextlib.suppress(NotFiniteError):  # training will tell
                updates.make(inputs, targets, 0.0, step)
                updates.read()  # waits for a GPU
            seconds = min(seconds, group.highest(time.perf_counter() - begun))
            if seconds > LONG and device.type == "cpu":  # a GPU takes its time at first
                break
        return seconds

    with memory_limit(config):
        model = copy.deepcopy(model).to(device).train()
        updates = Updates(model, Optimizer(model, config), config, lanes.stop - lanes.start, group)
        inputs, targets = Windows(some, config, 0, lanes, device)[0]
        passes = WARM_UP + 1 if updates.ahead else 0
        seconds = fastest(1, PASSES + passes)  # does not move Muon's matrices
        seconds += max(0.0, fastest(0, 1 + passes) - seconds) / EVERY
    return config.batch_size * config.seq_length / seconds


def speed_alone(model: CharRNN, config: TrainConfig, train_ids: Ids) -> float:
    """Characters a second with a single thread. On an idle machine that is less than with all; on
    a busy one threads wait for each other, and it can be ten times as much."""
    threads = torch.get_num_threads()
    if threads == 1:
        return 0.0
    torch.set_num_threads(1)
    try:
        return measure_speed(model, config, train_ids)
    finally:
        torch.set_num_threads(threads)
