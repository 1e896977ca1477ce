"""Options are made from one declaration each: its help, limits, choices and stored name."""

import dataclasses
import inspect
import math

import pytest
import typer
from factories import one_line_error
from typer.testing import CliRunner

from charrnn_cli.commands import info, runs, sample, score, train
from charrnn_cli.commands.options import command_class, takes
from charrnn_cli.errors import ExitCode, UsageError
from charrnn_cli.models.registry import ARCHITECTURES, config_class
from charrnn_cli.sampling.samples import SampleRequest
from charrnn_cli.scoring.report import ScoreRequest
from charrnn_cli.settings.configs import SamplingConfig, TrainConfig
from charrnn_cli.settings.setting import Setting, figure
from charrnn_cli.settings.table import SETTINGS
from charrnn_cli.training.setup import Request
from charrnn_cli.training.train_report import run_training

OPTIONS = {"train": train.OPTIONS, "sample": sample.OPTIONS, "score": score.OPTIONS}
OPTIONS |= {"info": info.OPTIONS, "runs": runs.OPTIONS}


def fields(*classes):
    return {field.name for one in classes for field in dataclasses.fields(one)}


def cases(wanted):
    """Each command's settings of which `wanted` is true, as parameters of a test."""
    return [
        pytest.param(command, setting, id=f"{command} {setting.option}")
        for command, settings in OPTIONS.items()
        for setting in settings
        if wanted(setting)
    ]


# every declaration reaches its command


@pytest.mark.parametrize(("command", "setting"), cases(lambda setting: True))
def test_every_setting_is_in_its_commands_help(invoke, command, setting):
    shown = " ".join(invoke(command, "--help", env={"COLUMNS": "1000"}).stdout.split())
    assert " ".join(setting.full_help.split()) in shown
    names = (setting.usage,) if setting.argument else (setting.option, *setting.flags)
    assert all(name in shown for name in names)


def outside(setting):
    """A value beyond each of a setting's limits."""
    ends = [(setting.at_least, -1), (setting.at_most, 1), (setting.above, 0), (setting.below, 0)]
    return [setting.type(end + step) for end, step in ends if math.isfinite(end)]


@pytest.mark.parametrize(("command", "setting"), cases(lambda setting: setting.limits))
def test_every_limit_is_held_by_its_option(invoke, command, setting):
    for value in outside(setting):
        result = invoke(command, f"{setting.option}={value}", *["x.txt"] * (command != "info"))
        line = one_line_error(result, ExitCode.USAGE)
        assert f"{setting.option} {figure(value)}: must be {setting.limits}." in line


def all_sizes():
    """The sizes that models of some architecture have."""
    return {name for architecture in ARCHITECTURES for name in config_class(architecture).sizes()}


def test_every_size_of_a_model_is_a_setting():
    assert all_sizes() <= set(SETTINGS)


@pytest.mark.parametrize(("command", "setting"), cases(lambda setting: setting.choices))
def test_every_choice_is_held_by_its_option(invoke, command, setting):
    line = one_line_error(invoke(command, f"{setting.option}=nonsense"), ExitCode.USAGE)
    assert f"{setting.option} nonsense: must be one of {setting.values}." in line


@pytest.mark.parametrize(
    ("command", "group", "names"),
    [
        ("train", "model", {"model", *all_sizes()}),
        ("train", "training", fields(TrainConfig)),
        ("train", "request", fields(Request)),
        ("train", "hardware", fields(Request, TrainConfig)),
        ("train", "output", {*inspect.signature(run_training).parameters, "no_preview"}),
        ("sample", "request", fields(SampleRequest)),
        ("sample", "sampling", fields(SamplingConfig)),
        ("sample", "hardware", fields(SampleRequest)),
        ("score", "request", fields(ScoreRequest)),
        ("score", "hardware", fields(ScoreRequest)),
    ],
)
def test_every_setting_is_stored_in_a_field_of_its_name(command, group, names):
    keys = {setting.key for setting in OPTIONS[command] if setting.group == group}
    assert keys
    assert keys <= names


@pytest.mark.parametrize("config", [TrainConfig, SamplingConfig])
def test_every_field_of_a_configuration_is_a_setting(config):
    assert fields(config) <= set(SETTINGS)


# one row is enough


ROWS = (
    Setting(name="text", type=str, argument=True, required=True, stored_as="source", help="Text."),
    Setting(name="num_heads", type=int, group="model", at_least=1, below=9, help="Heads."),
    Setting(name="share", type=float, group="model", above=0, default=0.5, help="Share."),
    Setting(name="rule", type=str, choices=("a", "b"), auto=True, help="Rule."),
    Setting(name="loud", type=bool, default=False, flags=("-l",), help="Loud."),
    Setting(name="origin", type=str, several=True, stored_as="origins", help="Origins."),
    Setting(name="go_on", type=str, bare="text", metavar="[RUN]", help="Go on."),
    Setting(name="list", type=str, bare="number", metavar="[N]", help="List."),
)


@pytest.fixture
def given():
    """Runs a command of ROWS; gives the groups of values that its function got."""
    got = {}

    @takes(*ROWS)
    def command(**groups):
        got.update(groups)

    def run(*words):
        app = typer.Typer()
        app.command(cls=command_class(*ROWS))(command)
        result = CliRunner().invoke(app, words)
        if result.exception is not None and result.exit_code == 1:
            raise result.exception
        assert result.exit_code == 0, result.output
        return got

    return run


def test_values_arrive_by_group_and_stored_name(given):
    got = given("x.txt", "--num-heads", "4", "-l", "--origin", "a", "--origin", "b", "--rule", "b")
    assert got == {
        "request": {
            "source": "x.txt", "rule": "b", "loud": True, "origins": ["a", "b"], "go_on": None,
            "list": None,
        },
        "model": {"num_heads": 4, "share": 0.5},
    }  # fmt: skip


def test_what_is_left_out_is_none_or_the_default(given):
    got = given("x.txt")
    assert got["model"] == {"num_heads": None, "share": 0.5}
    assert (got["request"]["loud"], got["request"]["rule"]) == (False, None)


def test_auto_is_as_if_the_option_were_left_out(given):
    assert given("x.txt", "--rule", "auto")["request"]["rule"] is None


def test_a_value_outside_the_limits_never_reaches_the_command(given):
    with pytest.raises(UsageError, match=r"^--num-heads 9: must be at least 1 and below 9\.$"):
        given("x.txt", "--num-heads", "9")


@pytest.mark.parametrize(
    ("words", "value"),
    [
        (["--go-on", "x.txt"], "x.txt"),
        (["--go-on", "--loud"], ""),
        (["--go-on"], ""),
        (["--list", "7"], "7"),
        (["--list", "all"], "all"),
        (["--list"], ""),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else "",
)
def test_an_option_may_stand_alone_where_its_row_says_so(given, words, value):
    key = words[0].removeprefix("--").replace("-", "_")
    assert given("text.txt", *words)["request"][key] == value


def test_before_what_is_no_number_an_option_for_a_number_stands_alone(given):
    request = given("--list", "text.txt")["request"]
    assert (request["list"], request["source"]) == ("", "text.txt")
