"""The commands in messages work where they are printed."""

import os
import sys
from pathlib import Path

import pytest
from terminal import on_terminal, without_styles

from charrnn_cli.__main__ import app
from charrnn_cli.terminal.program import COMMANDS, program, with_program


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Starts the program as a file of `tmp_path`, the folder that the user is in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    def started(path):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("#!/bin/sh\n")
        file.chmod(0o755)
        monkeypatch.setattr(sys, "argv", [path])

    return started


def test_a_program_started_by_its_path_is_named_so(start):
    start(".venv/bin/charrnn")
    assert program() == ".venv/bin/charrnn"
    assert with_program("Go on: charrnn train --resume") == (
        "Go on: .venv/bin/charrnn train --resume"
    )


def test_where_a_shell_finds_it_it_is_named_charrnn(start):
    start("bin/charrnn")
    assert program() == "charrnn"


def test_other_words_stay_as_they_are(start):
    start(".venv/bin/charrnn")
    text = (
        "charrnn trains models; charrnn_cli train; /opt/charrnn train; charrnn. It is charrnn info"
    )
    assert with_program(text) == text.replace("is charrnn", "is .venv/bin/charrnn")


def test_every_command_is_known_as_one():
    names = {command.name or command.callback.__name__ for command in app.registered_commands}
    assert names <= set(COMMANDS)


def test_a_module_without_its_program_is_named_as_it_was_started(tmp_path, monkeypatch):
    package = Path(__file__).parents[2] / "charrnn_cli"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", [str(package / "__main__.py")])
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python3"))
    assert program() == "python3 -m charrnn_cli"


@pytest.mark.slow
@pytest.mark.parametrize("columns", [40, 80])
def test_a_training_wraps_between_words_and_never_inside_a_command(text, columns):
    words = ["--epochs", "2", "--hidden-size", "16", "--threads", "1", "--no-preview"]
    shown, code = on_terminal("train", text.name, *words, cwd=text.parent, columns=columns)
    assert code == 0
    rows = without_styles(shown).replace("\r\n", "\n").split("\r")[-1].splitlines()
    prose = [row for row in rows if row and not row.startswith(("charrnn", "checkpoints"))]
    before_sample = prose[: prose.index("A sample:")]
    assert max(map(len, before_sample)) < columns
    whole = [row for row in rows if "charrnn train --resume poems --epochs 4" in row]
    more = [row for row in rows if row.endswith("charrnn sample poems")]
    assert (len(whole), len(more)) == (1, 1)
    assert os.path.isfile(text.parent / "checkpoints/poems/best.safetensors")
