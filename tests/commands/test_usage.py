"""A command line that makes no sense: one line in the project's words, with what was meant."""

import sys

import pytest
from factories import make_run, one_line_error
from typer.testing import CliRunner

from charrnn_cli.__main__ import app
from charrnn_cli.commands.usage import OTHER_COMMANDS, OTHER_OPTIONS
from charrnn_cli.errors import ExitCode


@pytest.mark.parametrize(
    ("words", "message"),
    [
        # names nearly right
        ("generate", "no command 'generate'. Did you mean charrnn sample?"),
        ("list", "no command 'list'. Did you mean charrnn runs?"),
        ("help", "no command 'help'. Did you mean charrnn --help?"),
        ("trian a.txt", "no command 'trian'. Did you mean train?"),
        ("zzz", "no command 'zzz'. There are: train, sample, "),
        ("train a.txt --lr 1", "charrnn train: no option --lr. Did you mean --learning-rate?"),
        ("sample --temp 1", "charrnn sample: no option --temp. Did you mean --temperature?"),
        (
            "sample --checkpoint sonnets",
            "charrnn sample: no option --checkpoint. Name the model without an option: charrnn "
            "sample MODEL",
        ),
        ("sample --lenght 5", "charrnn sample: no option --lenght. Did you mean --length?"),
        ("info --zzz", "charrnn info: no option --zzz. See charrnn info --help"),
        # values
        ("train a.txt --epochs abc", "--epochs abc: must be a number, above 0 and at most"),
        ("train a.txt --epochs=abc", "--epochs abc: must be a number, above 0 and at most"),
        ("train a.txt --epochs 0", "--epochs 0: must be above 0 and at most 1,000,000."),
        ("sample --num-samples 1.5", "--num-samples 1.5: must be a whole number, at least 1"),
        ("sample --length", "--length: its value is missing, a whole number, at least 0"),
        ("sample --seed", "--seed: its value is missing. See charrnn sample --help"),
        ("train a.txt --quiet=1", "--quiet: takes no value. Give it alone: --quiet"),
        # arguments
        ("info a b", "charrnn info: one argument too many: b."),
        ("score", "charrnn score: TEXT is missing. Give it: charrnn score TEXT"),
    ],
)
def test_one_line_names_the_remedy(invoke, words, message):
    line = one_line_error(invoke(*words.split()), ExitCode.USAGE)
    assert message in line


def test_other_programs_words_lead_to_commands_and_options_that_exist():
    def shown(*words):
        return CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "200"}).stdout

    commands = ("train", "sample", "score", "info", "runs")
    every = shown() + "".join(map(shown, commands))
    for meant in OTHER_COMMANDS.values():
        words = meant.split()[1:]
        assert all(word in every for word in words), meant
    assert [meant for meant in OTHER_OPTIONS.values() if meant not in every] == []


def test_a_run_nearly_named_is_offered(invoke, tmp_path):
    make_run(tmp_path / "checkpoints", "sonata")
    line = one_line_error(invoke("sample", "sonat"), ExitCode.CHECKPOINT)
    assert "Did you mean sonata" in line
    line = one_line_error(invoke("train", "--resume", "sonat"), ExitCode.CHECKPOINT)
    assert line.endswith("Did you mean sonata?")


def test_a_shipped_model_is_not_offered_to_resume(invoke, tmp_path):
    make_run(tmp_path / "checkpoints", "mine")
    assert "sonnets" in one_line_error(invoke("sample", "sonets"), ExitCode.CHECKPOINT)
    line = one_line_error(invoke("train", "--resume", "sonets"), ExitCode.CHECKPOINT)
    assert "sonnets" not in line
    line = one_line_error(invoke("train", "--resume", "sonnets"), ExitCode.CHECKPOINT)
    assert "charrnn train TEXT --init-from sonnets" in line


def test_a_missing_library_is_named_and_not_this_program(invoke, abc_runs, monkeypatch):
    monkeypatch.setitem(sys.modules, "rich.table", None)
    result = invoke("info", "abc", "--checkpoints", abc_runs)
    line = one_line_error(result, ExitCode.USAGE)
    assert line == "Error: the library rich is missing. Install it: pip install rich"
