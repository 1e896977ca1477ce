"""The schedule `averaged`: what is evaluated and stored is an average of the weights."""

import shutil

import numpy as np
import pytest
import torch
from factories import ask_to_train, files, make_train_config, train, words

from charrnn_cli.checkpoints.checkpoint import load
from charrnn_cli.models.weights import trained_model
from charrnn_cli.training.averaging import POWER
from charrnn_cli.training.evaluation import held_out_loss
from charrnn_cli.training.events import Stepped
from charrnn_cli.training.optimizer import learning_rate
from charrnn_cli.training.setup import open_training

pytestmark = pytest.mark.slow  # each test trains a model

AVERAGED = {"schedule": "averaged", "dropout": 0.3}


@pytest.fixture(scope="module")
def rain(tmp_path_factory):
    path = tmp_path_factory.mktemp("rain") / "rain.txt"
    path.write_text(words(250))
    return path


@pytest.fixture(scope="module")
def whole(rain, tmp_path_factory):
    """A finished run, and the model's weights after each step of it."""
    steps = []
    request = ask_to_train(rain, tmp_path_factory.mktemp("whole"), **AVERAGED)
    with open_training(request) as training:
        trainer = training.trainer
        for event in trainer.steps():
            if isinstance(event, Stepped):
                named = trainer.model.named_parameters()
                steps.append({name: p.detach().double().numpy().copy() for name, p in named})
    return trainer, steps


def test_what_is_stored_is_the_average_of_the_steps(whole):
    trainer, steps = whole
    last = load(trainer.run.last)
    for name, stored in last.weights.items():
        average = steps[0][name]
        for step, weights in enumerate(steps[1:], start=2):
            share = (POWER + 1) / (POWER + step)
            average = (1 - share) * average + share * weights[name]
        np.testing.assert_allclose(stored, average, rtol=1e-4, atol=1e-6)
        assert not np.allclose(stored, steps[-1][name], rtol=1e-4, atol=1e-6)


def test_the_held_out_loss_is_that_of_the_stored_weights(whole):
    trainer, _ = whole
    best = load(trainer.run.best)
    model = trained_model(best.model, best.weights, torch.device("cpu"))
    assert held_out_loss(model, trainer.held_out_part) == pytest.approx(best.val_loss)


@pytest.mark.parametrize("after", [-1, 0, 1])
def test_a_run_stopped_about_an_evaluation_ends_with_the_same_bytes(whole, rain, after, tmp_path):
    trainer, _ = whole
    train(rain, tmp_path, trainer.config.eval_every + after, **AVERAGED)
    _, resumed = train(None, tmp_path, resume="")
    assert files(resumed.run) == files(trainer.run)


def test_a_run_goes_on_from_its_best(rain, tmp_path):
    _, stopped = train(rain, tmp_path, stop_at=20, **AVERAGED)
    best = load(stopped.run.best)
    with open_training(ask_to_train(rain, tmp_path, resume="", from_best=True)) as training:
        trainer = training.trainer
        for name, values in trainer.updates.evaluated_weights().items():
            assert np.array_equal(values, best.weights[name])
        events = list(trainer.steps())
    assert events[-1].reason == "complete"


def test_a_run_from_its_best_can_be_stopped_and_ends_with_the_same_bytes(rain, tmp_path):
    _, stopped = train(rain, tmp_path / "a", stop_at=20, **AVERAGED)
    start = load(stopped.run.best).progress.step
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    _, undisturbed = train(rain, tmp_path / "a", resume="", from_best=True)
    halfway = (start + undisturbed.progress.step) // 2
    _, first = train(rain, tmp_path / "b", stop_at=halfway, resume="", from_best=True)
    assert first.progress.step == halfway
    _, resumed = train(None, tmp_path / "b", resume="")
    assert files(resumed.run) == files(undisturbed.run)


def test_an_average_needs_the_newest_format_and_other_runs_an_older_one(whole, rain, tmp_path):
    assert load(whole[0].run.last).format == 5
    assert load(train(rain, tmp_path)[1].run.last).format == 2


def test_the_learning_rate_ends_at_a_part_of_its_peak():
    config = make_train_config(schedule="averaged", learning_rate=0.01)
    assert learning_rate(config.warmup, config) == pytest.approx(0.01)
    assert learning_rate(1.0, config) == pytest.approx(0.003)
