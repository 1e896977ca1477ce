"""Deleting a run's files, and nothing else that lies beside them."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from charrnn_cli.checkpoints.runs import Run
from charrnn_cli.errors import WriteError

# In this order: a run that a crash leaves in part is still a model, and then a run to delete.
_FILES = (
    "metrics.jsonl", "samples.jsonl", "events.out.tfevents.*", ".*.tmp", ".launch",
    "middle.safetensors",
)  # fmt: skip
_CHECKPOINTS = ("last.safetensors", "best.safetensors")


def files_of(run: Run) -> list[Path]:
    """The files in a run's folder that charrnn wrote, in the order in which they are deleted."""
    return [*_matching(run.folder, _FILES), *_matching(run.folder, _CHECKPOINTS)]


def delete_run(run: Run) -> list[str]:
    """Delete a run's files and its folder, and return the names of files of others in it, with
    which the folder stays. Raises RunInUseError while it is trained, or WriteError.

    Of a folder that is a link only the link is deleted.
    """
    if run.folder.is_symlink():
        with _write_errors(run.folder):
            run.folder.unlink()
        return []
    with run.locked(), _write_errors(run.folder):
        for path in files_of(run):
            path.unlink()
        (run.folder / ".lock").unlink(missing_ok=True)
        left = sorted(os.listdir(run.folder))
        if not left:
            run.folder.rmdir()
    return left


def _matching(folder: Path, patterns: tuple[str, ...]) -> list[Path]:
    found = (path for pattern in patterns for path in sorted(folder.glob(pattern)))
    return [path for path in found if path.is_symlink() or path.is_file()]


@contextlib.contextmanager
def _write_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WriteError(f"{folder}: cannot be deleted ({error.strerror}).") from None
