"""What a word of a command line can name: a run of a folder, or any model."""

import os
from pathlib import Path

from charrnn_cli.checkpoints.checkpoint import peek
from charrnn_cli.checkpoints.runs import HOW_TO_TRAIN, Run, list_runs
from charrnn_cli.checkpoints.shipped import known_names, shipped_models
from charrnn_cli.errors import CheckpointError
from charrnn_cli.formatting import did_you_mean

LISTED = 10  # An error names so many runs at most.


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
            f"{name}: comes with charrnn and is no run in {checkpoints}. {_runs_there(names)}"
        )
    hint = did_you_mean(name, names) or _runs_there(names)
    raise CheckpointError(f"no run {name!r} in {checkpoints}. {hint}")


def find_run(which: str | None, checkpoints: Path, *, resumable: bool = False) -> Run:
    """A run by its name or folder; the newest if `which` is None, or the newest that can be
    resumed. Raises CheckpointError."""
    runs = list_runs(checkpoints)
    with_state = [run for run in runs if run.last.is_file()] if resumable else runs
    if which is None:
        if not runs:
            raise CheckpointError(f"no checkpoint in {checkpoints} yet. {HOW_TO_TRAIN}")
        if not with_state:
            raise CheckpointError(
                f"no run in {checkpoints} can go on: each holds a model alone. Start a new run "
                f"from one: charrnn train TEXT --init-from {runs[0].name}"
            )
        return with_state[0]
    for folder in (checkpoints / which, Path(which)):
        if Run(folder).newest:
            return Run(folder)
    if os.path.isdir(which):
        raise CheckpointError(f"{which}: no checkpoint in this folder. {HOW_TO_TRAIN}")
    if os.path.isfile(which):
        raise CheckpointError(f"{which}: is a file, not a run. A text goes before --resume.")
    if resumable and which in shipped_models():
        raise CheckpointError(
            f"{which}: comes with charrnn as a model alone, which cannot go on. Start a new run "
            f"from it: charrnn train TEXT --init-from {which}"
        )
    names = [run.name for run in with_state]
    known = _runs_there(names) if names else HOW_TO_TRAIN
    hint = did_you_mean(which, names if resumable else known_names(checkpoints)) or known
    raise CheckpointError(f"no run or file {which!r} (looked in {checkpoints}). {hint}")


def find_checkpoint(which: str | None, checkpoints: Path, *, of_pairs: bool | None = None) -> Path:
    """The file that `which` names: a file, a run's folder or name, a shipped model, or None for the
    newest run.

    With `of_pairs` that is the newest of a model of pairs, or of a language model if it is False;
    where there is none, the newest of any kind. Raises CheckpointError if there is no checkpoint.
    """
    models = shipped_models()
    if which is None:
        runs = list_runs(checkpoints)
        fitting = [name for name, file in models.items() if not runs and _fits(file, of_pairs)]
        if fitting:
            raise CheckpointError(
                f"no checkpoint in {checkpoints} yet. {HOW_TO_TRAIN}; or name the model that comes "
                f"with charrnn: {fitting[0]}"
            )
        found = next((run for run in runs if _fits(run.checkpoint, of_pairs)), None)
        if found is not None:
            return found.checkpoint
    if which in models and not (os.path.exists(which) or Run(checkpoints / which).newest):
        return models[which]
    if which is not None and os.path.exists(which) and not os.path.isdir(which):
        named = Run(checkpoints / which)  # a text file may have the same name as its run
        return named.checkpoint if named.newest else Path(which)
    return find_run(which, checkpoints).checkpoint


def _runs_there(names: list[str]) -> str:
    """The first names of a folder's runs in a sentence, and how many more there are."""
    others = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return f"Runs there: {', '.join(names[:LISTED])}{others}"


def _fits(file: Path, of_pairs: bool | None) -> bool:
    """Whether a checkpoint is of that kind. One that cannot be read is, so that its error is told
    when it is loaded."""
    try:
        return of_pairs is None or (peek(file).pairs is not None) == of_pairs
    except CheckpointError:
        return True


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
