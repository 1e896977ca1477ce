"""The held-out loss: that rows, passages and the warm-up change nothing but the speed."""

import math

import numpy as np
import pytest
import torch
from factories import corpus_of_ids
from torch import nn

from charrnn_cli.models.recurrent.config import RecurrentConfig
from charrnn_cli.models.recurrent.model import RecurrentModel
from charrnn_cli.text import corpus
from charrnn_cli.text.dataset import Batch
from charrnn_cli.text.rows import MAX_ROWS, WARM_UP
from charrnn_cli.training import evaluation

torch.set_num_threads(1)

VOCABULARY = 9


def make_model(name: str = "gru", scale: float = 12.0, dropout: float = 0.0) -> RecurrentModel:
    """A random model with opinions: a scaled head makes what is in the state count."""
    torch.manual_seed(1)
    model = RecurrentModel(RecurrentConfig(name, VOCABULARY, 12, 2, dropout))
    with torch.no_grad():
        model.head.weight.mul_(scale)
        for layer in model.layers:
            layer.weight_hh.mul_(0.9)  # its memory is long, but fades within the warm-up
    return model


def held_out_loss(model: RecurrentModel, ids: np.ndarray) -> float:
    return evaluation.held_out_loss(model, corpus_of_ids(ids))


def random_text(length: int) -> np.ndarray:
    return np.random.default_rng(length).integers(0, VOCABULARY, length).astype(np.uint8)


@torch.no_grad()
def plain_loss(model: RecurrentModel, ids: np.ndarray) -> float:
    """The loss of one pass from the first character to the last, all in one window."""
    row = torch.from_numpy(ids.astype(np.int64))
    logits, _ = model(Batch(row[:-1, None], None), model.initial_state(1))
    return nn.functional.cross_entropy(logits[:, 0], row[1:]).item()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gru", "lstm", "rnn"])
@pytest.mark.parametrize(
    "length",
    [2, 3, 127, 130, WARM_UP + 1, 2 * WARM_UP + 1, 2 * WARM_UP + 2, 5000, WARM_UP * MAX_ROWS + 999],
)
def test_loss_equals_that_of_one_pass_over_the_text(name, length):
    model, ids = make_model(name), random_text(length)
    assert held_out_loss(model, ids) == pytest.approx(plain_loss(model, ids), abs=1e-4)


def test_loss_needs_the_state_that_is_carried():
    """Without this the test above would say little: in this model, what came before matters."""
    model, ids = make_model(), random_text(1000)
    pieces = [plain_loss(model, ids[at : at + 9]) for at in range(0, 992, 8)]
    assert abs(np.mean(pieces) - plain_loss(model, ids[:993])) > 0.01


def test_a_model_of_zeros_is_as_surprised_as_by_dice():
    model = make_model()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    assert held_out_loss(model, random_text(3000)) == pytest.approx(math.log(VOCABULARY), abs=1e-6)


def test_a_text_of_two_characters_costs_what_its_second_does():
    model = make_model()
    logits, _ = model(Batch(torch.tensor([[4]]), None), model.initial_state(1))
    expected = -logits[0, 0].log_softmax(-1)[7].item()
    assert held_out_loss(model, np.array([4, 7], np.uint8)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_left_in_the_mode_that_it_was_in(training):
    model = make_model().train(training)
    held_out_loss(model, random_text(50))
    assert model.training == training


def test_dropout_is_off_while_measuring():
    model, ids = make_model(dropout=0.5).train(), random_text(1000)
    assert held_out_loss(model, ids) == pytest.approx(plain_loss(make_model(), ids), abs=1e-4)


def test_measuring_leaves_no_gradients():
    model = make_model()
    held_out_loss(model, random_text(50))
    assert all(parameter.grad is None for parameter in model.parameters())


def test_no_more_than_the_limit_is_measured(monkeypatch):
    model, ids = make_model(), random_text(1000)
    monkeypatch.setattr(corpus, "MAX_MEASURED", 40)
    beyond = ids.copy()
    beyond[41:] = (beyond[41:] + 1) % VOCABULARY
    expected = pytest.approx(plain_loss(model, ids[:41]), abs=1e-4)
    assert held_out_loss(model, ids) == held_out_loss(model, beyond) == expected


def test_the_loss_falls_when_the_model_knows_the_answer():
    model = make_model()
    with torch.no_grad():
        model.head.bias[3] = 20.0
    threes = np.full(600, 3, np.uint8)
    assert held_out_loss(model, threes) < 0.01 < 1.0 < held_out_loss(model, random_text(600))
