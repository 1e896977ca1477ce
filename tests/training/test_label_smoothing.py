"""Label smoothing: its gradients, and the loss and the files that do not show it."""

import pytest
import torch
from factories import make_checkpoint, make_train_config
from torch import nn

from charrnn_cli.checkpoints.checkpoint import load, to_bytes
from charrnn_cli.models.autocast import LossScale
from charrnn_cli.models.recurrent.config import RecurrentConfig
from charrnn_cli.models.recurrent.model import RecurrentModel
from charrnn_cli.text.dataset import IGNORE, Batch
from charrnn_cli.training.updates import compute_gradients

torch.set_num_threads(1)


def test_gradients_are_those_of_the_smoothed_loss_and_the_loss_is_the_plain_one():
    torch.manual_seed(0)
    model = RecurrentModel(RecurrentConfig("gru", 9, 8, 1, 0.0))
    inputs, targets = torch.randint(9, (2, 6, 4))
    targets[4:, 0] = IGNORE
    batch, state = Batch(inputs, targets), model.initial_state(4)
    config = make_train_config(label_smoothing=0.2, grad_clip=1e9)
    loss, _, _ = compute_gradients(model, batch, state, config, LossScale("float32"))
    gradient = model.head.weight.grad.clone()

    model.zero_grad()
    logits, _ = model(batch, state)
    rows, wanted = logits.flatten(0, 1), targets.flatten()
    plain = nn.functional.cross_entropy(rows, wanted, ignore_index=IGNORE)
    real = wanted != IGNORE
    uniform = -rows.log_softmax(-1)[real].mean()
    (0.8 * plain + 0.2 * uniform).backward()
    assert loss.item() == pytest.approx(plain.item(), rel=1e-5)
    torch.testing.assert_close(gradient, model.head.weight.grad)


def test_a_checkpoint_stores_label_smoothing_only_where_there_is_some(tmp_path):
    path = tmp_path / "a.safetensors"
    plain = make_checkpoint()
    assert b"label_smoothing" not in to_bytes(plain)
    for smoothing in (0.0, 0.1):
        train = make_train_config(label_smoothing=smoothing)
        path.write_bytes(to_bytes(type(plain)(**(vars(plain) | {"train": train}))))
        assert load(path).train.label_smoothing == smoothing
