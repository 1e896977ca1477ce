"""How well a model predicts a text."""

import math

import numpy as np
import torch
from torch import nn

from charrnn_cli.models.recurrent.model import CharRNN
from charrnn_cli.text.corpus import MAX_MEASURED
from charrnn_cli.text.vocabulary import Ids
from charrnn_cli.training.distributed.group import ALONE, Group

LANES = 64  # read side by side for speed
WARM_UP = 256  # characters that each lane after the first reads before those it is measured on
WINDOW = 128  # characters per forward pass: bounds memory; divides WARM_UP


@torch.no_grad()
def held_out_loss(model: CharRNN, ids: Ids, group: Group = ALONE) -> float:
    """Mean loss in nats per character over ids (N,), the state carried from the first to the last.

    For speed the text is cut into lanes, and each lane first reads the `WARM_UP` characters before
    its own, so that its state is all but the one a single pass would carry. At most the first
    `MAX_MEASURED` are measured. Each process of a `group` reads some of the lanes. The model is
    left in the mode it was in.
    """
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    ids = ids[: MAX_MEASURED + 1].astype(np.int64)
    predictions = len(ids) - 1
    lanes = max(1, min(LANES, predictions // WARM_UP))
    span = math.ceil(predictions / lanes)  # characters that each lane is measured on
    mine = group.part(lanes)

    # position of every lane's every character; those outside the text are read, but not measured
    starts = (np.arange(lanes) * span)[mine]
    positions = starts[None, :] + np.arange(-WARM_UP if lanes > 1 else 0, span)[:, None]  # (T, B)
    measured = (positions >= starts) & (positions < predictions)
    inside = positions.clip(0, predictions - 1)
    hidden = model.initial_hidden(len(starts))
    total = 0.0
    for begin in range(0, len(positions) if len(starts) else 0, WINDOW):
        rows = slice(begin, begin + WINDOW)
        logits, hidden = model(torch.from_numpy(ids[inside[rows]]).to(device), hidden)
        if lanes > 1 and begin < WARM_UP and mine.start == 0:
            for state in hidden:
                state[0] = 0.0  # the first lane has no text before its own
        targets = torch.from_numpy(ids[inside[rows] + 1]).to(device)
        losses = nn.functional.cross_entropy(
            logits.flatten(0, 1), targets.flatten(), reduction="none"
        )
        mask = torch.from_numpy(measured[rows].ravel()).to(device)
        total += losses[mask].sum().item()
    model.train(was_training)
    return group.total(total) / predictions
