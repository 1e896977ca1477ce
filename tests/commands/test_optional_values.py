"""Options that may stand alone, and the words that follow them."""

import shutil

import pytest
from factories import SMALL, one_line_error

from charrnn_cli.errors import ExitCode


@pytest.fixture
def stopped(trained, text, tmp_path):
    """A run that is complete: a resume says so, and names it."""
    shutil.copytree(trained / "poems", tmp_path / "checkpoints" / "mine")


@pytest.mark.parametrize(
    "words",
    [
        ["--resume"],
        ["--resume", ""],
        ["--resume="],
        ["--resume", "mine"],
        ["--resume=mine"],
        ["--resume", "--quiet"],
        ["--resume", "-q"],
        ["--quiet", "--resume"],
        ["--resume", "--", "poems.txt"],
        ["poems.txt", "--resume"],
        ["poems.txt", "--resume", "mine"],
    ],
    ids=" ".join,
)
def test_resume_takes_a_run_or_stands_alone(invoke, stopped, words):
    line = one_line_error(invoke("train", *words), ExitCode.USAGE)
    assert "run mine is complete" in line


def test_after_resume_a_dash_is_stdin(invoke, stopped, text):
    result = invoke("train", "--resume", "-", input=text.read_text())
    assert "run mine is complete" in one_line_error(result, ExitCode.USAGE)
    result = invoke("train", "--resume", "-", input="another text")
    assert "stdin: not the text of run mine" in one_line_error(result, ExitCode.TEXT)


@pytest.mark.slow
def test_after_two_dashes_a_text_may_be_named_like_an_option(invoke, text, tmp_path):
    text.rename(tmp_path / "--resume")
    assert invoke("train", *SMALL, "--", "--resume").exit_code == 0
    assert (tmp_path / "checkpoints" / "resume" / "best.safetensors").is_file()
