"""The names of run folders: making a new one, and changing its name."""

import os
import re
from pathlib import Path

from charrnn_cli.checkpoints.atomic_write import sync_folder
from charrnn_cli.checkpoints.runs import Run
from charrnn_cli.errors import UsageError, WriteError


def create_run(checkpoints: Path, name: str | None, source: str) -> Run:
    """Make a new run folder, named after the text unless `name` is given.

    If the text's name is taken, a number is added. Raises UsageError for a bad or taken `name`,
    WriteError if the folder cannot be made.
    """
    if name is not None:
        check_name("--name", name)
    stem = name or re.sub(r"[^\w.+-]+", "-", Path(source).stem)
    stem = stem.lstrip(".-") or "text" if name is None else stem
    try:
        checkpoints.mkdir(parents=True, exist_ok=True)
        for number in range(1, 100_000):
            run = Run(checkpoints / (stem if number == 1 else f"{stem}-{number}"))
            try:
                run.folder.mkdir()
            except FileExistsError:
                if name is None:
                    continue
                raise _taken(name, run) from None
            sync_folder(checkpoints)
            return run
    except OSError as error:
        raise WriteError(
            f"{checkpoints}: cannot be written ({error.strerror}). "
            "Choose another --checkpoints or --name."
        ) from None
    raise UsageError(f"{checkpoints / stem}: too many runs of that name. Give a --name.")


def check_free(checkpoints: Path, name: str) -> None:
    """Raise UsageError for a bad or taken name of a new run."""
    check_name("--name", name)
    run = Run(checkpoints / name)
    if os.path.lexists(run.folder):
        raise _taken(name, run)


def _taken(name: str, run: Run) -> UsageError:
    remedy = (
        f"Choose another name, or go on with that run: --resume {name}"
        if run.last.is_file()
        else f"Choose another name, or start from its model: --init-from {name}"
        if run.newest
        else "Choose another name, or remove it: it holds no checkpoint."
    )
    return UsageError(f"--name {name}: {run.folder} exists. {remedy}")


def check_name(option: str, name: str) -> None:
    """Raise UsageError, naming the option, unless a folder of runs can hold a run of that name."""
    if name != Path(name).name or name in ("", "..") or name[0] in ".-":
        raise UsageError(f"{option} {name}: must be a plain name: no slash, no dot or - in front.")


def rename_run(run: Run, name: str) -> Run:
    """Give a run's folder another name beside its own; return the run there.

    Raises UsageError for a bad or taken `name`, RunInUseError while it is trained, or WriteError.
    """
    check_name("the new name", name)
    renamed = Run(run.folder.with_name(name))
    if os.path.lexists(renamed.folder):
        raise UsageError(f"{renamed.folder}: exists. Choose another name.")
    with run.locked():
        try:
            run.folder.rename(renamed.folder)
            sync_folder(renamed.folder.parent)
        except OSError as error:
            raise WriteError(f"{run.folder}: cannot be renamed ({error.strerror}).") from None
    return renamed
