"""A checkpoint's header: JSON in a safetensors file, sealed by checksums, read with distrust."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from charrnn_cli.config import MEANT_BY_FORMAT_2
from charrnn_cli.errors import CheckpointError

Array = npt.NDArray[Any]

FORMAT = 3  # 1 had no checksums, 2 no architectures but these and no choice of schedule
FORMAT_2 = {"gru", "lstm", "rnn"}
MAX_HEADER = 16 << 20  # bytes: a vocabulary of every code point takes 10 MB of it
MAX_PARTS = 50_000  # lists and objects in it: each takes 20 times the memory of its bytes

_CHANGED = "some of it was changed since it was written"
_SEALS = {"header_sha256", "tensors_sha256"}
_PARTS = {
    "format", "model", "train", "vocabulary", "corpus", "progress", "history", "torch", "threads",
}  # fmt: skip
_OPTIONAL = {"device", "marks"}  # told of a training, not of a model alone


def oldest_format(model: Mapping[str, Any], train: Mapping[str, Any]) -> int:
    """The oldest format that can hold a model and its training, so that older versions of charrnn
    read all that they can."""
    return 2 if model["model"] in FORMAT_2 and not MEANT_BY_FORMAT_2.keys() & train.keys() else 3


def sealed(header: Mapping[str, Any], tensors: Mapping[str, Array]) -> dict[str, Any]:
    """The header with a checksum of the tensors, and one of all else that it says."""
    seal = {"tensors_sha256": _tensors_digest(tensors)}
    rest = {name: value for name, value in header.items() if name not in _SEALS} | seal
    return rest | {"header_sha256": _header_digest(rest)}


def check_tensors(header: Mapping[str, Any], tensors: Mapping[str, Array]) -> None:
    """Raise ValueError if the tensors are not those that a header was sealed with."""
    if header["format"] > 1 and header["tensors_sha256"] != _tensors_digest(tensors):
        raise ValueError(_CHANGED)


def read_header(path: Path, file: BinaryIO) -> tuple[bytes, dict[str, Any]]:
    """The bytes up to the tensors, and what the project's own metadata in them say.

    A file of an older format reads as one of today's. Raises CheckpointError for what is no
    checkpoint, ValueError for one that is not as it was written.
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
            "Upgrade charrnn."
        )
    if set(header) - _OPTIONAL != _PARTS | (_SEALS if version > 1 else set()):
        raise ValueError("its header lacks a part, or has one too many")
    if version > 1:
        rest = {name: value for name, value in header.items() if name != "header_sha256"}
        if header["header_sha256"] != _header_digest(rest):
            raise ValueError(_CHANGED)
    else:
        header["train"].setdefault("min_count", 1)
        header["train"].setdefault("optimizer", "adamw")
        header["progress"].setdefault("optimizer_began", 0)
    header["train"].setdefault("precision", "float32")  # what runs before the setting had
    for name, meant in MEANT_BY_FORMAT_2.items():
        header["train"].setdefault(name, meant)
    return start + table, header


def _check_start(path: Path, start: bytes, size: int) -> None:
    """Refuse other kinds of file by their first bytes, before the rest is read."""
    length = int.from_bytes(start, "little")
    if len(start) == 8 and 2 <= length <= min(MAX_HEADER, size - 8):
        return
    # only now: a length, too, can begin with these bytes
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
    """Of what it says, not of how that was spelt: read and written again it is the same."""
    return hashlib.sha256(json.dumps(header, sort_keys=True).encode()).hexdigest()


def _tensors_digest(tensors: Mapping[str, Array]) -> str:
    """Of the tensors by name: their place in the file does not matter."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(f"{name} {tensors[name].shape} ".encode())
        digest.update(np.ascontiguousarray(tensors[name]).data)
    return digest.hexdigest()
