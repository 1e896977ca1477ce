"""Locking: a run is held by one process, and free once that is gone."""

import contextlib
import os
import signal
import subprocess
import sys

import pytest
from factories import make_run

from charrnn_cli.checkpoints.runs import Run
from charrnn_cli.errors import RunInUseError, WriteError

HOLD = """
import sys
from pathlib import Path
from charrnn_cli.checkpoints.runs import Run
with Run(Path(sys.argv[1])).locked():
    print("held", flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def held_by_another(run: Run):
    """Another process, which holds the run while the body runs."""
    command = [sys.executable, "-c", HOLD, str(run.folder)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.stdin.close()


@pytest.mark.slow
def test_a_run_held_by_another_process_is_refused_naming_it(tmp_path):
    run = make_run(tmp_path, "mine")
    with held_by_another(run) as process:
        with pytest.raises(RunInUseError) as caught, run.locked():
            pytest.fail("the run was held twice")
        assert f"run mine is being trained by process {process.pid}. " in str(caught.value)
    with run.locked():
        assert (run.folder / ".lock").read_text() == str(os.getpid())


@pytest.mark.slow
def test_a_killed_process_leaves_the_run_free_and_its_temporary_files_are_removed(tmp_path):
    run = make_run(tmp_path, "mine")
    litter = run.folder / ".last.safetensors.12345.tmp"
    with held_by_another(run) as process:
        litter.write_bytes(b"half a checkpo")
        process.send_signal(signal.SIGKILL)
        process.wait()
    with run.locked():
        assert not litter.exists()
        assert run.best.is_file()
        assert run.last.is_file()


def test_litter_of_a_run_in_use_is_left_alone(tmp_path):
    run = make_run(tmp_path, "mine")
    with run.locked():
        litter = run.folder / ".last.safetensors.12345.tmp"
        litter.write_bytes(b"being written")
        with contextlib.suppress(RunInUseError), run.locked():
            pytest.fail("the run was held twice")
        assert litter.exists()


def test_a_run_is_free_again_after_an_error(tmp_path):
    run = make_run(tmp_path, "mine")
    with contextlib.suppress(ZeroDivisionError), run.locked():
        raise ZeroDivisionError
    with run.locked():
        assert (run.folder / ".lock").is_file()


def test_two_runs_can_be_held_at_once(tmp_path):
    first, second = make_run(tmp_path, "first"), make_run(tmp_path, "second")
    with first.locked(), second.locked():
        assert (second.folder / ".lock").is_file()


def test_a_run_that_cannot_be_locked_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(WriteError, match=r"file/\.lock: cannot be written"),
        Run(tmp_path / "file").locked(),
    ):
        pytest.fail("there is nothing to hold")


def test_a_lock_that_is_a_link_does_not_touch_what_it_points_to(tmp_path):
    run = make_run(tmp_path, "mine")
    precious = tmp_path / "precious"
    precious.write_text("all I have")
    (run.folder / ".lock").symlink_to(precious)
    with pytest.raises(WriteError, match=r"\.lock: is not a regular file"), run.locked():
        pytest.fail("a link was taken for a lock")
    assert precious.read_text() == "all I have"


def test_a_folder_named_like_litter_does_not_stop_a_run(tmp_path):
    run = make_run(tmp_path, "mine")
    (run.folder / ".mine.tmp").mkdir()
    with run.locked():
        assert (run.folder / ".mine.tmp").is_dir()
