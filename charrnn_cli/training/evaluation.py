"""The held-out loss of a model, and of a model of pairs its accuracy."""

import math

import torch
from torch import Tensor, nn

from charrnn_cli.models.module import Model
from charrnn_cli.text.dataset import IGNORE, Dataset
from charrnn_cli.text.pairs import Pairs
from charrnn_cli.training.batches import as_tensors
from charrnn_cli.training.distributed.group import ALONE, Group
from charrnn_cli.training.events import Accuracy
from charrnn_cli.training.pair_accuracy import measure_accuracy


def measure(model: Model, dataset: Dataset, group: Group = ALONE) -> tuple[float, Accuracy | None]:
    """The held-out loss, and the accuracy on pairs, None for a text."""
    loss = held_out_loss(model, dataset, group)
    if not math.isfinite(loss) or not isinstance(dataset, Pairs):
        return loss, None
    return loss, measure_accuracy(model, dataset, group)


@torch.no_grad()
def held_out_loss(model: Model, dataset: Dataset, group: Group = ALONE) -> float:
    """The mean loss in nats per character over a dataset's passages.

    Each process of a `group` reads some of the rows. The model is evaluated without dropout, and
    then set back to the mode it was in.
    """
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    state: dict[str, Tensor] = {}
    total, count = 0.0, 0
    for passage in dataset.passages(model.config.context, group.part):
        batch = as_tensors(passage.batch, device)
        rows = batch.inputs.shape[1]
        if passage.fresh == slice(None):
            state = {name: s.clone() for name, s in model.initial_state(rows).items()}
        for values in state.values():
            values[passage.fresh] = 0.0
        logits, state = model(batch, state)
        targets = batch.targets.flatten()
        losses = nn.functional.cross_entropy(
            logits.flatten(0, 1), targets, ignore_index=IGNORE, reduction="none"
        )
        measured = targets != IGNORE
        total += losses[measured].sum().item()
        count += int(measured.sum())
    model.train(was_training)
    return group.total(total) / group.total(count)
