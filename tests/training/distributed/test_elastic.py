"""Restarts: which earlier run the processes of a launch go on with."""

import sys

import pytest
from factories import make_run

from charrnn_cli.checkpoints.naming import create_run
from charrnn_cli.checkpoints.runs import Run
from charrnn_cli.training.distributed.elastic import (
    find_earlier_run,
    record_launch,
    remove_unsaved_runs,
)


@pytest.fixture(autouse=True)
def launched(monkeypatch):
    """As if PyTorch's launcher had started this process."""
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "launch")
    monkeypatch.setattr(sys, "argv", ["charrnn", "train", "a.txt"])


def test_a_run_of_the_same_launch_and_command_is_found(tmp_path):
    run = make_run(tmp_path, "a")
    record_launch(run)
    assert find_earlier_run(tmp_path) == run


def test_another_launch_finds_nothing(tmp_path, monkeypatch):
    record_launch(make_run(tmp_path, "a"))
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "another")
    assert find_earlier_run(tmp_path) is None


def test_another_command_of_the_same_launch_finds_nothing(tmp_path, monkeypatch):
    record_launch(make_run(tmp_path, "a"))
    monkeypatch.setattr(sys, "argv", ["charrnn", "train", "a.txt", "--random-seed", "5"])
    assert find_earlier_run(tmp_path) is None


def test_without_a_launcher_nothing_is_recorded(tmp_path, monkeypatch):
    monkeypatch.delenv("TORCHELASTIC_RUN_ID")
    run = make_run(tmp_path, "a")
    record_launch(run)
    assert find_earlier_run(tmp_path) is None
    assert not run.launch.exists()


def test_the_newest_of_several_runs_is_found(tmp_path):
    for name, written in (("a", 100.0), ("b", 300.0), ("c", 200.0)):
        record_launch(make_run(tmp_path, name, written))
    assert find_earlier_run(tmp_path) == Run(tmp_path / "b")


def test_a_run_that_saved_nothing_is_removed_and_not_found(tmp_path):
    run = create_run(tmp_path, None, "a.txt")
    record_launch(run)
    assert find_earlier_run(tmp_path) is None
    assert run.folder.exists()
    remove_unsaved_runs(tmp_path)
    assert not run.folder.exists()


def test_a_run_without_a_checkpoint_of_another_launch_is_kept(tmp_path, monkeypatch):
    run = create_run(tmp_path, None, "a.txt")
    record_launch(run)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "another")
    remove_unsaved_runs(tmp_path)
    assert run.folder.exists()
