"""What a checkpoint file says of its model and training: for `info`, as a table or as JSON."""

from pathlib import Path
from typing import Any

from charrnn_cli.checkpoint import Checkpoint, Progress, load, peek
from charrnn_cli.errors import CheckpointError
from charrnn_cli.measures import bits_per_char
from charrnn_cli.runs import Run


def inspect(path: Path) -> dict[str, Any]:
    """The facts in a checkpoint, as JSON can hold them. Raises CheckpointError.

    `val_loss` and `bits_per_char` are of the weights in this file, None if they were not measured;
    `best_val_loss` is the run's best so far. `finished` and `run_step` are of the run that the file
    lies in, None where there is no `last.safetensors` to go on from.
    """
    checkpoint = load(path)
    run = _run_of(path, checkpoint)
    model, train, progress = checkpoint.model, checkpoint.train, checkpoint.progress
    val_loss = checkpoint.val_loss
    return {
        "file": str(path),
        "bytes": path.stat().st_size,
        "model": model.model,
        "hidden_size": model.hidden_size,
        "num_layers": model.num_layers,
        "dropout": model.dropout,
        "parameters": model.parameters,
        "vocabulary_size": len(checkpoint.vocabulary),
        "vocabulary": checkpoint.vocabulary.characters,
        "corpus": {
            "name": checkpoint.corpus.name,
            "characters": checkpoint.corpus.characters,
            "sha256": checkpoint.corpus.sha256,
        },
        "step": progress.step,
        "epoch": progress.epoch,
        "finished": None if run is None else run.finished,
        "run_step": None if run is None else run.step,
        "val_loss": val_loss,
        "bits_per_char": None if val_loss is None else bits_per_char(val_loss),
        "best_val_loss": progress.best_val_loss,
        "best_step": None if progress.best_val_loss is None else progress.best_step,
        "training": train.to_dict(),
        "history": [dict(record) for record in checkpoint.history],
        "torch": checkpoint.torch_version,
        "threads": checkpoint.threads,
    }


def _run_of(path: Path, checkpoint: Checkpoint) -> Progress | None:
    """How far the run is that a checkpoint lies in; None if what lies beside it is of another."""
    last = Run(path.parent).last
    try:
        beside = peek(last) if last.is_file() else None
    except CheckpointError:
        beside = None
    if beside is None or (beside.corpus.sha256, beside.model, beside.train.random_seed) != (
        checkpoint.corpus.sha256,
        checkpoint.model,
        checkpoint.train.random_seed,
    ):
        return None
    return beside.progress


def table_rows(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """The facts in words, for a table."""
    training, corpus = facts["training"], facts["corpus"]
    layers = facts["num_layers"]
    rows = [
        ("file", f"{facts['file']} ({facts['bytes'] / 1e6:.1f} MB)"),
        (
            "model",
            f"{facts['model']}, {layers} layer{'s' if layers > 1 else ''} of "
            f"{facts['hidden_size']} units, dropout {facts['dropout']:g}",
        ),
        ("parameters", f"{facts['parameters']:,}"),
        ("vocabulary", f"{facts['vocabulary_size']:,} characters: {_shown(facts['vocabulary'])}"),
        ("text", f"{corpus['name']}, {corpus['characters']:,} characters"),
        ("text's SHA-256", corpus["sha256"]),
        (
            "trained",
            f"{facts['step']:,} steps, {facts['epoch']:.2f} epochs",
        ),
        ("run", _run(facts)),
        (
            "settings",
            f"batch {training['batch_size']} x {training['seq_length']}, "
            f"learning rate {training['learning_rate']:g}, clip {training['grad_clip']:g}, "
            f"random seed {training['random_seed']}",
        ),
        ("held-out loss", _loss(facts["val_loss"])),
    ]
    if facts["best_val_loss"] != facts["val_loss"]:
        rows.append(("best of the run", _loss(facts["best_val_loss"], facts["best_step"])))
    rows.append(("made with", f"PyTorch {facts['torch']}, {facts['threads']} CPU threads"))
    return rows


def _run(facts: dict[str, Any]) -> str:
    """Whether the run that a file lies in can go on, in words."""
    if facts["run_step"] is None:
        return "the model alone; a new run starts from it with --init-from"
    state = "complete" if facts["finished"] else "goes on with --resume"
    return f"{state}, at step {facts['run_step']:,}"


def _shown(characters: str, most: int = 120) -> str:
    """A vocabulary on one line, white space made visible."""
    more = len(characters) - most
    shown = "".join(
        {"\n": "\\n", "\t": "\\t", "\r": "\\r", " ": "␠"}.get(character, character)
        for character in characters[:most]
    )
    return shown + (f" … and {more:,} more" if more > 0 else "")


def _loss(loss: float | None, step: int | None = None) -> str:
    if loss is None:
        return "not measured yet"
    at = "" if step is None else f", at step {step:,}"
    return f"{loss:.4f} nats, {bits_per_char(loss):.3f} bits/char{at}"
