"""PyTorch's own launcher: a killed process, a restart, a stop, as its user sees them."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from factories import SONNETS

from charrnn_cli.checkpoints.checkpoint import load

# A launcher and its processes, once for all tests.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("launched")]

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
LONG = ["--epochs", "500", "--patience", "99999", "--hidden-size", "16"]
LONG += ["--threads", "1", "--device", "cpu"]


def lines_until(process, pattern):
    """What a process says, until a line with a match of `pattern`."""
    said = []
    while not said or not re.search(pattern, said[-1]):
        said.append(process.stderr.readline())
        assert said[-1], "".join(said)
    return said


def child_of_rank(launcher, rank):
    """The process number that the launcher gave a rank."""
    numbers = Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()
    ranks = (Path(f"/proc/{number}/environ").read_bytes().split(b"\0") for number in numbers)
    return next(
        int(number)
        for number, environment in zip(numbers, ranks, strict=True)
        if b"RANK=%d" % rank in environment
    )


@pytest.fixture(scope="module")
def launched(tmp_path_factory):
    """A launch whose second process is killed once, and which is stopped after its restart."""
    if not os.path.exists(f"/proc/{os.getpid()}/task/{os.getpid()}/children"):
        pytest.skip("finding a launcher's processes needs Linux")
    folder = tmp_path_factory.mktemp("launched")
    (folder / "poems.txt").write_text(SONNETS.read_text()[:6000])
    last = folder / "checkpoints/poems/last.safetensors"
    train = ["-m", "charrnn_cli", "train", "poems.txt", *LONG]
    with subprocess.Popen(
        [*TORCHRUN, "--max-restarts", "1", *train],
        cwd=folder, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            begun = lines_until(process, r"^step .* best$")
            os.kill(child_of_rank(process.pid, 1), signal.SIGKILL)
            killed = lines_until(process, r"goes on at step|to go\.$")
            saved = load(last, training=True).progress.step
            lines_until(process, "^step ")
        finally:
            process.terminate()
        _, stopped = process.communicate(timeout=120)
    return {
        "begun": begun, "killed": killed, "saved": saved, "stopped": stopped.splitlines(),
        "code": process.returncode, "folder": folder, "last": load(last, training=True),
    }  # fmt: skip


def test_the_plan_is_shown_once_and_names_the_processes(launched):
    plans = [line for line in launched["begun"] if "to go" in line]
    assert len(plans) == 1
    assert "2 processes, each on cpu (1 thread)" in plans[0]


def test_a_killed_process_ends_the_others_with_one_error(launched):
    errors = [line for line in launched["killed"] if line.startswith("Error: ")]
    assert len(errors) == 1
    assert "another process of this training ended" in errors[0]
    assert not [line for line in launched["killed"] if "charrnn_cli/" in line]  # no traceback


def test_the_launchers_restart_goes_on_from_the_last_save(launched):
    assert launched["killed"][-1] == f"Note: run poems goes on at step {launched['saved']:,}.\n"
    assert launched["saved"] > 0
    assert [run.name for run in (launched["folder"] / "checkpoints").iterdir()] == ["poems"]


def test_a_signal_to_the_launcher_saves_everything(launched):
    step = launched["last"].progress.step
    said = [line for line in launched["stopped"] if line.startswith("Stopped and saved")]
    assert len(said) == 1
    assert said[0].startswith(f"Stopped and saved at step {step:,}. Go on: ")
    assert said[0].endswith(" train --resume poems --device cpu")
    assert step >= launched["saved"]
    assert launched["code"] != 0
