"""`charrnn info`, help and version as a user meets them."""

import json
import os
import re

import pytest
from factories import SMALL, one_line_error

from charrnn_cli.errors import ExitCode


def test_info_json_has_the_documented_fields(invoke, trained):
    facts = json.loads(invoke("info", "--json", "--checkpoints", trained).stdout)
    assert facts["model"] == "gru"
    assert facts["hidden_size"] == 32
    assert facts["vocabulary_size"] == len(facts["vocabulary"])
    assert facts["bits_per_char"] == pytest.approx(facts["val_loss"] * 1.4426950)
    assert facts["val_loss"] == min(record["val_loss"] for record in facts["history"])
    assert facts["step"] > 0


def test_info_shows_file_model_text_and_loss(invoke, trained):
    shown = invoke("info", "poems", "--checkpoints", trained).stdout
    for word in ("best.safetensors", "gru", "parameters", "poems.txt", "bits/char", "6,000"):
        assert word in shown


def test_info_cannot_be_made_to_write_markup_or_escapes(invoke, tmp_path):
    (tmp_path / "odd.txt").write_text("[bold]x[/bold][/nothing] \x1b]0;title\x07 \u202e" * 30)
    invoke("train", "odd.txt", *SMALL)
    shown = invoke("info").stdout
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "[" in shown


@pytest.mark.parametrize("command", ["train", "sample", "info"])
def test_every_command_has_help_with_an_example(invoke, command):
    result = invoke(command, "--help")
    assert result.exit_code == 0
    assert f"Example: charrnn {command}" in result.stdout


def test_no_option_is_without_help(invoke):
    for command in ("train", "sample", "info"):
        for line in invoke(command, "--help", env={"COLUMNS": "200"}).stdout.splitlines():
            if line.startswith("  -"):
                assert re.search(r"\S {2,}\S", line.strip()), line


def test_version_is_that_of_the_package(invoke):
    from charrnn_cli import __version__

    assert invoke("--version").stdout == f"charrnn {__version__}\n"


def test_misspelt_command_is_one_line(invoke):
    one_line_error(invoke("trian"), ExitCode.USAGE)


def test_info_shows_what_the_locale_lacks_as_escapes(tmp_path, charrnn):
    (tmp_path / "t.txt").write_text("ž馬" * 30, "utf-8")
    charrnn("train", "t.txt", "--epochs", "1", "--hidden-size", "8")
    done = charrnn("info", env=os.environ | {"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0, done.stderr
    assert "\\u99ac" in done.stdout
