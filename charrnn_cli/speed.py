"""How fast this machine trains a model: measured, to plan and to tell the time a run will take."""

import math
import time

import torch

from charrnn_cli.config import TrainConfig
from charrnn_cli.corpus import cut_lanes, window
from charrnn_cli.device import memory_limit
from charrnn_cli.gradients import compute_gradients
from charrnn_cli.group import ALONE, Group
from charrnn_cli.model import CharRNN
from charrnn_cli.optimizer import EVERY, Optimizer
from charrnn_cli.precision import LossScale
from charrnn_cli.vocabulary import Ids

PASSES = 4
LONG = 0.3  # seconds: what takes so long is measured once


def measure_speed(
    model: CharRNN, config: TrainConfig, train_ids: Ids, group: Group = ALONE
) -> float:
    """Characters a second that training takes here, all processes of a group together. Leaves the
    weights as they were."""
    inputs, targets = cut_lanes(train_ids, config.batch_size, config.seq_length, 0, 0)
    mine = group.lanes(config.batch_size)
    ids = window(inputs[mine], 0, config.seq_length)
    goal = window(targets[mine], 0, config.seq_length)
    scale = LossScale(config.precision)
    fastest = math.inf
    with memory_limit(config):
        for _ in range(PASSES):  # the first ones warm up
            begun = time.perf_counter()
            hidden = model.initial_hidden(ids.shape[1])
            compute_gradients(model, ids, goal, hidden, config, scale, group)
            model.head.bias.grad.sum().item()  # type: ignore[union-attr]  # waits for a GPU
            fastest = min(fastest, group.highest(time.perf_counter() - begun))
            if fastest > LONG:
                break
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter.grad.zero_()  # even at a rate of zero what is not finite would spread
        optimizer = Optimizer(model, config)
        update = math.inf
        for _ in range(2):
            begun = time.perf_counter()
            optimizer.step(0.0, 0)
            model.head.bias.sum().item()
            update = min(update, group.highest(time.perf_counter() - begun))
            if update > LONG:
                break
        model.zero_grad(set_to_none=True)
    return config.batch_size * config.seq_length / (fastest + update / EVERY)


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
