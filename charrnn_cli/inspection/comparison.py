"""Several runs side by side: how their held-out losses fell."""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from charrnn_cli.checkpoints.checkpoint import Checkpoint, peek
from charrnn_cli.checkpoints.runs import Run, best_beside
from charrnn_cli.errors import CheckpointError
from charrnn_cli.formatting import bits_per_char
from charrnn_cli.inspection.best_of import best_of
from charrnn_cli.terminal.curves import Curve

HEADINGS = ("run", "model", "parameters", "best held-out", "bits/char", "at epoch", "epochs")
# A narrow terminal leaves these columns out, the first of them first.
DISPENSABLE = ("parameters", "epochs", "at epoch", "model", "bits/char")


def curve_facts(run: Run) -> dict[str, Any]:
    """The facts of a run that a comparison shows, as JSON can hold them. Only the headers of its
    files are read. Raises CheckpointError.

    `history` has each evaluation: `step`, `epoch`, `train_loss` and `val_loss` in nats per
    character. `best_val_loss` and `best_epoch` are None before the first one.
    """
    checkpoint = peek(run.last if run.last.is_file() else run.best)
    history = [
        {name: record[name] for name in ("step", "epoch", "train_loss", "val_loss")}
        for record in checkpoint.history
    ]
    best = best_of(best_beside(run), checkpoint)
    model = checkpoint.model
    return {
        "name": run.name,
        "model": model.architecture,
        "num_layers": model.num_layers,
        "hidden_size": model.hidden_size,
        "parameters": model.parameters,
        "corpus": checkpoint.corpus.name,
        "sha256": checkpoint.corpus.sha256,
        "held_out": _held_out(checkpoint),
        "epoch": checkpoint.progress.epoch,
        "best_val_loss": None if best is None else best.val_loss,
        "bits_per_char": None if best is None else bits_per_char(best.val_loss),
        "best_epoch": None if best is None else best.epoch,
        "history": history,
    }


def _held_out(checkpoint: Checkpoint) -> str:
    """How a run read its text and what it held out, in words: equal for runs that compare."""
    train, val_text = checkpoint.train, checkpoint.val_text
    what = f"{train.val_fraction:g} {train.hold_out}" if val_text is None else val_text.sha256
    return f"{what}{', lines' * train.lines}, normal form {train.normalize}"


def readable_facts(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """The facts of those runs that are not damaged; one that is does not hide the others."""
    found = []
    for run in runs:
        with contextlib.suppress(CheckpointError):
            found.append(curve_facts(run))
    return found


def curves_of(runs: Sequence[Mapping[str, Any]]) -> list[Curve]:
    """The held-out loss of each run over its epochs, of those that were evaluated."""
    return [
        Curve(
            facts["name"],
            [record["epoch"] for record in facts["history"]],
            [record["val_loss"] for record in facts["history"]],
        )
        for facts in runs
        if facts["history"]
    ]


def comparison_rows(runs: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """A row for each run, with a column for each of HEADINGS; the lowest loss first."""

    def loss(facts: Mapping[str, Any]) -> float:
        best = facts["best_val_loss"]
        return float("inf") if best is None else float(best)

    return [_row(facts) for facts in sorted(runs, key=loss)]


def _row(facts: Mapping[str, Any]) -> tuple[str, ...]:
    name = facts["name"]
    model = f"{facts['model']} {facts['num_layers']} x {facts['hidden_size']}"
    sizes = name, model, f"{facts['parameters']:,}"
    if facts["best_val_loss"] is None:
        return *sizes, "", "", "", f"{facts['epoch']:.2f}"
    return (
        *sizes,
        f"{facts['best_val_loss']:.4f}",
        f"{facts['bits_per_char']:.3f}",
        f"{facts['best_epoch']:.2f}",
        f"{facts['epoch']:.2f}",
    )


def comparison_notes(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """What keeps the losses of these runs from being compared, a sentence each."""
    notes = [f"{facts['name']} has no evaluation yet" for facts in runs if not facts["history"]]
    if len({facts["sha256"] for facts in runs}) > 1:
        texts = ", ".join(f"{facts['name']}: {facts['corpus']}" for facts in runs)
        notes.append(
            f"these runs learned different texts ({texts}), so that their losses do not show "
            "which model is better"
        )
    elif len({facts["held_out"] for facts in runs}) > 1:
        notes.append(
            "these runs read the text otherwise, or held out another part of it, so that their "
            "losses do not show which model is better"
        )
    return notes
