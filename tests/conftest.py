"""What several test files use: a quiet machine, small texts, trained runs, the command line."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from factories import SONNETS, ask_to_train, make_checkpoint, save_checkpoint, save_cycle, words
from hypothesis import settings
from typer.testing import CliRunner
from warm import warm_program

from charrnn_cli.__main__ import app
from charrnn_cli.checkpoints.checkpoint import load
from charrnn_cli.errors import CheckpointError
from charrnn_cli.settings.configs import TrainConfig

settings.register_profile("quick", max_examples=20)  # see factories.fuzzed


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    """Two test processes on two cores: more threads would only fight."""
    import torch  # not at the top: the process that only hands out tests has no use for it

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    """Saving waits for the disk some twenty times in a training. The tests that are about that
    (atomic writes, a power cut) put a recorder in the place of this."""
    monkeypatch.setattr(os, "fsync", os.fstat)  # which also refuses what is no descriptor


# In the background of a shell and under nohup some of these are ignored, also by the processes
# that tests start and send them to.
for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(number) is signal.SIG_IGN:
        handler = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        signal.signal(number, handler)


# pytest's readline sets these, which would be taken for the user's wish of a width
for name in ("COLUMNS", "LINES"):
    os.environ[name] = ""  # so that what C has set is taken away as well
    del os.environ[name]


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """The first 6,000 characters of the sonnets."""
    path = tmp_path / "poems.txt"
    path.write_text(SONNETS.read_text()[:6000])
    return path


@pytest.fixture
def rain(tmp_path: Path) -> Path:
    """A text that is easy to learn something of, about 1,400 characters."""
    path = tmp_path / "rain.txt"
    path.write_text(words(250))
    return path


@pytest.fixture
def train_config(rain: Path, tmp_path: Path) -> TrainConfig:
    """The configuration that a small training of `rain` begins with."""
    from charrnn_cli.training.setup import open_training

    with open_training(ask_to_train(rain, tmp_path, learning_rate=0.01)) as training:
        return training.trainer.config


@pytest.fixture
def charrnn(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the program in a process of its own, in `tmp_path`."""

    def run(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "charrnn_cli", *map(str, arguments)]
        settings = {"cwd": tmp_path, "capture_output": True, "text": True, "timeout": 120}
        return subprocess.run(command, **(settings | options))

    return run


@pytest.fixture
def invoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs a command inside this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*words, **options):
        return CliRunner().invoke(app, [str(word) for word in words], **options)

    return run


@pytest.fixture
def refused(tmp_path: Path) -> Callable[..., str]:
    """Tells with what message, the path left out, a file of these bytes is refused."""

    def message(data: bytes, **how) -> str:
        path = tmp_path / "bad.safetensors"
        path.write_bytes(data)
        with pytest.raises(CheckpointError) as caught:
            load(path, **how)
        text = str(caught.value)
        assert text.startswith(f"{path}: ")
        assert "\n" not in text
        return text.removeprefix(f"{path}: ")

    return message


@pytest.fixture
def abc_runs(tmp_path: Path) -> Path:
    """A folder of checkpoints whose one run, `abc`, holds a tiny random model."""
    save_checkpoint(tmp_path / "abc" / "best.safetensors", make_checkpoint(vocabulary="abcé\n"))
    return tmp_path


@pytest.fixture
def letters(tmp_path: Path) -> Path:
    """A folder with `checkpoints/cycle`, which expects a, b, c, d, a newline, a… and is sure."""
    save_cycle(tmp_path / "checkpoints", "abcd\n")
    return tmp_path


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs with one small trained model in it, named `poems`. Not to be changed."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "poems.txt").write_text(SONNETS.read_text()[:6000])
    words = ["train", str(folder / "poems.txt"), "--epochs", "4", "--hidden-size", "32"]
    words += ["--checkpoints", str(folder / "runs"), "--device", "cpu", "--learning-rate", "0.02"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.stderr
    return folder / "runs"


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with commands that start at once, see `warm_program`."""
    with warm_program(tmp_path_factory.mktemp("warm")) as folder:
        yield folder
