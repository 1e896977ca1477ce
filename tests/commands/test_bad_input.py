"""What cannot be done is one line that names the thing and the remedy, whatever goes wrong."""

import pytest
from factories import SMALL, make_checkpoint, one_line_error, save_checkpoint

from charrnn_cli.errors import ExitCode


@pytest.fixture
def failing(monkeypatch):
    """Makes `charrnn info` raise an error that nobody foresaw."""

    def fail_with(error):
        def fail(*_):
            raise error

        monkeypatch.setattr("charrnn_cli.checkpoints.finding.find_checkpoint", fail)

    return fail_with


def test_an_error_that_nobody_foresaw_asks_to_be_reported(invoke, failing):
    failing(ZeroDivisionError("never seen"))
    result = invoke("info", "some")
    assert result.exit_code == ExitCode.BUG
    assert result.stdout == ""
    *traceback, words = result.stderr.splitlines()
    assert traceback[0] == "Traceback (most recent call last):"
    assert "ZeroDivisionError: never seen" in traceback
    assert words == "This is a bug in charrnn: please report it with these lines."


def test_memory_that_runs_out_is_one_line(invoke, failing):
    failing(MemoryError())
    line = one_line_error(invoke("info", "some"), ExitCode.OUT_OF_MEMORY)
    assert line.startswith("Error: out of memory. Ask for less")


@pytest.mark.parametrize("words", [["--num-heads", 2], ["--context", 32]])
def test_a_size_that_a_model_does_not_have_is_refused(invoke, rain, words):
    line = one_line_error(invoke("train", rain, "--model", "gru", *words), ExitCode.USAGE)
    assert line == f"Error: {words[0]}: a model of kind gru has none. Leave it out."


def test_a_transformer_is_given_its_context_not_a_window(invoke, rain):
    words = ["--model", "gpt2", "--seq-length", 8]
    line = one_line_error(invoke("train", rain, *words), ExitCode.USAGE)
    assert line.startswith("Error: --seq-length 8: ")
    assert line.endswith("Use --context instead.")


def test_a_text_that_changed_since_the_training_is_not_compared_with(invoke, rain):
    assert invoke("train", rain, *SMALL, "--epochs", 0.1).exit_code == 0
    rain.write_text("another text")
    line = one_line_error(invoke("sample", "--length", 20, "--originality"), ExitCode.TEXT)
    assert line.startswith(f"Error: {rain}: not the text that the model learned")
    assert line.endswith("Give it: --originality TEXT")


def test_a_model_without_its_run_asks_for_the_text_that_it_learned(invoke, tmp_path):
    path = save_checkpoint(tmp_path / "lent.safetensors")
    line = one_line_error(invoke("sample", path, "--originality"), ExitCode.USAGE)
    assert line == (
        f"Error: --originality: {path} does not say where its text is (tiny.txt). "
        "Give it: --originality TEXT"
    )


def test_too_few_characters_have_no_originality(invoke, trained):
    result = invoke("sample", "--checkpoints", trained, "--length", 4, "--originality")
    assert result.exit_code == 0, result.stderr
    assert "originality: fewer than 8 characters were written: too few to tell" in result.stderr


@pytest.mark.parametrize(
    ("unknown", "end"),
    [("vwxyz", " x 1"), ("uvwxyzz", " x 1 and 1 other"), ("tuvwxyzz", " x 1 and 2 others")],
)
def test_a_score_names_the_most_common_unknown_characters(invoke, tmp_path, unknown, end):
    path = save_checkpoint(tmp_path / "m.safetensors", make_checkpoint(vocabulary="ab\n"))
    (tmp_path / "t.txt").write_text("ab" * 20 + unknown)
    shown = invoke("score", "t.txt", "--checkpoint", path, env={"COLUMNS": "400"}).stdout
    named = next(line for line in shown.splitlines() if line.startswith("unknown"))
    names, _ = named.split("; ")
    assert names.endswith(end)
    assert names.count("U+") == 5
    assert ("'z' (U+007A) x 2" in names) == ("zz" in unknown)
