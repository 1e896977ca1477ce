"""A model as an ONNX file, which runs wherever there is an ONNX runtime."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from charrnn_cli import __version__
from charrnn_cli.checkpoints.atomic_write import write_file
from charrnn_cli.checkpoints.checkpoint import Array, Checkpoint
from charrnn_cli.errors import UsageError
from charrnn_cli.export.onnx_graph import Graph
from charrnn_cli.export.onnx_recurrent import add_recurrent
from charrnn_cli.export.onnx_transformer import add_transformer
from charrnn_cli.models.registry import RECURRENT, TRANSFORMER, Family, family_of

Add = Callable[[Graph, Any, Mapping[str, Array]], None]
"""Adds a model of one family to a graph."""

FAMILIES: Mapping[Family, Add] = {RECURRENT: add_recurrent, TRANSFORMER: add_transformer}


def write_onnx(checkpoint: Checkpoint, path: Path) -> list[Path]:
    """Write a model as an ONNX file; return the file.

    Raises UsageError if the package onnx is missing or the model's family has no graph; WriteError
    if the file cannot be written.
    """
    write_file(path, onnx_bytes(checkpoint), "choose another file")
    return [path]


def onnx_bytes(checkpoint: Checkpoint) -> bytes:
    """A model as the bytes of an ONNX file. Raises UsageError as `write_onnx` does.

    `ids` and a state go in, `logits` and the new state come out; batch and time may differ from
    call to call. The metadata hold the vocabulary, a text whose n-th character has id n.
    """
    model = checkpoint.model
    family = family_of(model.architecture)
    if family not in FAMILIES:
        raise UsageError(f"--onnx: there is no graph for models of kind {model.architecture}.")
    graph = Graph()
    FAMILIES[family](graph, model, checkpoint.weights)
    return graph.to_bytes("charrnn", metadata(checkpoint))


def metadata(checkpoint: Checkpoint) -> dict[str, str]:
    """What the file says of the model beside its graph."""
    model = checkpoint.model
    facts = {
        "architecture": model.architecture,
        "vocabulary": checkpoint.vocabulary.characters,
        "normalize": checkpoint.train.normalize,
        "corpus": checkpoint.corpus.name,
        "charrnn_version": __version__,
        "config": json.dumps(model.to_dict(), sort_keys=True),
    }
    if model.context is not None:
        facts["context"] = str(model.context)
    if checkpoint.val_loss is not None:
        facts["val_loss"] = str(checkpoint.val_loss)
    return facts
