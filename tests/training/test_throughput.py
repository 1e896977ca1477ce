"""The speed measured before a training."""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import pytest
import torch
from factories import ask_to_train, train, words

from charrnn_cli.training import throughput as speed
from charrnn_cli.training.setup import open_training
from charrnn_cli.training.throughput import measure_speed
from charrnn_cli.training.updates import Updates

pytestmark = pytest.mark.slow  # training steps are measured

STEP = Updates.step


def test_measuring_the_speed_leaves_the_model_as_it_was(rain, tmp_path):
    with open_training(ask_to_train(rain, tmp_path)) as training:
        trainer = training.trainer
        before = [parameter.detach().clone() for parameter in trainer.model.parameters()]
        assert 0 < measure_speed(trainer.model, trainer.config, trainer.train_part) < math.inf
        for parameter, was in zip(trainer.model.parameters(), before, strict=True):
            assert torch.equal(parameter, was)
            assert parameter.grad is None


class Machine:
    """A clock that updates move on, by `seconds(threads, hidden units)` each; the n-th of all by
    `at[n]`, if that is given."""

    def __init__(self, seconds: Callable[[int, int], float], at: Mapping[int, float]) -> None:
        self.seconds, self.at = seconds, at
        self.now, self.updates = 0.0, 0

    def perf_counter(self) -> float:
        return self.now

    def move(self, hidden_size: int) -> None:
        usual = self.seconds(torch.get_num_threads(), hidden_size)
        self.now += self.at.get(self.updates, usual)
        self.updates += 1


@pytest.fixture
def machine(monkeypatch):
    """Makes it a machine of two cores where updates take so long; no wish of threads is known."""

    def with_speeds(seconds, at=MappingProxyType({})) -> Machine:
        machine = Machine(seconds, at)

        def step(updates, *arguments):
            machine.move(updates.model.config.hidden_size)
            return STEP(updates, *arguments)

        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        monkeypatch.setattr(speed, "time", machine)
        monkeypatch.setattr(Updates, "step", step)
        torch.set_num_threads(2)
        return machine

    return with_speeds


def busy(threads: int, hidden_size: int) -> float:
    return 0.1 * threads


def idle(threads: int, hidden_size: int) -> float:
    return 0.1 / threads


def taken(text, folder, **wishes) -> tuple[int, bool]:
    """How many threads a training takes, and whether a note speaks of one."""
    with open_training(ask_to_train(text, folder, **wishes)) as training:
        noted = any(note.startswith("one thread is faster now than 2") for note in training.notes)
        return torch.get_num_threads(), noted


def test_where_threads_slow_each_other_down_one_is_taken(machine, rain, tmp_path):
    machine(busy)
    assert taken(rain, tmp_path) == (1, True)
    assert torch.get_num_threads() == 2  # afterwards as before


def test_where_threads_are_faster_all_are_taken(machine, rain, tmp_path):
    machine(idle)
    assert taken(rain, tmp_path) == (2, False)


def test_threads_that_were_asked_for_are_taken(machine, rain, tmp_path):
    machine(busy)
    assert taken(rain, tmp_path, threads=2) == (2, False)


def test_threads_that_the_environment_asks_for_are_taken(machine, rain, tmp_path, monkeypatch):
    machine(busy)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert taken(rain, tmp_path) == (2, False)


def test_a_run_of_one_thread_goes_on_with_one_and_says_so(machine, rain, tmp_path):
    machine(busy)
    train(rain, tmp_path, stop_at=2)
    machine(idle)
    with open_training(ask_to_train(None, tmp_path, resume="rain")) as training:
        assert torch.get_num_threads() == 1
        assert "1 thread, as before; --threads 2 takes all" in training.notes


def test_a_time_limit_is_planned_for_with_the_threads_taken(machine, rain, tmp_path):
    def planned(**wishes):
        with open_training(ask_to_train(rain, tmp_path, minutes=1.0, **wishes)) as training:
            return training.chars_per_second, training.trainer.config

    machine(busy)
    assert planned(epochs=None) == planned(epochs=None, threads=1)


def test_a_larger_model_that_one_thread_is_slower_for_is_not_planned_for(machine, tmp_path):
    """Small models are faster with one thread, larger ones with two."""
    text = tmp_path / "long.txt"
    text.write_text(words(90_000))

    def seconds(threads, hidden_size):
        return 0.06 * threads if hidden_size == 256 else 0.06 / threads

    machine(seconds)
    wishes = {"minutes": 0.3, "epochs": None, "hidden_size": None, "num_layers": None}
    wishes |= {"batch_size": None, "seq_length": None, "model": "rnn"}
    with open_training(ask_to_train(text, tmp_path, **wishes)) as training:
        alone = torch.get_num_threads() == 1
        assert alone == (training.trainer.model.config.hidden_size == 256)


def seconds_measured(text, folder, **wishes) -> float:
    """Seconds that an update is taken to need."""
    with open_training(ask_to_train(text, folder, threads=1, **wishes)) as training:
        config = training.trainer.config
        return config.batch_size * config.seq_length / training.chars_per_second


@pytest.mark.parametrize("seconds", [0.001, 0.5, 3.0])
def test_a_single_update_out_of_the_common_does_not_count(seconds, machine, rain, tmp_path):
    machine(lambda *_: 0.1, {2: seconds})
    assert seconds_measured(rain, tmp_path, optimizer="adamw") == pytest.approx(0.1)


def test_after_an_update_that_takes_too_long_no_other_is_made(machine, rain, tmp_path):
    made = machine(lambda *_: 9.0)
    assert seconds_measured(rain, tmp_path, optimizer="adamw") == pytest.approx(9.0)
    assert made.updates == 1


def test_muons_updates_count_with_their_share(machine, rain, tmp_path):
    made = machine(lambda *_: 0.1, dict.fromkeys(range(4, 99), 0.5))  # a slow second kind
    assert seconds_measured(rain, tmp_path, optimizer="muon") == pytest.approx(0.1 + 0.4 / 4)
    assert made.updates > 4


def test_windows_of_many_characters_are_measured_in_part(machine, tmp_path):
    text = tmp_path / "long.txt"
    text.write_text(words(9_000))
    machine(lambda *_: 0.1)
    wishes = {"batch_size": 2, "seq_length": 2**14, "hidden_size": 4, "num_layers": 1, "threads": 1}
    with open_training(ask_to_train(text, tmp_path, **wishes)) as training:
        assert training.chars_per_second == pytest.approx(speed.MAX_TIMED_CHARACTERS / 0.1)
        assert training.trainer.config.seq_length == 2**14
