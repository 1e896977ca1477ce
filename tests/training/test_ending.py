"""When a run ends: out of patience, out of time, or as planned."""

import time

import pytest
from factories import NOISE, ask_to_train, train

from charrnn_cli.checkpoints.checkpoint import load
from charrnn_cli.errors import UsageError
from charrnn_cli.training.events import Evaluated, Finished, Stepped
from charrnn_cli.training.setup import open_training

pytestmark = pytest.mark.slow  # each test trains a model twice

# when a run ends


def test_patience_ends_a_run_without_a_new_best(tmp_path):
    text = tmp_path / "noise.txt"
    text.write_text(NOISE)  # noise: the model soon overfits
    events, trainer = train(
        text, tmp_path, epochs=200, patience=3, learning_rate=0.03, num_layers=1
    )
    assert events[-1].reason == "patience"
    assert trainer.progress.step < trainer.total_steps
    assert trainer.progress.since_best == 3
    assert [e.best for e in events if isinstance(e, Evaluated)][-4:] == [True, False, False, False]


def test_patience_that_lasts_lets_a_run_end_as_planned(tmp_path):
    text = tmp_path / "noise.txt"
    text.write_text(NOISE)
    events, _ = train(text, tmp_path, epochs=20, patience=10_000, learning_rate=0.03, num_layers=1)
    assert events[-1].reason == "complete"


def test_a_run_that_patience_ended_goes_on_when_given_more_epochs(tmp_path):
    text = tmp_path / "noise.txt"
    text.write_text(NOISE)
    _, first = train(text, tmp_path, epochs=200, patience=3, learning_rate=0.03, num_layers=1)
    _, second = train(None, tmp_path, resume="", epochs=300)
    assert second.progress.step >= first.progress.step + 3 * first.config.eval_every


def test_a_run_that_patience_ended_goes_on_when_given_more_patience(tmp_path):
    text = tmp_path / "noise.txt"
    text.write_text(NOISE)
    _, first = train(text, tmp_path, epochs=200, patience=3, learning_rate=0.03, num_layers=1)
    with pytest.raises(UsageError, match="complete"):
        train(None, tmp_path, resume="")
    events, second = train(None, tmp_path, resume="", patience=5)
    assert events[-1].reason == "patience"
    assert second.progress.step == first.progress.step + 5 * first.config.eval_every


def test_a_run_in_minutes_ends_in_time(rain, tmp_path):
    train(rain, tmp_path / "warm-up", stop_at=1)  # what is imported late is imported by now
    begun = time.monotonic()
    events, trainer = train(rain, tmp_path, minutes=0.03, epochs=None)
    assert time.monotonic() - begun < 0.03 * 60 + 3  # a stalled machine may take longer
    assert events[-1].reason == "complete"
    assert isinstance(events[-2], Evaluated)
    assert 0 < load(trainer.run.last).progress.seconds <= time.monotonic() - begun


def test_a_run_whose_time_is_over_at_once_still_gives_a_measured_model(rain, tmp_path):
    events, trainer = train(rain, tmp_path, minutes=1e-6, epochs=None)
    assert [type(event) for event in events] == [Stepped, Evaluated, Finished]
    assert load(trainer.run.best).val_loss == events[1].val_loss
    assert 0 < trainer.rate < trainer.config.learning_rate


def test_epochs_end_a_run_before_its_minutes_do(rain, tmp_path):
    events, trainer = train(rain, tmp_path, minutes=10, epochs=1)
    assert events[-1].reason == "complete"
    assert trainer.progress.step == trainer.epoch_steps


def test_a_run_stopped_at_its_last_step_is_complete(rain, tmp_path):
    with open_training(ask_to_train(rain, tmp_path)) as training:
        trainer = training.trainer
        *_, end = trainer.steps(lambda: trainer.progress.step >= trainer.total_steps)
    assert end.reason == "complete"
    assert load(trainer.run.last).progress.finished
