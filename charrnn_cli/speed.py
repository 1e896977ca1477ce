"""How fast this machine trains a model: measured, to plan and to tell the time a run will take."""

import math
import time

import torch
from torch import nn

from charrnn_cli.config import TrainConfig
from charrnn_cli.corpus import cut_lanes, window
from charrnn_cli.device import memory_limit
from charrnn_cli.group import ALONE, Group
from charrnn_cli.model import CharRNN
from charrnn_cli.optimizer import EVERY, Optimizer
from charrnn_cli.vocabulary import Ids

PASSES = 4
LONG = 0.3  # seconds: what takes so long is measured once


def measure_speed(
    model: CharRNN, config: TrainConfig, train_ids: Ids, group: Group = ALONE
) -> float:
    """Characters a second that training takes here, all processes of a group together. Leaves the
    weights as they were."""
    device = next(model.parameters()).device
    inputs, targets = cut_lanes(train_ids, config.batch_size, config.seq_length, 0, 0)
    mine = group.lanes(config.batch_size)
    ids = torch.from_numpy(window(inputs[mine], 0, config.seq_length)).to(device)
    goal = torch.from_numpy(window(targets[mine], 0, config.seq_length)).to(device).flatten()
    parameters = list(model.parameters())
    fastest = math.inf
    with memory_limit(config):
        for _ in range(PASSES):  # the first ones warm up
            begun = time.perf_counter()
            logits, _ = model(ids, model.initial_hidden(ids.shape[1]))
            loss = nn.functional.cross_entropy(logits.flatten(0, 1), goal)
            loss.backward()  # type: ignore[no-untyped-call]
            group.average(loss, parameters, ids.shape[1] / config.batch_size)
            model.head.bias.grad.sum().item()  # type: ignore[union-attr]  # waits for a GPU
            fastest = min(fastest, group.highest(time.perf_counter() - begun))
            if fastest > LONG:
                break
        optimizer = Optimizer(model, config)
        update = math.inf
        for _ in range(2):
            begun = time.perf_counter()
            optimizer.step(0.0, 0)  # at a rate of zero nothing moves
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
