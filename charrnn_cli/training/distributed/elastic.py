"""Taking up a run after PyTorch's launcher has started its processes again (--max-restarts).

A new run's folder remembers the launch that made it, in `.launch`: the launcher's run id, its
machine, its process with the time that it began, and a checksum of the command. Processes that meet
a run of their own launch are a restart of those that made it.
"""

import contextlib
import dataclasses
import hashlib
import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from charrnn_cli.checkpoints.atomic_write import write_file
from charrnn_cli.checkpoints.runs import Run

if TYPE_CHECKING:
    from charrnn_cli.training.setup import Request


def remember(run: Run) -> None:
    """Note in a new run's folder which launch made it, if a launcher did. Raises WriteError."""
    launch = _launch()
    if launch:
        write_file(run.launch, launch.encode())


def taken_up(request: "Request", run: Run) -> "Request":
    """The request for a new run, after a restart: to go on with what was saved of it."""
    return dataclasses.replace(
        request,
        resume=str(run.folder),
        from_best=not run.last.is_file(),
        given={},  # they are in its checkpoint
        name=None,
        init_from=None,
    )


def recall(checkpoints: Path) -> Run | None:
    """The newest run there that the same launch has made before, if it saved a checkpoint; one that
    did not is removed."""
    launch = _launch()
    if not launch:
        return None
    earlier = [run for run in _runs(checkpoints) if _read(run.launch) == launch]
    for run in earlier:
        run.remove_if_empty()
    return max((run for run in earlier if run.newest), key=lambda run: run.newest, default=None)


def _runs(checkpoints: Path) -> list[Run]:
    try:
        return [Run(folder) for folder in checkpoints.iterdir()]
    except OSError:
        return []


def _read(path: Path) -> str | None:
    try:
        return path.read_text() if path.is_file() else None
    except (OSError, ValueError):
        return None


def _launch() -> str | None:
    """What tells this launch from every other; None without a launcher."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return None
    launcher, began = os.getppid(), ""
    with contextlib.suppress(OSError, IndexError):  # where there is no /proc, the number must do
        began = Path(f"/proc/{launcher}/stat").read_text().rpartition(")")[2].split()[19]
    command = hashlib.sha256("\0".join(sys.argv[1:]).encode(errors="surrogateescape")).hexdigest()
    identity = os.environ["TORCHELASTIC_RUN_ID"], socket.gethostname(), launcher, began, command
    return " ".join(map(str, identity)) + "\n"
