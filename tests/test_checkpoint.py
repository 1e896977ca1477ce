import dataclasses
import errno
import json
import os
import pickle
import resource
import stat
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from factories import fuzz, make_checkpoint, make_train_config, plain, save_checkpoint
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save as serialize

from charrnn_cli.checkpoint import MAX_HEADER, load, to_bytes, training_shapes, write_file
from charrnn_cli.config import CELLS
from charrnn_cli.errors import CheckpointError, WriteError

TINY = make_checkpoint("rnn", hidden_size=2, num_layers=1)
TINY_BYTES = to_bytes(TINY)


def table_and_body(data: bytes) -> tuple[dict, bytes]:
    """The two parts of a safetensors file."""
    end = 8 + int.from_bytes(data[:8], "little")
    return json.loads(data[8:end]), data[end:]


def joined(table: str, body: bytes) -> bytes:
    return struct.pack("<Q", len(table)) + table.encode() + body


def header_of(checkpoint) -> dict:
    table, _ = table_and_body(to_bytes(checkpoint))
    return json.loads(table["__metadata__"]["charrnn"])


def with_header(header, tensors=None) -> bytes:
    """A file whose own metadata is `header`, the tensors being those of TINY unless given."""
    return serialize(dict(tensors or TINY.weights), {"charrnn": json.dumps(header)})


@pytest.fixture
def refused(tmp_path):
    """Tells with what message, the path left out, a file of these bytes is refused."""

    def message(data: bytes, **how) -> str:
        path = tmp_path / "bad.safetensors"
        path.write_bytes(data)
        with pytest.raises(CheckpointError) as caught:
            load(path, **how)
        text = str(caught.value)
        assert text.startswith(f"{path}: ")
        assert "\n" not in text
        return text.removeprefix(f"{path}: ")

    return message


# writing and reading back


@pytest.mark.parametrize("model", CELLS)
@pytest.mark.parametrize("training", [False, True])
def test_a_checkpoint_is_read_back_as_it_was(tmp_path, model, training):
    checkpoint = make_checkpoint(model, training=training, vocabulary="aé\n😀\0")
    path = save_checkpoint(tmp_path / "c.safetensors", checkpoint)
    assert plain(load(path)) == plain(checkpoint)


def test_optional_values_are_read_back_set_or_unset(tmp_path):
    checkpoint = dataclasses.replace(
        TINY,
        train=make_train_config(epochs=None, minutes=2.5, patience=7),
        progress=dataclasses.replace(TINY.progress, best_val_loss=None, seconds=1.5),
        history=(),
        corpus=dataclasses.replace(TINY.corpus, name="caf\u00e9\udcff.txt"),  # a Latin-1 file name
    )
    path = save_checkpoint(tmp_path / "c.safetensors", checkpoint)
    assert plain(load(path)) == plain(checkpoint)


def test_weights_come_back_as_float32(tmp_path):
    weights = load(save_checkpoint(tmp_path / "c.safetensors")).weights
    assert {str(values.dtype) for values in weights.values()} == {"float32"}


def test_equal_checkpoints_give_equal_bytes_whatever_the_order_of_their_parts():
    checkpoint = make_checkpoint(training=True)
    turned = {
        name: dict(reversed(getattr(checkpoint, name).items())) for name in ("weights", "training")
    }
    turned["history"] = tuple(dict(reversed(record.items())) for record in checkpoint.history)
    assert to_bytes(dataclasses.replace(checkpoint, **turned)) == to_bytes(checkpoint)


def test_another_process_writes_the_same_bytes():
    code = (
        "import sys; from factories import make_checkpoint\n"
        "from charrnn_cli.checkpoint import to_bytes\n"
        "sys.stdout.buffer.write(to_bytes(make_checkpoint(training=True)))"
    )
    other = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parent,
        env=os.environ | {"PYTHONHASHSEED": "12345"},
        stdout=subprocess.PIPE,
        check=True,
    )
    assert other.stdout == to_bytes(make_checkpoint(training=True))


def test_a_value_that_json_cannot_hold_is_never_written():
    broken = dataclasses.replace(TINY, history=({"step": 1, "val_loss": float("nan")},))
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_bytes(broken)


def test_nothing_in_the_file_is_out_of_ascii_or_more_than_one_key():
    table, _ = table_and_body(to_bytes(make_checkpoint(vocabulary="aé\n😀")))
    assert list(table["__metadata__"]) == ["charrnn"]
    assert table["__metadata__"]["charrnn"].isascii()


@pytest.mark.parametrize("model", CELLS)
def test_without_training_state_there_are_weights_alone(tmp_path, model):
    path = save_checkpoint(tmp_path / "best.safetensors", make_checkpoint(model))
    checkpoint = load(path)
    assert checkpoint.training == {}
    assert set(checkpoint.weights) == set(checkpoint.model.tensor_shapes())


def test_without_training_state_there_is_no_resuming(refused):
    assert "cannot be resumed. Use --init-from" in refused(TINY_BYTES, training=True)


@pytest.mark.parametrize(("model", "states"), [("gru", 2), ("lstm", 4), ("rnn", 2)])
def test_training_state_holds_both_moments_and_every_layers_hidden_state(model, states):
    checkpoint = make_checkpoint(model, hidden_size=4, num_layers=2)
    shapes = training_shapes(checkpoint)
    for moment in ("exp_avg", "exp_avg_sq"):
        for name, shape in checkpoint.model.tensor_shapes().items():
            assert shapes.pop(f"optimizer.{moment}.{name}") == shape
    lanes = checkpoint.train.batch_size
    assert shapes == {f"hidden.{index}": (lanes, 4) for index in range(states)}


def test_val_loss_is_that_of_the_last_evaluation_at_this_step():
    assert TINY.val_loss == 1.0


def test_val_loss_is_none_where_training_went_on_since():
    later = dataclasses.replace(TINY.progress, step=6)
    assert dataclasses.replace(TINY, progress=later).val_loss is None
    assert dataclasses.replace(TINY, history=()).val_loss is None


# what is refused


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


@pytest.mark.parametrize("part", ["model", "train", "corpus", "progress"])
def test_a_header_with_an_unknown_field_is_refused(refused, part):
    header = header_of(TINY)
    header[part]["surprise"] = 1
    assert "needs exactly the fields" in refused(with_header(header))


@pytest.mark.parametrize(
    ("part", "field", "value"),
    [
        ("model", "model", "mlp"),
        ("model", "hidden_size", 2.0),
        ("model", "hidden_size", True),
        ("model", "dropout", "0.5"),
        ("model", "hidden_size", 10**400),
        ("train", "random_seed", 10**400),
        ("train", "learning_rate", 0),
        ("train", "batch_size", None),
        ("train", "learning_rate", 10**400),
        ("progress", "step", 1.5),
        ("progress", "step", True),
        ("progress", "finished", 1),
        ("corpus", "name", None),
    ],
)
def test_a_value_of_the_wrong_type_or_beyond_its_limits_is_refused(refused, part, field, value):
    header = header_of(TINY)
    header[part][field] = value
    assert "damaged or foreign" in refused(with_header(header))


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999"])
def test_a_number_that_is_not_finite_is_refused(refused, value):
    text = json.dumps(header_of(TINY)).replace('"loss_sum": 0.25', f'"loss_sum": {value}')
    assert value in text
    message = refused(serialize(dict(TINY.weights), {"charrnn": text}))
    assert "loss_sum is" in message


@pytest.mark.parametrize(
    "vocabulary",
    [
        [10, 97],
        [10, 97, 98, 99],
        [10, 97, 97],
        [97, 10, 98],
        [10.5, 97.5, 98.5],
        ["10", "97", "98"],
        [10, 97, 0x110000],
        [10, 97, 0xD800],
        [10, 97, 10**30],
        [[10], [97], [98]],
        [10, 97, None],
        "ab\n",
        {},
        [],
    ],
    ids=repr,
)
def test_a_vocabulary_that_does_not_fit_is_refused(refused, vocabulary):
    refused(with_header(header_of(TINY) | {"vocabulary": vocabulary}))


def test_a_file_from_a_newer_charrnn_says_so(refused):
    message = refused(with_header(header_of(TINY) | {"format": 2}))
    assert message == "checkpoint format 2; this charrnn reads 1. Upgrade charrnn."


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}])
def test_the_safetensors_of_others_are_refused(refused, metadata):
    message = refused(serialize({"weight": np.zeros(3, np.float32)}, metadata))
    assert message == "is a safetensors file, but not charrnn's."


@pytest.mark.parametrize("metadata", ["", "no json", "[]", "3", "null", "[" * 100_000, '{"a":1}'])
def test_metadata_that_is_no_header_of_ours_is_refused(refused, metadata):
    refused(serialize(dict(TINY.weights), {"charrnn": metadata}))


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


def test_a_tensor_under_another_name_is_missed(refused):
    weights = dict(TINY.weights)
    weights["tail.bias"] = weights.pop("head.bias")
    assert "tensor head.bias is missing" in refused(with_header(header_of(TINY), weights))


def test_a_tensor_too_many_is_refused(refused):
    weights = TINY.weights | {"extra": np.zeros(0, np.float32)}  # no bytes: the size still fits
    assert "unknown tensor 'extra'" in refused(with_header(header_of(TINY), weights))


def test_a_tensor_of_another_type_is_refused(refused):
    weights = TINY.weights | {"head.bias": np.zeros(3, np.int32)}
    assert "head.bias is int32" in refused(with_header(header_of(TINY), weights))


def test_a_tensor_of_another_shape_is_refused(refused):
    weights = TINY.weights | {"head.weight": np.zeros((2, 3), np.float32)}
    message = refused(with_header(header_of(TINY), weights))
    assert "head.weight is float32 (2, 3), not float32 (3, 2)" in message


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_refused(refused, value):
    weights = TINY.weights | {"head.bias": np.array([0, value, 0], np.float32)}
    assert "head.bias holds values that are not finite" in refused(
        with_header(header_of(TINY), weights)
    )


def test_training_state_that_is_not_finite_is_refused(refused):
    checkpoint = make_checkpoint("rnn", training=True)
    name = "optimizer.exp_avg.head.bias"
    state = checkpoint.training | {name: np.full(3, np.nan, np.float32)}
    message = refused(to_bytes(dataclasses.replace(checkpoint, training=state)))
    assert f"{name} holds values that are not finite" in message


def test_half_a_training_state_is_refused(refused):
    checkpoint = make_checkpoint("rnn", training=True)
    state = dict(checkpoint.training)
    del state["hidden.0"]
    message = refused(to_bytes(dataclasses.replace(checkpoint, training=state)))
    assert "size does not fit its model" in message


def test_a_model_larger_than_the_file_is_refused_before_it_is_built(refused):
    header = header_of(TINY)
    header["model"] |= {"hidden_size": 8192, "num_layers": 16}
    assert "size does not fit its model" in refused(with_header(header))


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


# writing files so that no crash spoils them


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"a long old content")
    write_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["a"]


def test_a_file_open_for_reading_keeps_its_old_content(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with open(path, "rb") as reader:
        write_file(path, b"new")
        assert reader.read() == b"old"


def fails_with(error: BaseException):
    def fail(*_, **__):
        raise error

    return fail


FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("function", ["open", "fsync", "replace"])
def test_a_system_call_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path, monkeypatch, function
):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, function, fails_with(FULL))
        with pytest.raises(WriteError, match=r"No space left .*0\.0 MB are needed\. Make room"):
            write_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_an_interruption_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, function):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, function, fails_with(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            write_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_a_file_that_the_system_cuts_short_leaves_the_old_one_and_nothing_else(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(WriteError, match=r"File too large.*1\.0 MB are needed"):
            write_file(path, bytes(1_000_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_content_reaches_the_disk_before_its_name_and_its_name_before_the_end(
    tmp_path, monkeypatch
):
    calls = []
    fsync, replace = os.fsync, os.replace

    def noted_fsync(descriptor):
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        calls.append(f"fsync {kind} of {os.fstat(descriptor).st_size if kind == 'file' else '-'}")
        fsync(descriptor)

    def noted_replace(*paths):
        calls.append("replace")
        replace(*paths)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", noted_replace)
    write_file(tmp_path / "a", b"new")
    assert calls == ["fsync file of 3", "replace", "fsync folder of -"]


@pytest.mark.parametrize("target", ["file", "nowhere"])
def test_a_symlink_is_not_written_to(tmp_path, target):
    (tmp_path / "file").write_bytes(b"old")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / target)
    with pytest.raises(WriteError, match="is not a regular file"):
        write_file(link, b"new")
    assert link.is_symlink()
    assert (tmp_path / "file").read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == ["file", "link"]


def test_a_folder_is_not_replaced(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(WriteError, match="is not a regular file"):
        write_file(tmp_path / "folder", b"new")
    assert (tmp_path / "folder").is_dir()


def test_a_fifo_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(WriteError, match="is not a regular file"):
        write_file(tmp_path / "pipe", b"new")
    assert (tmp_path / "pipe").is_fifo()


def test_a_device_is_not_replaced():
    with pytest.raises(WriteError, match="is not a regular file"):
        write_file(Path("/dev/null"), b"new")
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize("path", ["file/a", "nowhere/a", "x" * 300])
def test_a_path_where_no_file_can_be_made_is_named(tmp_path, path):
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(WriteError, match="cannot be written") as caught:
        write_file(tmp_path / path, b"new")
    assert str(tmp_path / path) in str(caught.value)
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_permissions_follow_the_umask(tmp_path, umask, mode):
    old = os.umask(umask)
    try:
        write_file(tmp_path / "a", b"new")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == mode
