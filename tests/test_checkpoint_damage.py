"""Damaged and foreign files: each is refused by name, and nothing else is raised."""

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
from factories import (
    TINY,
    as_format_1,
    fuzz,
    header_of,
    make_checkpoint,
    make_train_config,
    plain,
    table_and_body,
    with_header,
)
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save as serialize

from charrnn_cli.checkpoint import load, to_bytes
from charrnn_cli.config import ModelConfig
from charrnn_cli.errors import CheckpointError
from charrnn_cli.header import MAX_HEADER, MAX_PARTS

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


def reads_the_same_or_is_refused(path: Path, data: bytes) -> None:
    """Changed bytes are noticed, but for those that spell the same otherwise: white space."""
    path.write_bytes(data)
    try:
        assert plain(load(path)) == plain(TINY)
    except CheckpointError:
        return


@fuzz
@given(st.lists(st.tuples(st.integers(0, len(TINY_BYTES) - 1), st.integers(0, 255)), min_size=1))
def test_flipped_bytes_are_noticed(scratch, flips):
    data = bytearray(TINY_BYTES)
    for position, value in flips:
        data[position] = value
    reads_the_same_or_is_refused(scratch, bytes(data))


@pytest.mark.parametrize("value", [0x00, 0x22, 0x30, 0x39, 0x7D, 0xFF])
def test_any_single_byte_that_changed_is_noticed(scratch, value):
    for position in range(0, len(TINY_BYTES), 17):
        data = bytearray(TINY_BYTES)
        data[position] = value
        reads_the_same_or_is_refused(scratch, bytes(data))


def test_a_digit_of_the_header_that_changed_is_refused(refused):
    place = TINY_BYTES.index(b'\\"learning_rate\\": 0.01') + len('\\"learning_rate\\": 0.0')
    data = bytearray(TINY_BYTES)
    data[place] = ord("2")
    assert "changed since it was written" in refused(bytes(data))


def test_a_bit_of_the_weights_that_changed_is_refused(refused):
    data = bytearray(TINY_BYTES)
    data[-1] ^= 1
    assert "changed since it was written" in refused(bytes(data))


def test_a_file_from_before_there_were_checksums_is_read(scratch):
    checkpoint = dataclasses.replace(TINY, train=make_train_config(optimizer="adamw"))
    scratch.write_bytes(as_format_1(checkpoint))
    assert plain(load(scratch)) == plain(checkpoint)


def test_a_file_cannot_pass_for_one_from_before_there_were_checksums(refused):
    data = TINY_BYTES.replace(b'\\"format\\": 2', b'\\"format\\": 1')
    assert "one too many" in refused(data)


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
    """Whether a header needs this; a run may have no evaluation yet, a record any measures; the
    checksums are made anew for what is left."""
    return not place[0].endswith("sha256") and (place[0] != "history" or len(place) == 1)


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
    config = ModelConfig(**header["model"])
    size = sum(4 * math.prod(shape) for shape in config.tensor_shapes().values())
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
