"""A note on a machine too busy for the plan of a run with a time limit."""

import dataclasses

import pytest
from factories import ask_to_train

from charrnn_cli.training import pace as pace_module
from charrnn_cli.training.events import Stepped
from charrnn_cli.training.pace import Pace
from charrnn_cli.training.setup import open_training


def notes(rain, tmp_path, monkeypatch, slower, **wishes):
    """The notes on a run of 60 steps, two a second, on a machine this much slower than planned;
    and the number of the step that each came after."""
    found = []
    with open_training(ask_to_train(rain, tmp_path, **wishes)) as training:
        config = training.trainer.config
        speed = 2 * config.batch_size * config.seq_length
        pace = Pace(dataclasses.replace(training, chars_per_second=slower * speed))
        clock = iter(range(1000))
        monkeypatch.setattr(pace_module.time, "monotonic", lambda: next(clock) / 2)
        for step in range(1, 61):
            note = pace.note(Stepped(step, 1.0, 0.1))
            if note:
                found.append((step, note.text))
        monkeypatch.undo()
    return found


def test_a_timed_run_on_a_busy_machine_says_so_once_and_early(rain, tmp_path, monkeypatch):
    [(step, text)] = notes(rain, tmp_path, monkeypatch, 3, epochs=None, minutes=2)
    assert step == 1 + 2 * 6  # a twentieth of two minutes after the first step
    assert "this machine is busy: 128 characters a second, not the 384" in text
    assert "more --minutes" in text


@pytest.mark.parametrize(
    ("slower", "wishes"), [(1.2, {"epochs": None, "minutes": 2}), (3, {"epochs": 9})]
)
def test_a_run_that_keeps_its_plan_or_has_no_time_limit_says_nothing(
    rain, tmp_path, monkeypatch, slower, wishes
):
    assert notes(rain, tmp_path, monkeypatch, slower, **wishes) == []
