"""A model as ONNX files, which run wherever there is an ONNX runtime."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from charrnn_cli import __version__
from charrnn_cli.checkpoints.atomic_write import write_files
from charrnn_cli.checkpoints.checkpoint import Array, Checkpoint
from charrnn_cli.checkpoints.pairs_info import PairsInfo
from charrnn_cli.errors import UsageError, WriteError
from charrnn_cli.export import onnx_pairs_recurrent, onnx_pairs_transformer
from charrnn_cli.export.onnx_graph import Graph
from charrnn_cli.export.onnx_recurrent import add_recurrent
from charrnn_cli.export.onnx_transformer import add_transformer
from charrnn_cli.models.registry import (
    RECURRENT,
    SEQ2SEQ,
    SEQ2SEQ_TRANSFORMER,
    TRANSFORMER,
    Family,
    family_of,
)

Add = Callable[[Graph, Any, Mapping[str, Array]], None]
"""Adds a model of one family, or a half of it, to a graph."""

WHOLE = ""
PARTS: Mapping[Family, Mapping[str, Add]] = {
    RECURRENT: {WHOLE: add_recurrent},
    TRANSFORMER: {WHOLE: add_transformer},
    SEQ2SEQ: {
        "encoder": onnx_pairs_recurrent.add_encoder,
        "decoder": onnx_pairs_recurrent.add_decoder,
    },
    SEQ2SEQ_TRANSFORMER: {
        "encoder": onnx_pairs_transformer.add_encoder,
        "decoder": onnx_pairs_transformer.add_decoder,
    },
}
"""The graphs of a model, each of which is a file of its own. The two halves of a model of pairs are
called differently often: the encoder once, the decoder for each symbol."""


def write_onnx(checkpoint: Checkpoint, path: Path) -> list[Path]:
    """Write a model as ONNX files, those of `onnx_paths`; return them.

    Raises UsageError if the package onnx is missing or the model's family has no graph; WriteError
    if a file cannot be written.
    """
    files = dict(zip(onnx_paths(checkpoint, path), onnx_bytes(checkpoint), strict=True))
    write_files(files, "choose another file")
    return [*files]


def onnx_paths(checkpoint: Checkpoint, path: Path) -> list[Path]:
    """The files of a model: `path` itself, or for `a.onnx` and a model of pairs `a.encoder.onnx`
    and `a.decoder.onnx`. Raises UsageError if the model's family has no graph, WriteError if the
    path of a model of pairs is a folder."""
    parts = _parts_of(checkpoint)
    if WHOLE in parts:
        return [path]
    if path.is_dir():
        raise WriteError(f"{path}: is a folder. Give the name of a file.")
    base = path.name.removesuffix(".onnx")
    return [path.with_name(f"{base}.{part}.onnx") for part in parts]


def onnx_bytes(checkpoint: Checkpoint) -> list[bytes]:
    """The content of each of a model's files. Raises UsageError as `write_onnx` does.

    Sizes of batch and time may differ from call to call.
    """
    facts = metadata(checkpoint)
    contents = []
    for part, add in _parts_of(checkpoint).items():
        graph = Graph()
        add(graph, checkpoint.model, checkpoint.weights)
        contents.append(graph.to_bytes("charrnn", facts | ({"part": part} if part else {})))
    return contents


def _parts_of(checkpoint: Checkpoint) -> Mapping[str, Add]:
    architecture = checkpoint.model.architecture
    family = family_of(architecture)
    if family not in PARTS:
        raise UsageError(f"--onnx: there is no graph for models of kind {architecture}.")
    return PARTS[family]


def metadata(checkpoint: Checkpoint) -> dict[str, str]:
    """What a file says of the model beside its graph. `vocabulary` is a text whose n-th character
    has id n."""
    model = checkpoint.model
    facts = {
        "architecture": model.architecture,
        "vocabulary": checkpoint.vocabulary.characters,
        "normalize": checkpoint.train.normalize,
        "corpus": checkpoint.corpus.name,
        "charrnn_version": __version__,
        "config": json.dumps(model.to_dict(), sort_keys=True),
    }
    if checkpoint.train.lines:
        facts["lines"] = "true"
    if model.context is not None:
        facts["context"] = str(model.context)
    if checkpoint.val_loss is not None:
        facts["val_loss"] = str(checkpoint.val_loss)
    return facts if checkpoint.pairs is None else facts | _pair_facts(checkpoint.pairs)


def _pair_facts(pairs: PairsInfo) -> dict[str, str]:
    """How a line becomes a source, and where targets begin and end."""
    columns, lengths = pairs.format, pairs.lengths
    return {
        "source_vocabulary": pairs.source.characters.characters,
        "features": json.dumps(pairs.source.features),
        "source_end": str(pairs.source.end),
        "begin": str(pairs.target.end),
        "end": str(pairs.target.end),
        "source_columns": json.dumps(columns.source_columns),
        "feature_columns": json.dumps(columns.feature_columns),
        "target_column": str(columns.target_column),
        "max_length": str(columns.max_length),
        "longest_source": str(lengths.longest_source),
        "longest_target": str(lengths.longest_target),
    }
