"""What several test files use: a quiet machine, small texts, trained runs, the command line."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parent.parent
SONNETS = ROOT / "data" / "sonnets.txt"


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    """Two test processes on two cores: more threads would only fight."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    torch.set_num_threads(1)


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """The first 6,000 characters of the sonnets."""
    path = tmp_path / "poems.txt"
    path.write_text(SONNETS.read_text()[:6000])
    return path


@pytest.fixture
def charrnn(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the program in a process of its own, in `tmp_path`."""

    def run(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "charrnn_cli", *map(str, arguments)]
        settings = {"cwd": tmp_path, "capture_output": True, "text": True, "timeout": 120}
        return subprocess.run(command, **(settings | options))

    return run


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs with one small trained model in it, named `poems`. Not to be changed."""
    from typer.testing import CliRunner

    from charrnn_cli.__main__ import app

    folder = tmp_path_factory.mktemp("trained")
    (folder / "poems.txt").write_text(SONNETS.read_text()[:6000])
    words = ["train", str(folder / "poems.txt"), "--epochs", "4", "--hidden-size", "32"]
    words += ["--checkpoints", str(folder / "runs"), "--device", "cpu", "--learning-rate", "0.02"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.stderr
    return folder / "runs"
