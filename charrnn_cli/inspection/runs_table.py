"""The runs of a checkpoints folder, side by side."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from charrnn_cli.checkpoints.checkpoint import peek
from charrnn_cli.checkpoints.runs import Run, list_runs
from charrnn_cli.errors import CheckpointError, UsageError
from charrnn_cli.formatting import bits_per_char
from charrnn_cli.inspection.best_of import best_of
from charrnn_cli.inspection.facts import run_state

SORTS: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "time": lambda facts: -facts["saved"],
    "loss": lambda facts: math.inf if facts["val_loss"] is None else facts["val_loss"],
    "name": lambda facts: facts["name"],
}
HEADINGS = ("run", "model", "parameters", "held-out", "bits/char", "steps", "state", "saved")
# A narrow terminal leaves these columns out, the first of them first.
DISPENSABLE = ("saved", "parameters", "bits/char", "steps", "model", "state")


def list_facts(checkpoints: Path, sort: str) -> list[dict[str, Any]]:
    """Return the facts of each run, sorted by `time` (newest first), `loss` (lowest first) or
    `name`.

    `val_loss` is that of `best`, in nats per character; `saved` is when the run was last saved, in
    seconds since 1970. `state` is `training`, `complete`, `stopped`, `model only` (there is no
    `last` to resume from) or `damaged`: then `error` says why, and facts that are not known are
    None. Only headers and sizes of the files are read. Raises UsageError for another `sort`.
    """
    if sort not in SORTS:
        raise UsageError(f"--sort {sort}: must be {', '.join(SORTS)}.")
    # list_runs is newest first, and sorting keeps the order of equal runs
    return sorted((_facts(run) for run in list_runs(checkpoints)), key=SORTS[sort])


def _facts(run: Run) -> dict[str, Any]:
    facts: dict[str, Any] = dict.fromkeys(
        (
            "name", "file", "model", "hidden_size", "num_layers", "parameters", "corpus", "step",
            "epoch", "val_loss", "bits_per_char", "best_step", "state", "saved", "error",
        )
    )  # fmt: skip
    facts |= {"name": run.name, "file": str(run.checkpoint), "saved": run.newest}
    try:
        best = peek(run.checkpoint)
        last = peek(run.last) if run.last.is_file() else None
    except CheckpointError as error:
        return facts | {"state": "damaged", "error": str(error)}
    progress = best.progress if last is None else last.progress
    found = best_of(best, best if last is None else last)
    loss = None if found is None else found.val_loss
    return facts | {
        "model": best.model.architecture,
        "hidden_size": best.model.hidden_size,
        "num_layers": best.model.num_layers,
        "parameters": best.model.parameters,
        "corpus": best.corpus.name,
        "step": progress.step,
        "epoch": progress.epoch,
        "val_loss": loss,
        "bits_per_char": None if loss is None else bits_per_char(loss),
        "best_step": None if found is None else found.step,
        "state": "model only" if last is None else run_state(run, progress),
    }


def listing_rows(runs: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """The runs in words: a row for each, with a column for each of HEADINGS."""
    return [_row(facts) for facts in runs]


def _row(facts: Mapping[str, Any]) -> tuple[str, ...]:
    saved = time.strftime("%Y-%m-%d %H:%M", time.localtime(facts["saved"]))
    if facts["model"] is None:
        return (facts["name"], "", "", "", "", "", facts["state"], saved)
    loss = facts["val_loss"]
    return (
        facts["name"],
        f"{facts['model']} {facts['num_layers']} x {facts['hidden_size']}",
        f"{facts['parameters']:,}",
        "" if loss is None else f"{loss:.4f}",
        "" if loss is None else f"{bits_per_char(loss):.3f}",
        f"{facts['step']:,}",
        facts["state"],
        saved,
    )
