"""What the torture tests share: the command in a forked process, a run to do harm to."""

import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from factories import words

from charrnn_cli.checkpoints.checkpoint import load
from charrnn_cli.errors import CheckpointError

SMALL = ["--hidden-size", "12", "--num-layers", "1", "--batch-size", "4", "--seq-length", "16"]
TRAIN = ["train", "../rain.txt", *SMALL, "--epochs", "2", "--dropout", "0.3", "--quiet"]
RESUME = ["train", "--resume", "--quiet"]


def start(*arguments: str, cwd: Path, first: Callable[[], None] = lambda: None) -> int:
    """The command in a fork of this process, which has PyTorch imported; its stderr is in
    `cwd/stderr`. `first` is called in it. Returns the process's number."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        from charrnn_cli.__main__ import main

        os.chdir(cwd)
        errors = os.open("stderr", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(errors, 2)
        sys.stderr = open(2, "w", closefd=False)
        sys.argv = ["charrnn", *map(str, arguments)]
        first()
        main()
    except SystemExit as end:
        code = end.code
    finally:
        os._exit(code)


def ended(pid: int) -> int:
    """The exit code of a process, once it has ended; less than 0 for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def still_runs(pid: int) -> bool:
    """Whether a child still runs; it is not waited for."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def run(*arguments: str, cwd: Path, **options) -> int:
    """The command to its end; its exit code."""
    return ended(start(*arguments, cwd=cwd, **options))


def make_text(folder: Path) -> Path:
    """A folder, and beside it `rain.txt`, a text of 1,400 characters."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder.parent / "rain.txt").write_text(words(250))
    return folder


def the_run(folder: Path) -> Path:
    """The folder of the one run there."""
    return folder / "checkpoints" / "rain"


def result(folder: Path) -> dict[str, bytes]:
    """The bytes of a run's checkpoints."""
    return {
        name: (the_run(folder) / f"{name}.safetensors").read_bytes() for name in ("best", "last")
    }


def stopped_at(folder: Path, step: int) -> Path:
    """A folder with a run that was stopped after `step` steps."""
    from factories import train

    make_text(folder)
    sizes = {"hidden_size": 12, "num_layers": 1, "batch_size": 4, "seq_length": 16}
    train(
        folder.parent / "rain.txt", folder / "checkpoints", step,
        **sizes, epochs=2.0, dropout=0.3, threads=1,
    )  # fmt: skip
    return folder


def copy(folder: Path, to: Path) -> Path:
    """A fresh copy of a folder and its run; the text stays where it was."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(folder, to)
    return to


def checkpoints_are_whole(folder: Path) -> None:
    """Assert that both checkpoints of a run load."""
    load(the_run(folder) / "best.safetensors")
    load(the_run(folder) / "last.safetensors", training=True)


def has_checkpoint(folder: Path) -> bool:
    """Whether a run can be resumed; what is there must then be whole."""
    last = the_run(folder) / "last.safetensors"
    if not last.is_file():
        return False
    try:
        load(last, training=True)
    except CheckpointError as error:
        raise AssertionError(f"a torn checkpoint: {error}") from None
    return True


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for something that another process does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.002)
