"""The facts in a checkpoint file and its run, as values that JSON can hold."""

import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

from charrnn_cli.checkpoints.checkpoint import Checkpoint, load, peek
from charrnn_cli.checkpoints.records import Progress
from charrnn_cli.checkpoints.runs import Run, best_beside
from charrnn_cli.errors import CheckpointError, WriteError
from charrnn_cli.formatting import bits_per_char
from charrnn_cli.inspection.best_of import best_of
from charrnn_cli.inspection.pair_facts import pair_facts
from charrnn_cli.models.base import ModelConfig


def inspect(path: Path) -> dict[str, Any]:
    """Return the facts in a checkpoint, as JSON can hold them. Raises CheckpointError.

    `val_loss` (nats per character) and `bits_per_char` are of the weights in this file, None if
    they were not measured; `best_val_loss` is the run's best so far. `state`, `finished`,
    `run_step` and `seconds` are of the run that the file belongs to, None without a
    `last.safetensors` that a run can be resumed from; `seconds` is None also if the metrics cannot
    be read. `marks` holds the losses of the baselines; it and `device` are None in files of earlier
    versions. A model of pairs has what `pair_facts` returns as well.
    """
    checkpoint = load(path)
    run = _progress_of_run(path, checkpoint)
    model, train, progress = checkpoint.model, checkpoint.train, checkpoint.progress
    val_loss = checkpoint.val_loss
    beside = best_beside(Run(path.parent)) if path.name == Run(path.parent).last.name else None
    best = best_of(beside, checkpoint)
    return {
        "file": str(path),
        "bytes": path.stat().st_size,
        "format": checkpoint.format,
        "model": model.architecture,
        "hidden_size": model.hidden_size,
        "num_layers": model.num_layers,
        "dropout": model.dropout,
        **{name: getattr(model, name) for name in model.own_sizes()},
        "parameters": model.parameters,
        "parts": model_parts(model),
        "vocabulary_size": len(checkpoint.vocabulary),
        "vocabulary": checkpoint.vocabulary.characters,
        "categories": categories(checkpoint.vocabulary.characters),
        "corpus": {
            "name": checkpoint.corpus.name,
            "characters": checkpoint.corpus.characters,
            "sha256": checkpoint.corpus.sha256,
            "files": max(1, len(checkpoint.corpus.file_sha256s)),
        },
        "step": progress.step,
        "epoch": progress.epoch,
        "state": None if run is None else run_state(Run(path.parent), run),
        "finished": None if run is None else run.finished,
        "run_step": None if run is None else run.step,
        "seconds": None if run is None else _seconds(Run(path.parent), run.step),
        "val_loss": val_loss,
        "bits_per_char": None if val_loss is None else bits_per_char(val_loss),
        **pair_facts(checkpoint),
        "best_val_loss": None if best is None else best.val_loss,
        "best_step": None if best is None else best.step,
        "marks": None if checkpoint.baselines is None else dict(vars(checkpoint.baselines)),
        "training": train.to_dict(),
        "history": [dict(record) for record in checkpoint.history],
        "torch": checkpoint.torch_version,
        "device": checkpoint.device,
        "threads": checkpoint.threads,
    }


def model_parts(model: ModelConfig) -> list[dict[str, Any]]:
    """A model's layers and its head, from input to output: name, number of inputs and outputs,
    parameters, and the shape of each tensor."""
    return [
        {
            "name": layer.name,
            "parameters": layer.parameters,
            "tensors": {name: list(shape) for name, shape in layer.tensors.items()},
            "inputs": layer.inputs,
            "outputs": layer.outputs,
        }
        for layer in model.layers()
    ]


def categories(characters: str) -> dict[str, int]:
    """Count the characters in each of Unicode's general categories, such as Ll."""
    return dict(Counter(map(unicodedata.category, characters)).most_common())


def run_state(run: Run, progress: Progress) -> str:
    """The state of a run: `training` while a process trains it, else `complete` or `stopped`."""
    if run.in_training:
        return "training"
    return "complete" if progress.finished else "stopped"


def _seconds(run: Run, step: int) -> float | None:
    try:
        return run.seconds_until(step)
    except WriteError:
        return None


def _progress_of_run(path: Path, checkpoint: Checkpoint) -> Progress | None:
    """The progress in the `last` beside a checkpoint; None if there is none of the same run."""
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
