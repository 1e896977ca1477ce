"""Resuming: a stopped run ends with the same bytes as one undisturbed, and what is refused."""

import itertools
import os
import signal
from pathlib import Path

import pytest
from factories import NOISE, ask_to_train, files, metrics_of, train, words

from charrnn_cli.checkpoints.checkpoint import load
from charrnn_cli.models.recurrent.config import CELLS
from charrnn_cli.terminal.signals import CODES as SIGNAL_CODES
from charrnn_cli.terminal.signals import StopOnSignal
from charrnn_cli.training.events import Finished, Stepped
from charrnn_cli.training.setup import open_training
from charrnn_cli.training.trainer import Trainer

pytestmark = pytest.mark.slow  # each test trains a model twice

# exact resume


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A whole run for each model and dropout, trained once: the text, and the finished trainer."""
    folder = tmp_path_factory.mktemp("undisturbed")
    text = folder / "rain.txt"
    text.write_text(words(250))
    cache = {}

    def whole(**wishes) -> tuple[Path, Trainer]:
        key = tuple(sorted(wishes.items()))
        if key not in cache:
            cache[key] = train(text, folder / str(len(cache)), **wishes)[1]
        return text, cache[key]

    return whole


PLACES = {
    "after the first step": lambda run: 1,
    "before an evaluation": lambda run: run.config.eval_every - 1,
    "at an evaluation": lambda run: run.config.eval_every,
    "after an evaluation": lambda run: run.config.eval_every + 1,
    "before the epoch's edge": lambda run: run.epoch_steps - 1,
    "at the epoch's edge": lambda run: run.epoch_steps,
    "after the epoch's edge": lambda run: run.epoch_steps + 1,
    "before the end": lambda run: run.total_steps - 1,
}


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize(("dropout", "optimizer"), [(0.0, "adamw"), (0.3, "muon")])
@pytest.mark.parametrize("place", PLACES)
def test_a_stopped_and_resumed_run_ends_with_the_same_bytes(
    name, dropout, optimizer, place, undisturbed, tmp_path
):
    wishes = {"model": name, "dropout": dropout, "optimizer": optimizer}
    text, whole = undisturbed(**wishes)
    stop_at = PLACES[place](whole)
    events, stopped = train(text, tmp_path, stop_at, **wishes)
    assert events[-1].reason == "stopped"
    assert stopped.progress.step == stop_at

    _, resumed = train(None, tmp_path, resume="")

    assert files(resumed.run) == files(whole.run)


def test_the_places_to_stop_at_are_all_different(undisturbed):
    _, whole = undisturbed(model="gru", dropout=0.0)
    stops = [place(whole) for place in PLACES.values()]
    assert len(set(stops)) == len(stops)
    assert all(1 <= stop < whole.total_steps for stop in stops)
    assert whole.epoch_steps % whole.config.eval_every  # an epoch's edge is no evaluation


def test_a_run_stopped_again_and_again_ends_with_the_same_bytes(undisturbed, tmp_path):
    text, whole = undisturbed(model="gru", dropout=0.3)
    train(text, tmp_path, stop_at=3, model="gru", dropout=0.3)
    for stop_at in range(10, whole.total_steps, 7):
        train(None, tmp_path, stop_at, resume="")
    _, resumed = train(None, tmp_path, resume="")
    assert files(resumed.run) == files(whole.run)


def test_a_killed_run_goes_on_from_its_last_evaluation(undisturbed, tmp_path):
    text, whole = undisturbed(model="gru", dropout=0.3)
    with open_training(ask_to_train(text, tmp_path, model="gru", dropout=0.3)) as training:
        for event in training.trainer.steps():  # pragma: no branch
            if event.step == whole.config.eval_every + 3:
                break  # what follows an evaluation is lost here, as if the process had been killed
    with open_training(ask_to_train(None, tmp_path, resume="")) as training:
        assert training.trainer.progress.step == whole.config.eval_every
        list(training.trainer.steps())
    assert files(training.trainer.run) == files(whole.run)


def test_a_resumed_run_has_the_same_metrics(undisturbed, tmp_path):
    text, whole = undisturbed(model="gru", dropout=0.3)
    train(text, tmp_path, stop_at=whole.config.eval_every + 2, model="gru", dropout=0.3)
    _, resumed = train(None, tmp_path, resume="")

    def timeless(run):
        return [
            {k: v for k, v in record.items() if k not in ("seconds", "chars_per_second")}
            for record in metrics_of(run)
        ]

    assert timeless(resumed.run) == timeless(whole.run)


def test_metrics_from_after_the_last_save_are_forgotten(rain, tmp_path):
    _, stopped = train(rain, tmp_path, stop_at=20)
    with open(stopped.run.metrics, "a") as file:
        file.write('{"step": 21, "val_loss": 0.5}\n{"step": 2')
    _, resumed = train(None, tmp_path, resume="")
    assert [record["step"] for record in metrics_of(resumed.run)] == [
        record["step"] for record in resumed.history
    ]


def test_a_run_can_be_resumed_by_name(rain, tmp_path):
    train(rain, tmp_path, stop_at=3, name="first")
    train(rain, tmp_path, stop_at=3, name="second")
    _, resumed = train(None, tmp_path, resume="first")
    assert resumed.run.folder == tmp_path / "first"


def test_a_run_can_be_resumed_with_its_text_elsewhere(rain, tmp_path):
    train(rain, tmp_path, stop_at=3)
    moved = rain.rename(tmp_path / "moved.txt")
    events, _ = train(moved, tmp_path, resume="rain")
    assert events[-1].reason == "complete"


def test_a_resumed_run_says_where_it_goes_on(rain, tmp_path):
    train(rain, tmp_path, stop_at=3)
    with open_training(ask_to_train(None, tmp_path, resume="")) as training:
        assert "run rain goes on at step 3" in training.notes


def test_a_run_with_more_epochs_goes_on(rain, tmp_path):
    _, first = train(rain, tmp_path, epochs=1)
    _, longer = train(None, tmp_path, resume="", epochs=2)
    assert first.progress.step == first.epoch_steps
    assert longer.progress.step == 2 * longer.epoch_steps
    before = [record for record in first.history if record["step"] < first.progress.step / 2]
    assert list(longer.history[: len(before)]) == before
    assert len(longer.history) > len(first.history)
    assert longer.progress.finished


def test_a_run_with_more_epochs_can_be_stopped_and_resumed(rain, tmp_path):
    _, first = train(rain, tmp_path, epochs=1)
    train(None, tmp_path, resume="", epochs=2, stop_at=first.progress.step + 3)
    _, resumed = train(None, tmp_path, resume="")
    assert resumed.progress.step == 2 * resumed.epoch_steps


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("place", PLACES)
def test_a_signal_at_any_place_stops_a_training_with_everything_saved(
    undisturbed, tmp_path, name, place
):
    text, whole = undisturbed(model="gru", dropout=0.3)
    stop_at = PLACES[place](whole)
    with (
        open_training(ask_to_train(text, tmp_path, model="gru", dropout=0.3)) as training,
        StopOnSignal() as stop,
    ):
        stop.finish_steps()
        for event in training.trainer.steps(stop):
            if isinstance(event, Stepped) and event.step == stop_at:
                os.kill(os.getpid(), getattr(signal, name))
    assert stop.code == SIGNAL_CODES[name]
    assert event == Finished("stopped", training.trainer.progress)
    assert load(training.trainer.run.last).progress.step == stop_at
    _, resumed = train(None, tmp_path, resume="")
    assert files(resumed.run) == files(whole.run)


def test_a_signal_during_the_last_evaluation_leaves_a_complete_run(undisturbed, tmp_path):
    text, whole = undisturbed(model="gru", dropout=0.3)
    with (
        open_training(ask_to_train(text, tmp_path, model="gru", dropout=0.3)) as training,
        StopOnSignal() as stop,
    ):
        stop.finish_steps()
        for event in training.trainer.steps(stop):
            if isinstance(event, Stepped) and event.step == whole.total_steps:
                os.kill(os.getpid(), signal.SIGINT)
    assert event.reason == "complete"
    assert files(training.trainer.run) == files(whole.run)


@pytest.mark.parametrize("behind", [1, 4])
def test_patience_counts_on_over_a_stop(tmp_path, behind):
    text = tmp_path / "noise.txt"
    text.write_text(NOISE)  # nothing to learn: patience ends the run
    wishes = {"epochs": 200.0, "patience": 3, "learning_rate": 0.03, "num_layers": 1}
    _, whole = train(text, tmp_path / "whole", **wishes)
    end = whole.progress.step
    train(text, tmp_path / "stopped", stop_at=end - behind, **wishes)
    events, resumed = train(None, tmp_path / "stopped", resume="")
    assert events[-1].reason == "patience"
    assert files(resumed.run) == files(whole.run)


def test_a_run_in_minutes_goes_on_with_its_schedule_by_the_time_spent(rain, tmp_path):
    with open_training(ask_to_train(rain, tmp_path, minutes=10, epochs=None)) as training:
        trainer = training.trainer
        trainer.started -= 300  # as if half of the time had passed
        list(itertools.islice(trainer.steps(lambda: trainer.progress.step >= 3), 20))
    with open_training(ask_to_train(None, tmp_path, resume="")) as training:
        assert training.trainer.seconds() == pytest.approx(300, abs=30)
        assert training.trainer.share_done() == pytest.approx(0.5, abs=0.06)
        assert training.seconds <= 301


def test_saving_after_every_step_changes_no_byte_of_the_end(undisturbed, tmp_path):
    text, whole = undisturbed(model="gru", dropout=0.3)
    wishes = {"model": "gru", "dropout": 0.3, "save_every": 0}
    with open_training(ask_to_train(text, tmp_path, **wishes)) as training:
        for event in training.trainer.steps():
            if isinstance(event, Stepped) and event.step > 1:
                # a step is yielded before it is saved; the one before is on disk
                assert load(training.trainer.run.last).progress.step == event.step - 1
    assert files(training.trainer.run) == files(whole.run)
