"""The header of a checkpoint: JSON in a safetensors file, with checksums, strictly checked."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from charrnn_cli.errors import CheckpointError
from charrnn_cli.models.registry import config_class
from charrnn_cli.settings.configs import MEANT_BY_FORMAT_2, MEANT_BY_FORMAT_3
from charrnn_cli.settings.table import AVERAGED

Array = npt.NDArray[Any]

# The newest format. Format 1 had no checksums. Format 2 had only the architectures in `FORMAT_2`,
# and neither schedules nor shuffling. Format 3 had no models of pairs, no lists of lines, no texts
# of several files, no normal forms and no held-out part but the end of the text. Format 4 had no
# averages of weights, and no fields of models that `ModelConfig.defaults_when_absent` names.
FORMAT = 5
FORMAT_2 = {"gru", "lstm", "rnn"}
MAX_HEADER = 16 << 20  # Limit of a header in bytes: a vocabulary of all code points takes 10 MB.
# Limit of lists and objects in a header: parsed, each takes 20 times the memory of its bytes.
MAX_PARTS = 50_000

# The fields of a text of several files; others lack them.
SEVERAL_FILES = {"sources", "glob", "file_sha256s"}

_CHANGED = "some of it was changed since it was written"
_SEALS = {"header_sha256", "tensors_sha256"}
_PARTS = {
    "format", "model", "train", "vocabulary", "corpus", "progress", "history", "torch", "threads",
}  # fmt: skip
# Files of earlier versions lack these parts. Language models have no pairs, and few files have a
# `val_text`.
_OPTIONAL = {"device", "marks", "pairs", "val_text"}


def oldest_format(header: Mapping[str, Any]) -> int:
    """The oldest format that can store what a header holds.

    It is the one written, so that older versions of charrnn can read as many files as possible.
    """
    train, architecture = header["train"].keys(), header["model"]["model"]
    newer_fields = header["model"].keys() & config_class(architecture).defaults_when_absent.keys()
    if newer_fields or header["train"].get("schedule") == AVERAGED:
        return 5
    of_several = train & MEANT_BY_FORMAT_3.keys() or header["corpus"].keys() & SEVERAL_FILES
    if "pairs" in header or of_several:
        return 4
    return 2 if architecture in FORMAT_2 and not train & MEANT_BY_FORMAT_2.keys() else 3


def sealed(header: Mapping[str, Any], tensors: Mapping[str, Array]) -> dict[str, Any]:
    """The header with two checksums (SHA-256) added: of the tensors, and of the header itself."""
    seal = {"tensors_sha256": _tensors_digest(tensors)}
    rest = {name: value for name, value in header.items() if name not in _SEALS} | seal
    return rest | {"header_sha256": _header_digest(rest)}


def check_tensors(header: Mapping[str, Any], tensors: Mapping[str, Array]) -> None:
    """Raise ValueError if the tensors do not match the checksum in the header."""
    if header["format"] > 1 and header["tensors_sha256"] != _tensors_digest(tensors):
        raise ValueError(_CHANGED)


def read_header(path: Path, file: BinaryIO) -> tuple[bytes, dict[str, Any]]:
    """Read the bytes before the tensors, and parse the project's own metadata in them.

    Headers of older formats are converted to the newest one. Raises CheckpointError for a file that
    is not a checkpoint, ValueError for one that was changed or damaged.
    """
    start = file.read(8)
    _check_start(path, start, os.fstat(file.fileno()).st_size)
    table = file.read(int.from_bytes(start, "little"))
    if table.count(b"{") + table.count(b"[") > MAX_PARTS:
        raise ValueError("its header has too many parts")
    try:
        metadata = json.loads(table, object_pairs_hook=_no_duplicates)["__metadata__"]["charrnn"]
        header = json.loads(metadata, object_pairs_hook=_no_duplicates)
        version = header["format"]
    except (KeyError, TypeError):
        raise CheckpointError(f"{path}: is a safetensors file, but not charrnn's.") from None
    except (ValueError, RecursionError):
        raise CheckpointError(f"{path}: is not a charrnn checkpoint, or is damaged.") from None
    if type(version) is not int or version < 1:
        raise ValueError(f"format is {version!s:.20}")
    if version > FORMAT:
        raise CheckpointError(
            f"{path}: checkpoint format {version!s:.20}; this charrnn reads {FORMAT}. "
            "Upgrade charrnn-cli."
        )
    if set(header) - _OPTIONAL != _PARTS | (_SEALS if version > 1 else set()):
        raise ValueError("its header lacks a part, or has one too many")
    if "pairs" in header and version < 4:
        raise ValueError(f"it has pairs, which format {version} has not")
    if version > 1:
        rest = {name: value for name, value in header.items() if name != "header_sha256"}
        if header["header_sha256"] != _header_digest(rest):
            raise ValueError(_CHANGED)
    else:
        header["train"].setdefault("min_count", 1)
        header["train"].setdefault("optimizer", "adamw")
        header["progress"].setdefault("optimizer_began", 0)
    header["train"].setdefault("precision", "float32")  # older runs had no other
    for name, meant in (MEANT_BY_FORMAT_2 | MEANT_BY_FORMAT_3).items():
        header["train"].setdefault(name, meant)
    return start + table, header


def _check_start(path: Path, start: bytes, size: int) -> None:
    """Raise CheckpointError for another kind of file, from its first eight bytes and its size."""
    length = int.from_bytes(start, "little")
    if len(start) == 8 and 2 <= length <= min(MAX_HEADER, size - 8):
        return
    # checked last: a valid header length can begin with these bytes, too
    if start.startswith((b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")):
        raise CheckpointError(
            f"{path}: is a pickled PyTorch file, which could run code when read. "
            "charrnn reads only its own safetensors checkpoints; train one: charrnn train TEXT"
        )
    raise CheckpointError(f"{path}: is not a charrnn checkpoint, or is cut short.")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        raise ValueError("a name occurs twice")
    return mapping


def _header_digest(header: Mapping[str, Any]) -> str:
    """The checksum of a header's values, which does not depend on how the JSON is formatted."""
    return hashlib.sha256(json.dumps(header, sort_keys=True).encode()).hexdigest()


def _tensors_digest(tensors: Mapping[str, Array]) -> str:
    """The checksum of the tensors in order of name, whatever their order in the file."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(f"{name} {tensors[name].shape} ".encode())
        digest.update(np.ascontiguousarray(tensors[name]).data)
    return digest.hexdigest()
