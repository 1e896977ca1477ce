"""Restarts: which earlier run the processes of a launch take up again."""

import sys

import pytest
from factories import make_run

from charrnn_cli.training.distributed.elastic import recall, remember


@pytest.fixture(autouse=True)
def launched(monkeypatch):
    """As if PyTorch's launcher had started this process."""
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "launch")
    monkeypatch.setattr(sys, "argv", ["charrnn", "train", "a.txt"])


def test_a_run_of_the_same_launch_and_command_is_taken_up(tmp_path):
    run = make_run(tmp_path, "a")
    remember(run)
    assert recall(tmp_path) == run


def test_another_launch_takes_up_nothing(tmp_path, monkeypatch):
    remember(make_run(tmp_path, "a"))
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "another")
    assert recall(tmp_path) is None


def test_another_command_of_the_same_launch_takes_up_nothing(tmp_path, monkeypatch):
    remember(make_run(tmp_path, "a"))
    monkeypatch.setattr(sys, "argv", ["charrnn", "train", "a.txt", "--random-seed", "5"])
    assert recall(tmp_path) is None


def test_without_a_launcher_nothing_is_remembered(tmp_path, monkeypatch):
    monkeypatch.delenv("TORCHELASTIC_RUN_ID")
    run = make_run(tmp_path, "a")
    remember(run)
    assert recall(tmp_path) is None
    assert not run.launch.exists()
