import dataclasses
import json
import math

import pytest
from factories import make_train_config

from charrnn_cli.errors import UsageError
from charrnn_cli.models.recurrent.config import CELLS, RecurrentConfig
from charrnn_cli.settings.configs import SamplingConfig, TrainConfig
from charrnn_cli.settings.setting import Setting
from charrnn_cli.settings.table import SETTINGS, check, check_all

NUMBERS = [name for name, setting in SETTINGS.items() if setting.type in (int, float)]

SEED = RecurrentConfig("rnn", 61, 512, 1, 0.5)  # the model of the tutorial that this grew from


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_nan_and_infinity_are_refused_naming_the_option(name, value):
    option = "--" + name.replace("_", "-")
    with pytest.raises(UsageError, match=rf"^{option} {value}: must be "):
        check(name, value)


@pytest.mark.parametrize("name", ["top_k", "length", "random_seed", "hidden_size"])
@pytest.mark.parametrize("value", [10**400, -(10**400)], ids=["huge", "-huge"])
def test_an_integer_beyond_every_float_is_refused(name, value):
    with pytest.raises(UsageError, match="must be at least"):
        check(name, value)


@pytest.mark.parametrize(
    ("name", "allowed", "refused"),
    [
        ("hidden_size", [1, 8192], [0, -1, 8193]),
        ("num_layers", [1, 16], [0, 17]),
        ("dropout", [0, 0.999], [-0.001, 1]),
        ("epochs", [0.001, 1_000_000], [0, -1, 1_000_001]),
        ("minutes", [0.001, 1_000_000], [0, -1, 1_000_001]),
        ("batch_size", [1, 65_536], [0, 65_537]),
        ("seq_length", [1, 65_536], [0, 65_537]),
        ("learning_rate", [1e-9, 10], [0, -1e-3, 10.1]),
        ("grad_clip", [1e-9, 1e9], [0, -1]),
        ("val_fraction", [1e-9, 0.9], [0, 0.91, 1]),
        ("patience", [1, 10**9], [0, -1]),
        ("random_seed", [0, 2**32 - 1], [-1, 2**32]),
        ("threads", [1, 1024], [0, 1025]),
        ("length", [0, 10**9], [-1]),
        ("temperature", [0, 1000], [-0.1, 1001]),
        ("top_k", [1, 10**9], [0]),
        ("top_p", [1e-9, 1], [0, 1.001]),
        ("min_p", [0, 1], [-0.001, 1.001]),
        ("num_samples", [1, 100_000], [0, 100_001]),
    ],
)
def test_a_setting_allows_its_limits_and_nothing_beyond(name, allowed, refused):
    for value in allowed:
        check(name, value)
    for value in refused:
        with pytest.raises(UsageError, match=rf"^--{name.replace('_', '-')} {value}: must be "):
            check(name, value)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"at_least": 1, "at_most": 65_536}, "at least 1 and at most 65,536"),
        ({"at_least": 0, "below": 1}, "at least 0 and below 1"),
        ({"above": 0}, "above 0"),
        ({"at_most": 2**32 - 1}, "at most 4,294,967,295"),
        ({"above": 0, "at_most": 0.9}, "above 0 and at most 0.9"),
        ({}, ""),
    ],
)
def test_limits_are_given_in_words(limits, words):
    assert Setting(name="size", type=float, help="Size.", **limits).limits == words


def test_a_message_names_the_limits():
    with pytest.raises(UsageError, match=r"^--dropout 1: must be at least 0 and below 1\.$"):
        check("dropout", 1)


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_is_explained_in_a_sentence(name):
    assert SETTINGS[name].help[0].isupper()
    assert SETTINGS[name].help.endswith(".")


def test_check_all_refuses_an_unknown_model_and_lists_the_known():
    with pytest.raises(UsageError, match="--model transformer: must be one of gru, lstm, rnn"):
        check_all({"model": "transformer"}, model=CELLS)


def test_check_all_passes_over_what_is_off_or_no_setting():
    check_all({"patience": None, "title": "x", "model": "lstm"}, model=CELLS)


@pytest.mark.parametrize(
    ("changes", "option"),
    [
        ({"architecture": "mlp"}, "--model mlp"),
        ({"vocabulary_size": 1}, "--vocabulary-size 1"),
        ({"vocabulary_size": 0x110001}, "--vocabulary-size"),
        ({"hidden_size": 0}, "--hidden-size 0"),
        ({"num_layers": 0}, "--num-layers 0"),
        ({"dropout": 1.0}, "--dropout 1:"),
    ],
)
def test_a_model_is_not_configured_beyond_the_limits(changes, option):
    with pytest.raises(UsageError, match=option):
        dataclasses.replace(SEED, **changes)


@pytest.mark.parametrize(
    ("changes", "option"),
    [
        ({"epochs": 0}, "--epochs 0"),
        ({"minutes": -1}, "--minutes -1"),
        ({"batch_size": 0}, "--batch-size 0"),
        ({"seq_length": 0}, "--seq-length 0"),
        ({"learning_rate": math.nan}, "--learning-rate nan"),
        ({"grad_clip": 0.0}, "--grad-clip 0"),
        ({"val_fraction": 1.0}, "--val-fraction 1"),
        ({"patience": 0}, "--patience 0"),
        ({"eval_every": 0}, "--eval-every 0"),
        ({"random_seed": -1}, "--random-seed -1"),
        ({"warmup": 1.5}, "--warmup 1.5"),
        ({"weight_decay": -0.1}, "--weight-decay -0.1"),
    ],
)
def test_training_is_not_configured_beyond_the_limits(changes, option):
    with pytest.raises(UsageError, match=option):
        make_train_config(**changes)


@pytest.mark.parametrize(
    ("changes", "option"),
    [
        ({"temperature": -1.0}, "--temperature -1"),
        ({"top_k": 0}, "--top-k 0"),
        ({"top_p": 0.0}, "--top-p 0"),
        ({"min_p": 2.0}, "--min-p 2"),
    ],
)
def test_sampling_is_not_configured_beyond_the_limits(changes, option):
    with pytest.raises(UsageError, match=option):
        SamplingConfig(**changes)


def test_a_run_needs_an_end():
    with pytest.raises(UsageError, match="give --epochs or --minutes"):
        make_train_config(epochs=None, minutes=None)


@pytest.mark.parametrize("end", [{"epochs": None, "minutes": 1.0}, {"epochs": 1.0}])
def test_one_end_is_enough(end):
    assert make_train_config(**end).batch_size == 2


@pytest.mark.parametrize("config", [SEED, make_train_config(), SamplingConfig()])
def test_a_configuration_cannot_be_changed(config):
    field = dataclasses.fields(config)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(config, field, 1)


def test_configurations_survive_json():
    stored = json.loads(json.dumps(SEED.to_dict()))
    assert RecurrentConfig(stored.pop("model"), **stored) == SEED
    train = make_train_config(patience=3)
    assert TrainConfig(**json.loads(json.dumps(train.to_dict()))) == train


def test_the_tutorials_model_has_325181_parameters():
    assert SEED.parameters == 325_181


@pytest.mark.parametrize(
    ("model", "shapes"),
    [
        (
            "rnn",
            {
                "layers.0.weight_ih": (3, 5),
                "layers.0.weight_hh": (3, 3),
                "layers.0.bias_ih": (3,),
                "layers.1.weight_ih": (3, 3),
                "layers.1.weight_hh": (3, 3),
                "layers.1.bias_ih": (3,),
                "head.weight": (5, 3),
                "head.bias": (5,),
            },
        ),
        (
            "gru",
            {
                "layers.0.weight_ih": (9, 5),
                "layers.0.weight_hh": (9, 3),
                "layers.0.bias_ih": (9,),
                "layers.0.bias_hh": (9,),
                "layers.1.weight_ih": (9, 3),
                "layers.1.weight_hh": (9, 3),
                "layers.1.bias_ih": (9,),
                "layers.1.bias_hh": (9,),
                "head.weight": (5, 3),
                "head.bias": (5,),
            },
        ),
        (
            "lstm",
            {
                "layers.0.weight_ih": (12, 5),
                "layers.0.weight_hh": (12, 3),
                "layers.0.bias_ih": (12,),
                "layers.1.weight_ih": (12, 3),
                "layers.1.weight_hh": (12, 3),
                "layers.1.bias_ih": (12,),
                "head.weight": (5, 3),
                "head.bias": (5,),
            },
        ),
    ],
)
def test_tensor_shapes_are_those_of_the_cell(model, shapes):
    assert RecurrentConfig(model, 5, 3, 2, 0.0).parameter_shapes() == shapes


@pytest.mark.parametrize("model", CELLS)
def test_tensor_shapes_are_those_of_the_real_model(model):
    from charrnn_cli.models.recurrent.model import RecurrentModel

    config = RecurrentConfig(model, 5, 3, 2, 0.0)
    real = {name: tuple(value.shape) for name, value in RecurrentModel(config).named_parameters()}
    assert config.parameter_shapes() == real


def test_dropout_adds_no_parameter():
    assert dataclasses.replace(SEED, dropout=0.0).parameters == SEED.parameters
