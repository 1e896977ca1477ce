"""Every system call by which a training writes made to fail, and killed, in turn (with strace)."""

import os
import shutil
import signal
import subprocess

import pytest
from workshop import (
    RESUME,
    checkpoints_are_whole,
    copy,
    ended,
    result,
    run,
    start,
    stopped_at,
    the_run,
    wait_until,
)

from charrnn_cli.checkpoints.checkpoint import load

CALLS = "openat,write,fsync,rename,ftruncate"
EVALUATIONS = 1  # in the resumed run whose saves are spoilt: the last
pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="there is no strace")


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """A run stopped before its end, and the bytes with which it ends undisturbed."""
    folder = tmp_path_factory.mktemp("faults")
    whole = stopped_at(folder / "whole", 10_000)
    last = load(the_run(whole) / "last.safetensors")
    before = stopped_at(folder / "before", last.history[-1 - EVALUATIONS]["step"] + 1)
    return folder, before, result(whole)


def traced(folder, *options: str) -> tuple[int, list[str]]:
    """Resume a run under strace; its exit code, and the calls that touch the run's folder, each
    with its number among the calls of that name."""
    log = folder / "strace"
    pid = start(*RESUME, cwd=folder, first=lambda: os.kill(os.getpid(), signal.SIGSTOP))
    os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)
    tracer = subprocess.Popen(
        ["strace", "-y", "-e", f"trace={CALLS}", *options, "-o", log, "-p", str(pid)],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert "attached" in tracer.stderr.readline()
    os.kill(pid, signal.SIGCONT)
    code = ended(pid)
    tracer.communicate(timeout=60)
    wait_until(log.is_file)
    return code, log.read_text().splitlines()


def writes_of(lines: list[str], folder) -> list[tuple[str, int]]:
    """Name and number of each call that writes into the run's folder."""
    counts, found = dict.fromkeys(CALLS.split(","), 0), []
    for line in lines:
        name = line.split("(")[0]
        if name not in counts:
            continue
        counts[name] += 1
        # a folder is opened to be synced, or with O_DIRECTORY to be looked through
        to_sync = 'rain", O_RDONLY' in line and "O_DIRECTORY" not in line
        to_read = name == "openat" and "O_CREAT" not in line and not to_sync
        if "checkpoints/rain" in line and not to_read:
            found.append((name, counts[name]))
    return found


def test_a_fault_at_any_write_leaves_a_run_that_ends_with_the_same_bytes(places, tmp_path):
    parent, before, whole = places
    folder = copy(before, parent / "spoilt")
    for _ in range(2):  # the first time more is opened: what Python imports and keeps
        copy(before, folder)
        code, lines = traced(folder)
        assert code == 0
    assert result(folder) == whole
    calls = writes_of(lines, folder)
    assert {name for name, _ in calls} == set(CALLS.split(","))
    told = {"failed": 0, "killed": 0}
    for name, number in calls:
        for fault in ("error=ENOSPC", "error=EIO", "signal=KILL"):
            copy(before, folder)
            code, lines = traced(folder, "-e", f"inject={name}:{fault}:when={number}")
            where = f"{name} {number}, {fault}: exit {code}, {(folder / 'stderr').read_text()}"
            if fault == "signal=KILL":
                assert code == -signal.SIGKILL, where
                told["killed"] += 1
            else:
                hit = [line for line in lines if "(INJECTED)" in line]
                assert len(hit) == 1, where
                assert "checkpoints/rain" in hit[0], hit
                kept = "samples.jsonl" in hit[0]  # a sample of a stage, which stops nothing
                assert code == (0 if kept else 5), where
                said = (folder / "stderr").read_text().splitlines()
                assert len(said) == (0 if kept else 1), where
                assert kept or said[0].startswith("Error: "), where
                told["failed"] += 1
            checkpoints_are_whole(folder)
            code = run(*RESUME, cwd=folder)
            # what failed after the last rename may have left a run that is complete
            assert code == 0 or "is complete" in (folder / "stderr").read_text(), where
            assert result(folder) == whole, where
            assert not list(the_run(folder).glob(".*.tmp")), where
    print(
        f"\n{len(calls)} calls that write: {told['failed']} faults injected, {told['killed']} "
        "kills; each run went on to the bytes of the run undisturbed"
    )
