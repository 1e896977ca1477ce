"""What a word of a command line can name: a run of a folder, or any model."""

import os
from pathlib import Path

from charrnn_cli.checkpoints.runs import HOW_TO_TRAIN, Run, list_runs
from charrnn_cli.checkpoints.shipped import shipped_models
from charrnn_cli.errors import CheckpointError
from charrnn_cli.formatting import did_you_mean


def find_named(name: str, checkpoints: Path) -> Run:
    """The run of that name in the folder of the runs, to rename or delete it, or to compare it with
    others. Raises CheckpointError."""
    run = Run(checkpoints / name)
    if name == Path(name).name and name not in ("", "..") and run.newest:
        return run
    names = [run.name for run in list_runs(checkpoints)]
    if not names:
        raise CheckpointError(f"no run in {checkpoints} yet. {HOW_TO_TRAIN}")
    if name in shipped_models():
        raise CheckpointError(
            f"{name}: comes with charrnn and is no run in {checkpoints}. "
            f"Runs there: {', '.join(names[:10])}"
        )
    hint = did_you_mean(name, names) or f"Runs there: {', '.join(names[:10])}"
    raise CheckpointError(f"no run {name!r} in {checkpoints}. {hint}")


def names_model(which: str, checkpoints: Path) -> bool:
    """Whether `which` can only mean a model: a checkpoint file, or the name of a run or a shipped
    model where no file has that name."""
    if os.path.isfile(which):
        return which.endswith(".safetensors")
    if which in ("", "-"):
        return False
    return bool(
        Run(checkpoints / which).newest or Run(Path(which)).newest or which in shipped_models()
    )
