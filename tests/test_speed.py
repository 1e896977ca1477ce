"""The speed measured before a training."""

import math
import time
from collections.abc import Callable

import pytest
import torch
from factories import ask_to_train

from charrnn_cli.speed import measure_speed
from charrnn_cli.start import open_training
from charrnn_cli.updates import Updates


def test_measuring_the_speed_leaves_the_model_as_it_was(rain, tmp_path):
    with open_training(ask_to_train(rain, tmp_path)) as training:
        trainer = training.trainer
        before = [parameter.detach().clone() for parameter in trainer.model.parameters()]
        assert 0 < measure_speed(trainer.model, trainer.config, trainer.train_ids) < math.inf
        for parameter, was in zip(trainer.model.parameters(), before, strict=True):
            assert torch.equal(parameter, was)
            assert parameter.grad is None


@pytest.fixture
def slow(monkeypatch):
    """Makes updates slow that are made with some number of threads, as on a busy machine."""

    def with_threads(meant: Callable[[int], bool]) -> None:
        torch.set_num_threads(2)  # as if there were two cores
        at_full_speed = Updates.make

        def make(*arguments):
            if meant(torch.get_num_threads()):
                time.sleep(0.05)
            return at_full_speed(*arguments)

        monkeypatch.setattr(Updates, "make", make)

    return with_threads


def threads_taken(text, folder, **wishes) -> tuple[int, bool]:
    """How many threads a training takes, and whether a note speaks of one."""
    with open_training(ask_to_train(text, folder, **wishes)) as training:
        told = any(note.startswith("one thread is faster now than 2") for note in training.notes)
        return torch.get_num_threads(), told


def test_where_threads_slow_each_other_down_one_is_taken(slow, rain, tmp_path):
    slow(lambda threads: threads > 1)
    assert threads_taken(rain, tmp_path) == (1, True)
    assert torch.get_num_threads() == 2  # afterwards as before


def test_where_threads_are_faster_all_are_taken(slow, rain, tmp_path):
    slow(lambda threads: threads == 1)
    assert threads_taken(rain, tmp_path) == (2, False)


def test_threads_that_were_asked_for_are_taken(slow, rain, tmp_path):
    slow(lambda threads: threads > 1)
    assert threads_taken(rain, tmp_path, threads=2) == (2, False)


def test_a_time_limit_is_planned_for_with_the_threads_taken(slow, rain, tmp_path):
    slow(lambda threads: threads > 1)
    with open_training(ask_to_train(rain, tmp_path, minutes=1.0, epochs=None)) as training:
        with_one = training.chars_per_second
        config = training.trainer.config
    slow(lambda threads: True)
    with open_training(ask_to_train(rain, tmp_path, minutes=1.0, epochs=None)) as training:
        assert training.chars_per_second < with_one
        assert training.trainer.config.eval_every < config.eval_every


def test_a_single_slow_update_does_not_count(rain, tmp_path, monkeypatch):
    made = iter(range(100))
    at_full_speed = Updates.make

    def make(*arguments):
        time.sleep(0.1 if next(made) in (0, 2) else 0)  # the first, and one in between
        return at_full_speed(*arguments)

    with open_training(ask_to_train(rain, tmp_path)) as training:
        trainer = training.trainer
        characters = trainer.config.batch_size * trainer.config.seq_length
        monkeypatch.setattr(Updates, "make", make)
        speed = measure_speed(trainer.model, trainer.config, trainer.train_ids)
        assert characters / speed < 0.05
