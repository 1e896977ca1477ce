"""Damaged and foreign files: each is refused by name, and nothing else is raised."""

import json
import os
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from factories import TINY, fuzz, header_of, make_checkpoint, plain, table_and_body, with_header
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save as serialize

from charrnn_cli.checkpoint import MAX_HEADER, load, to_bytes
from charrnn_cli.errors import CheckpointError

TINY_BYTES = to_bytes(TINY)


def test_a_file_cut_short_at_any_length_is_refused(refused):
    data = to_bytes(make_checkpoint("rnn", hidden_size=2, num_layers=1, training=True))
    header = 8 + int.from_bytes(data[:8], "little")
    for length in {*range(0, len(data), 19), *range(9), header - 1, header, len(data) - 1}:
        refused(data[:length], training=True)


@pytest.mark.parametrize("added", [1, 4, 1000])
def test_bytes_added_at_the_end_are_refused(refused, added):
    refused(TINY_BYTES + bytes(added))


@pytest.fixture(scope="module")
def scratch(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("scratch") / "damaged.safetensors"


def loads_whole_or_is_refused(path: Path, data: bytes) -> None:
    """What cannot be told from a sound checkpoint must fit together; all else is refused."""
    path.write_bytes(data)
    try:
        checkpoint = load(path)
    except CheckpointError:
        return
    shapes = checkpoint.model.tensor_shapes()
    assert {name: values.shape for name, values in checkpoint.weights.items()} == shapes
    assert all(np.isfinite(values).all() for values in checkpoint.weights.values())
    assert len(checkpoint.vocabulary) == checkpoint.model.vocabulary_size
    path.write_bytes(to_bytes(checkpoint))
    assert plain(load(path)) == plain(checkpoint)


@fuzz
@given(st.lists(st.tuples(st.integers(0, len(TINY_BYTES) - 1), st.integers(0, 255)), min_size=1))
def test_flipped_bytes_never_raise_anything_else(scratch, flips):
    data = bytearray(TINY_BYTES)
    for position, value in flips:
        data[position] = value
    loads_whole_or_is_refused(scratch, bytes(data))


HEADER_LENGTH = 8 + int.from_bytes(TINY_BYTES[:8], "little")


@pytest.mark.parametrize("value", [0x00, 0x22, 0x30, 0x39, 0x7D, 0xFF])
def test_no_single_byte_of_the_header_raises_anything_else(scratch, value):
    for position in range(0, HEADER_LENGTH, 13):
        data = bytearray(TINY_BYTES)
        data[position] = value
        loads_whole_or_is_refused(scratch, bytes(data))


@fuzz
@given(st.binary(max_size=200))
def test_random_bytes_are_refused(scratch, data):
    scratch.write_bytes(data)
    with pytest.raises(CheckpointError):
        load(scratch)


numbers = st.integers() | st.floats() | st.sampled_from([10**400, 2**53, 1e308, -0.0, 2**31])
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


def places(header, here=()) -> list[tuple]:
    """The path to every value in nested dicts and lists."""
    inner = header.items() if isinstance(header, dict) else enumerate(header)
    found = []
    for key, value in inner:
        found.append((*here, key))
        if isinstance(value, dict | list):
            found += places(value, (*here, key))
    return found


@fuzz
@given(st.sampled_from(places(header_of(TINY))), values)
def test_a_header_with_any_value_anywhere_never_raises_anything_else(scratch, place, value):
    header = header_of(TINY)
    part = header
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = value
    loads_whole_or_is_refused(scratch, with_header(header))


def required(place: tuple) -> bool:
    """Whether a header needs this; a run may have no evaluation yet, a record any measures."""
    return place[0] != "history" or len(place) == 1


@pytest.mark.parametrize("place", list(filter(required, places(header_of(TINY)))), ids=str)
def test_a_header_that_lacks_any_field_is_refused(refused, place):
    header = header_of(TINY)
    part = header
    for key in place[:-1]:
        part = part[key]
    del part[place[-1]]
    refused(with_header(header))


# what is no safetensors file, or not ours


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
