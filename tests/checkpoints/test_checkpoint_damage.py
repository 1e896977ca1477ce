"""Damaged and foreign files: each is refused by name, and nothing else is raised."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from factories import TINY, fuzz, fuzzed, make_checkpoint, make_train_config, plain
from hypothesis import given
from hypothesis import strategies as st
from stored import as_format_1, header_of, with_header

from charrnn_cli.checkpoints.checkpoint import load, to_bytes
from charrnn_cli.checkpoints.records import Baselines
from charrnn_cli.errors import CheckpointError
from charrnn_cli.inspection.facts import inspect
from charrnn_cli.inspection.overview import drawings, table_rows
from charrnn_cli.terminal.ascii_plots import UNICODE

pytestmark = pytest.mark.slow  # thousands of damaged files are read

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
    """A file that is accepted must be consistent; all others are refused."""
    path.write_bytes(data)
    try:
        checkpoint = load(path)
    except CheckpointError:
        return
    shapes = checkpoint.model.parameter_shapes()
    assert {name: values.shape for name, values in checkpoint.weights.items()} == shapes
    assert all(np.isfinite(values).all() for values in checkpoint.weights.values())
    assert len(checkpoint.vocabulary) == checkpoint.model.vocabulary_size
    path.write_bytes(to_bytes(checkpoint))
    assert plain(load(path)) == plain(checkpoint)
    facts = inspect(path)
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts
    assert table_rows(facts)
    assert list(drawings(facts, 80, UNICODE))


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
    assert load(scratch).format == 1
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


def keys(part: dict | list) -> set:
    """What can be put between brackets after it."""
    return set(part if isinstance(part, dict) else range(len(part)))


def places(header, here=()) -> list[tuple]:
    """The path to every value in nested dicts and lists."""
    inner = header.items() if isinstance(header, dict) else enumerate(header)
    found = []
    for key, value in inner:
        found.append((*here, key))
        if isinstance(value, dict | list):
            found += places(value, (*here, key))
    return found


WITH_ALL = dataclasses.replace(
    TINY,
    history=({"step": 3, "epoch": 0.3, "train_loss": 2.5, "val_loss": 2.0}, *TINY.history),
    baselines=Baselines(uniform=2.0, unigram=1.5, five_gram=1.0, counted=90),
    device="cpu",
)
PLACES = [place for place in places(header_of(WITH_ALL)) if not place[0].endswith("sha256")]


@pytest.mark.slow
@fuzzed(200)
@given(st.lists(st.tuples(st.sampled_from(PLACES), values), min_size=1, max_size=3))
def test_a_sealed_header_with_any_values_anywhere_is_refused_or_can_be_shown(scratch, changes):
    header = header_of(WITH_ALL)
    for place, value in changes:
        part = header
        for key in place[:-1]:
            part = part[key] if isinstance(part, dict | list) and key in keys(part) else None
        if isinstance(part, dict | list) and place[-1] in keys(part):
            part[place[-1]] = value
    loads_whole_or_is_refused(scratch, with_header(header))


@pytest.mark.parametrize("place", [place for place in PLACES if place[0] != "vocabulary"], ids=str)
def test_a_sealed_header_with_one_hostile_number_is_refused_or_can_be_shown(scratch, place):
    header = header_of(WITH_ALL)
    part = header
    for key in place[:-1]:
        part = part[key]
    for value in (-1, 0, 3, 10**400, 10**30, 1e38, 1.7e308, -1.7e308):
        part[place[-1]] = value
        loads_whole_or_is_refused(scratch, with_header(header))


def required(place: tuple) -> bool:
    """Whether a header needs this; a run may have no evaluation yet, a record any measures; the
    checksums are made anew for what is left; older files store no precision."""
    if place == ("train", "precision"):
        return False
    return not place[0].endswith("sha256") and (place[0] != "history" or len(place) == 1)


@pytest.mark.parametrize("place", list(filter(required, places(header_of(TINY)))), ids=str)
def test_a_header_that_lacks_any_field_is_refused(refused, place):
    header = header_of(TINY)
    part = header
    for key in place[:-1]:
        part = part[key]
    del part[place[-1]]
    refused(with_header(header))
