"""Checkpoints: written and read back as they were, in the same bytes every time."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest
from factories import TINY, make_checkpoint, make_train_config, plain, save_checkpoint
from pairs import make_pair_checkpoint
from stored import table_and_body

from charrnn_cli.checkpoints.checkpoint import load, to_bytes, training_shapes
from charrnn_cli.models.recurrent.config import CELLS


@pytest.mark.parametrize("model", CELLS)
@pytest.mark.parametrize("training", [False, True])
def test_a_checkpoint_is_read_back_as_it_was(tmp_path, model, training):
    checkpoint = make_checkpoint(model, training=training, vocabulary="aé\n😀\0")
    path = save_checkpoint(tmp_path / "c.safetensors", checkpoint)
    assert plain(load(path)) == plain(checkpoint)


@pytest.mark.parametrize("adds", [False, True])
def test_where_a_transformer_of_pairs_has_its_positions_is_read_back(tmp_path, adds):
    checkpoint = make_pair_checkpoint("transformer", adds_positions=adds)
    path = save_checkpoint(tmp_path / "c.safetensors", checkpoint)
    assert load(path).model.adds_positions is adds
    # the first of these models have no such field
    assert (b"adds_positions" in path.read_bytes()) is adds


@pytest.mark.parametrize(("adds", "newest"), [(False, 4), (True, 5)])
def test_a_field_that_format_4_has_not_is_stored_in_format_5(tmp_path, adds, newest):
    checkpoint = make_pair_checkpoint("transformer", adds_positions=adds)
    assert load(save_checkpoint(tmp_path / "c.safetensors", checkpoint)).format == newest


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


@pytest.mark.slow
def test_another_process_writes_the_same_bytes():
    code = (
        "import sys; from factories import make_checkpoint\n"
        "from charrnn_cli.checkpoints.checkpoint import to_bytes\n"
        "sys.stdout.buffer.write(to_bytes(make_checkpoint(training=True)))"
    )
    other = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[1],
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


@pytest.mark.parametrize("length", [0x10280, 0x10580])
def test_a_header_whose_length_looks_like_the_first_bytes_of_a_pickle_is_read(tmp_path, length):
    corpus = dataclasses.replace(TINY.corpus, name="")
    short = len(header_bytes(dataclasses.replace(TINY, corpus=corpus)))
    name = "x" * (length - short & ~7)  # headers are filled up to whole eights
    corpus = dataclasses.replace(TINY.corpus, name=name)
    checkpoint = dataclasses.replace(TINY, corpus=corpus)
    path = save_checkpoint(tmp_path / "c.safetensors", checkpoint)
    assert len(header_bytes(checkpoint)) == length
    assert plain(load(path)) == plain(checkpoint)


def header_bytes(checkpoint) -> bytes:
    data = to_bytes(checkpoint)
    return data[8 : 8 + int.from_bytes(data[:8], "little")]


@pytest.mark.parametrize("model", CELLS)
def test_without_training_state_there_are_weights_alone(tmp_path, model):
    path = save_checkpoint(tmp_path / "best.safetensors", make_checkpoint(model))
    checkpoint = load(path)
    assert checkpoint.training == {}
    assert set(checkpoint.weights) == set(checkpoint.model.parameter_shapes())


@pytest.mark.parametrize(("model", "states"), [("gru", 2), ("lstm", 4), ("rnn", 2)])
def test_training_state_holds_the_moments_and_every_layers_hidden_state(model, states):
    checkpoint = make_checkpoint(model, hidden_size=4, num_layers=2)
    shapes = training_shapes(checkpoint)
    for name, shape in checkpoint.model.parameter_shapes().items():
        hidden = name in checkpoint.model.matrices()
        for moment in ("momentum",) if hidden else ("exp_avg", "exp_avg_sq"):
            assert shapes.pop(f"optimizer.{moment}.{name}") == shape
    rows = checkpoint.train.batch_size
    assert shapes == {f"hidden.{index}": (rows, 4) for index in range(states)}


def test_val_loss_is_that_of_the_last_evaluation_at_this_step():
    assert TINY.val_loss == 1.0


def test_val_loss_is_none_where_training_went_on_since():
    later = dataclasses.replace(TINY.progress, step=6)
    assert dataclasses.replace(TINY, progress=later).val_loss is None
    assert dataclasses.replace(TINY, history=()).val_loss is None
