"""Files that are no checkpoints of ours: refused by name, executing nothing."""

import dataclasses
import json
import math
import os
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from factories import TINY
from safetensors.numpy import save as serialize
from stored import header_of, table_and_body, with_header

from charrnn_cli.checkpoints.checkpoint import load, to_bytes
from charrnn_cli.checkpoints.format import MAX_HEADER, MAX_PARTS
from charrnn_cli.errors import CheckpointError

TINY_BYTES = to_bytes(TINY)


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}])
def test_the_safetensors_of_others_are_refused(refused, metadata):
    message = refused(serialize({"weight": np.zeros(3, np.float32)}, metadata))
    assert message == "is a safetensors file, but not charrnn's."


@pytest.mark.parametrize("metadata", ["", "no json", "[]", "3", "null", "[" * 100_000, '{"a":1}'])
def test_metadata_that_is_no_header_of_ours_is_refused(refused, metadata):
    refused(serialize(dict(TINY.weights), {"charrnn": metadata}))


def joined(table: str, body: bytes) -> bytes:
    return struct.pack("<Q", len(table)) + table.encode() + body


@pytest.mark.parametrize("table", ["[]", "3", "{}", '{"__metadata__": 3}', "[" * 50_000, "\\ud800"])
def test_a_table_that_is_none_is_refused(refused, table):
    refused(joined(table, b""))


def test_a_tensor_named_twice_is_refused(refused):
    table, body = table_and_body(TINY_BYTES)
    again = f', "head.bias": {json.dumps(table["head.bias"])}}}'
    refused(joined(json.dumps(table)[:-1] + again, body))


def test_a_field_named_twice_is_refused(refused):
    text = json.dumps(header_of(TINY))
    refused(serialize(dict(TINY.weights), {"charrnn": text[:-1] + ', "format": 1}'}))


@pytest.mark.parametrize("length", [0, 1, MAX_HEADER + 1, 2**63, 2**64 - 1])
def test_a_header_length_that_cannot_be_is_refused(refused, length):
    assert "is not a charrnn checkpoint" in refused(struct.pack("<Q", length) + TINY_BYTES[8:])


def test_a_header_larger_than_any_of_ours_is_refused_unread(tmp_path):
    path = tmp_path / "huge.safetensors"
    path.write_bytes(struct.pack("<Q", MAX_HEADER + 1))
    os.truncate(path, MAX_HEADER + 100)  # takes no room on the disk
    with pytest.raises(CheckpointError, match="or is cut short"):
        load(path)


def of_other_types(value: str) -> bytes:
    """A file whose tensor table gives one tensor another element type."""
    return TINY_BYTES.replace(b'"dtype":"F32"', f'"dtype":"{value}"'.encode(), 1)


@pytest.mark.parametrize("value", ["BF1", "F8_", "F64", "U32", "I32", "f32", "F4x"])
def test_an_element_type_that_is_not_ours_is_refused(refused, value):
    refused(of_other_types(value))


def test_a_header_of_too_many_parts_is_refused_before_it_is_parsed(refused):
    table = b'{"__metadata__":{"charrnn":"' + b"[]," * MAX_PARTS + b'"}}'
    assert "too many parts" in refused(struct.pack("<Q", len(table)) + table)


def test_a_vocabulary_of_long_strings_takes_no_memory(refused):
    words = ["a" * 1_000_000] + ["b"] * 100_000  # as an array: 400 GB
    assert "must be integers" in refused(with_header(header_of(TINY) | {"vocabulary": words}))


def test_a_file_that_is_all_hole_is_refused_unread(tmp_path):
    header = header_of(TINY)
    header["model"] |= {"model": "lstm", "hidden_size": 8192, "num_layers": 16}
    small = with_header(header)
    path = tmp_path / "hole.safetensors"
    config = dataclasses.replace(TINY.model, architecture="lstm", hidden_size=8192, num_layers=16)
    size = sum(4 * math.prod(shape) for shape in config.parameter_shapes().values())
    start = 8 + int.from_bytes(small[:8], "little")
    path.write_bytes(small[:start])
    os.truncate(path, start + size)  # takes no room on the disk
    with pytest.raises(CheckpointError, match=r"needs 1\d\d GB of memory"):
        load(path)


class Trap:
    """Unpickling this makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_pickle_is_refused_by_name_and_never_run(refused, tmp_path, protocol):
    folder = tmp_path / "trapped"
    message = refused(pickle.dumps(Trap(folder), protocol))
    assert "is a pickled PyTorch file" in message
    assert not folder.exists()


def test_a_text_pickle_is_refused(refused, tmp_path):
    refused(pickle.dumps(Trap(tmp_path / "trapped"), 0))
    assert not (tmp_path / "trapped").exists()


def test_a_zip_as_torch_saves_it_is_refused_by_name(refused, tmp_path):
    with zipfile.ZipFile(tmp_path / "model.pt", "w") as archive:
        archive.writestr("model/data.pkl", pickle.dumps(Trap(tmp_path / "trapped")))
    assert "is a pickled PyTorch file" in refused((tmp_path / "model.pt").read_bytes())
    assert not (tmp_path / "trapped").exists()


def test_an_empty_file_is_refused(refused):
    assert "is not a charrnn checkpoint, or is cut short" in refused(b"")


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="is not a file"):
        load(tmp_path)


def test_a_fifo_is_refused_without_waiting_for_it(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    descriptor = os.open(tmp_path / "pipe", os.O_RDWR)
    os.write(descriptor, bytes(8))  # should it be read after all, it does not hang
    with pytest.raises(CheckpointError, match="is not a file"):
        load(tmp_path / "pipe")
    os.close(descriptor)


@pytest.mark.parametrize("name", ["nowhere.safetensors", "x" * 300])
def test_a_file_that_cannot_be_opened_is_named(tmp_path, name):
    with pytest.raises(CheckpointError, match="cannot be read") as caught:
        load(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
