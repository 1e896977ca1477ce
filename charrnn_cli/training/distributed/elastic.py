"""Finding the run to go on with after PyTorch's launcher restarted the processes (--max-restarts).

A new run's folder stores the launch that made it, in `.launch`: the launcher's run id, its machine,
its process with the time that it started, and a checksum of the command. Processes that find a run
of their own launch are a restart of the processes that made it.
"""

import contextlib
import hashlib
import os
import socket
import sys
from pathlib import Path

from charrnn_cli.checkpoints.atomic_write import write_file
from charrnn_cli.checkpoints.runs import Run


def launched() -> bool:
    """Whether PyTorch's launcher started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def record_launch(run: Run) -> None:
    """Store in a new run's folder which launch made it, if a launcher did. Raises WriteError."""
    launch = _launch()
    if launch:
        write_file(run.launch, launch.encode())


def find_earlier_run(checkpoints: Path) -> Run | None:
    """The newest run that this launch made before and that holds a checkpoint, if there is one."""
    saved = (run for run in _runs_of_launch(checkpoints) if run.newest)
    return max(saved, key=lambda run: run.newest, default=None)


def remove_unsaved_runs(checkpoints: Path) -> None:
    """Remove the runs that this launch made before and that hold no checkpoint."""
    for run in _runs_of_launch(checkpoints):
        run.remove_if_empty()


def _runs_of_launch(checkpoints: Path) -> list[Run]:
    launch = _launch()
    if not launch:
        return []
    try:
        runs = [Run(folder) for folder in checkpoints.iterdir()]
    except OSError:
        return []
    return [run for run in runs if _read(run.launch) == launch]


def _read(path: Path) -> str | None:
    try:
        return path.read_text() if path.is_file() else None
    except (OSError, ValueError):
        return None


def _launch() -> str | None:
    """What distinguishes this launch from every other; None without a launcher."""
    if not launched():
        return None
    launcher, began = os.getppid(), ""
    with contextlib.suppress(OSError, IndexError):  # without /proc the process number must suffice
        began = Path(f"/proc/{launcher}/stat").read_text().rpartition(")")[2].split()[19]
    command = hashlib.sha256("\0".join(sys.argv[1:]).encode(errors="surrogateescape")).hexdigest()
    identity = os.environ["TORCHELASTIC_RUN_ID"], socket.gethostname(), launcher, began, command
    return " ".join(map(str, identity)) + "\n"
