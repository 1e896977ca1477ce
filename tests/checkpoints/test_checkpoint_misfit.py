"""Checkpoints whose parts do not fit: values out of limits, tensors missing or wrong."""

import dataclasses
import json

import numpy as np
import pytest
from factories import TINY, make_checkpoint
from safetensors.numpy import save as serialize
from stored import header_of, with_header

from charrnn_cli.checkpoints.checkpoint import to_bytes
from charrnn_cli.checkpoints.format import FORMAT, sealed
from charrnn_cli.checkpoints.records import Baselines


@pytest.mark.parametrize("part", ["model", "train", "corpus", "progress"])
def test_a_header_with_an_unknown_field_is_refused(refused, part):
    header = header_of(TINY)
    header[part]["surprise"] = 1
    assert "must have exactly the fields" in refused(with_header(header))


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
        ("progress", "step", -5),
        ("progress", "step", 10**400),
        ("progress", "step", 2**53),
        ("progress", "best_step", 6),
        ("progress", "best_step", -1),
        ("progress", "optimizer_began", 6),
        ("progress", "optimizer_began", -1),
        ("progress", "since_best", -1),
        ("progress", "epoch", -0.5),
        ("progress", "epoch", 1e300),
        ("progress", "loss_sum", -1.0),
        ("progress", "seconds", -1.0),
        ("progress", "best_val_loss", -1.0),
        ("progress", "best_val_loss", 1e300),
        ("corpus", "name", None),
        ("corpus", "characters", -1),
        ("corpus", "characters", 10**400),
        ("marks", "uniform", 1e300),
        ("marks", "counted", 10**400),
    ],
)
def test_a_value_of_the_wrong_type_or_beyond_its_limits_is_refused(refused, part, field, value):
    header = header_of(dataclasses.replace(TINY, baselines=Baselines(2.0, 1.5, 1.0, 90)))
    header[part][field] = value
    assert "damaged or foreign" in refused(with_header(header))


@pytest.mark.parametrize(
    "changes",
    [
        {"step": 10**400},
        {"step": 6},
        {"step": -1},
        {"step": 4.5},
        {"step": 3},
        {"val_loss": -1.0},
        {"val_loss": 1.7e308},
        {"train_loss": -1.7e308},
        {"epoch": 1e300},
        {"grad_norm": -1e300},
        {"learning_rate": 10**400},
    ],
    ids=str,
)
def test_a_history_that_no_training_has_is_refused(refused, changes):
    record = {"step": 5, "epoch": 0.5, "train_loss": 1.5, "val_loss": 1.0}
    header = header_of(TINY)
    header["history"] = [record | {"step": 3}, record | changes]
    assert "damaged or foreign" in refused(with_header(header))


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999"])
def test_a_number_that_is_not_finite_is_refused(refused, value):
    header = header_of(TINY)
    header["progress"]["loss_sum"] = float(value)
    text = json.dumps(sealed(header, TINY.weights)).replace(": Infinity", f": {value}")
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
    message = refused(with_header(header_of(TINY) | {"format": FORMAT + 1}))
    assert message == (
        f"checkpoint format {FORMAT + 1}; this charrnn reads {FORMAT}. Upgrade charrnn-cli."
    )


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


def test_without_training_state_there_is_no_resuming(refused):
    assert "cannot be resumed. Use --init-from" in refused(to_bytes(TINY), training=True)


@pytest.mark.parametrize("version", [0, -1, 2.0, "2", True, None])
def test_a_format_that_never_was_is_refused(refused, version):
    assert "format is" in refused(with_header(header_of(TINY) | {"format": version}))


@pytest.mark.parametrize("lost", ["step", "train_loss", "val_loss"])
def test_an_evaluation_without_its_step_or_losses_is_refused(refused, lost):
    header = header_of(TINY)
    del header["history"][0][lost]
    message = refused(with_header(header))
    assert "a record of the history lacks its step or losses" in message
