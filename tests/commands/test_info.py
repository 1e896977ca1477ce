"""`charrnn info`, help and version as a user meets them."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest
from factories import NOISE, SMALL, make_checkpoint, one_line_error, save_checkpoint
from rich.cells import cell_len
from terminal import on_terminal, without_styles

from charrnn_cli.errors import ExitCode

pytestmark = pytest.mark.slow  # each test prints a whole page


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


@pytest.mark.parametrize("command", ["train", "sample", "info", "score", "runs"])
def test_every_command_has_help_with_an_example(invoke, command):
    result = invoke(command, "--help")
    assert result.exit_code == 0
    assert f"Example: charrnn {command}" in result.stdout


def test_no_option_is_without_help(invoke):
    for command in ("train", "sample", "info", "score", "runs"):
        for line in invoke(command, "--help", env={"COLUMNS": "200"}).stdout.splitlines():
            if line.startswith("  -"):
                assert re.search(r"\S {2,}\S", line.strip()), line


def test_version_is_that_of_the_package(invoke):
    from charrnn_cli import __version__

    assert invoke("--version").stdout == f"charrnn {__version__}\n"


def test_misspelt_command_is_one_line(invoke):
    one_line_error(invoke("trian"), ExitCode.USAGE)


SCHEMA = {
    "file": str, "bytes": int, "format": int, "model": str, "hidden_size": int, "num_layers": int,
    "dropout": float, "parameters": int, "parts": list, "vocabulary_size": int, "vocabulary": str,
    "categories": dict, "corpus": {"name": str, "characters": int, "sha256": str, "files": int},
    "step": int,
    "epoch": float, "state": str, "finished": bool, "run_step": int, "seconds": float,
    "val_loss": float, "bits_per_char": float, "best_val_loss": float, "best_step": int,
    "marks": {"uniform": float, "unigram": float, "five_gram": float, "counted": int},
    "training": dict, "history": list, "torch": str, "device": str, "threads": int,
}  # fmt: skip
RUN_SCHEMA = {
    "name": str, "file": str, "model": str, "hidden_size": int, "num_layers": int,
    "parameters": int, "corpus": str, "step": int, "epoch": float, "val_loss": float,
    "bits_per_char": float, "best_step": int, "state": str, "saved": float, "error": type(None),
}  # fmt: skip
RESULT_SCHEMA = {
    "run": str, "folder": str, "best": str, "last": str, "reason": str, "model": str,
    "parameters": int, "step": int, "epoch": float, "seconds": float, "val_loss": float,
    "bits_per_char": float, "best_step": int, "marks": SCHEMA["marks"],
}  # fmt: skip


def kinds(value):
    """The types in a JSON object, those of nested objects of known names included."""
    named = ("marks", "corpus")
    return {
        name: kinds(part) if name in named and isinstance(part, dict) else type(part)
        for name, part in value.items()
    }


def test_info_json_is_as_its_schema_says(invoke, trained):
    facts = json.loads(invoke("info", "--json", "--checkpoints", trained).stdout)
    assert kinds(facts) == SCHEMA
    assert set(facts["parts"][0]) == {"name", "parameters", "tensors", "inputs", "outputs"}


def test_the_docs_name_every_field_of_json():
    page = (Path(__file__).parents[2] / "docs/json.md").read_text("utf-8")
    fields = {*SCHEMA, *RUN_SCHEMA, *RESULT_SCHEMA, *SCHEMA["marks"]}
    assert {field for field in fields if f"`{field}`" not in page} == set()


def test_all_lists_the_runs_as_a_table_and_as_json(invoke, trained):
    shown = invoke("info", "--all", "--checkpoints", trained).stdout
    headings, row = shown.splitlines()
    assert headings.split()[:3] == ["run", "model", "parameters"]
    assert row.split()[:3] == ["poems", "gru", "1"]
    listed = json.loads(invoke("info", "--all", "--json", "--checkpoints", trained).stdout)
    assert list(map(kinds, listed["runs"])) == [RUN_SCHEMA]
    assert listed["checkpoints"] == str(trained)


def test_a_damaged_run_ends_no_listing_and_is_explained_on_stderr(invoke, trained, tmp_path):
    shutil.copytree(trained, tmp_path / "runs")
    (tmp_path / "runs" / "bad").mkdir()
    (tmp_path / "runs" / "bad" / "best.safetensors").write_bytes(b"junk")
    result = invoke("info", "--all", "--checkpoints", "runs", "--sort", "name")
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["run", "bad", "poems"]
    assert "damaged" in result.stdout.splitlines()[1]
    assert result.stderr.startswith("runs/bad/best.safetensors: ")
    assert len(result.stderr.splitlines()) == 1


def test_all_of_an_empty_folder_says_how_to_make_a_run(invoke):
    result = invoke("info", "--all")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "charrnn train TEXT" in result.stderr
    assert json.loads(invoke("info", "--all", "--json").stdout)["runs"] == []


@pytest.mark.parametrize(
    "words",
    [["--all", "poems"], ["--all", "--vocabulary"], ["--all", "--plot", "a.png"],
     ["--sort", "loss"], ["--all", "--sort", "size"], ["--json", "--vocabulary"]],
    ids=" ".join,
)  # fmt: skip
def test_options_of_info_that_do_not_go_together_are_one_line(invoke, trained, words):
    one_line_error(invoke("info", "--checkpoints", trained, *words), ExitCode.USAGE)


def test_vocabulary_lists_every_character_escaped(invoke, tmp_path):
    (tmp_path / "odd.txt").write_text("a\x1b\u202e\u0301馬 \n" * 60)
    invoke("train", "odd.txt", *SMALL)
    lines = invoke("info", "--vocabulary").stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == [
        "U+000A", "U+001B", "U+0020", "U+0061", "U+0301", "U+202E", "U+99AC",
    ]  # fmt: skip
    assert "\\x1b" in lines[2]
    assert "\\u202e" in lines[6]
    starts = [cell_len(line[: line.index("(") if n in (1, 2) else line.index(name)])
              for n, (line, name) in enumerate(zip(lines[3:], ("SPACE", "LATIN", "COMBINING",
              "RIGHT-TO-LEFT", "CJK"), strict=True), start=3)]  # fmt: skip
    assert len(set(starts)) == 1  # wide and combining characters keep the columns


def test_the_result_of_a_training_is_one_object_on_stdout(invoke, text):
    result = invoke("train", text, *SMALL, "--json")
    assert result.stdout.count("\n") == 1
    facts = json.loads(result.stdout)
    assert kinds(facts) == RESULT_SCHEMA
    assert facts["reason"] == "complete"
    told = json.loads(invoke("info", "--json").stdout)
    assert {n: facts[n] for n in ("val_loss", "marks", "parameters")} == {
        n: told[n] for n in ("val_loss", "marks", "parameters")
    }
    assert "Best held-out loss" in result.stderr


def test_a_training_that_patience_ends_says_so_in_its_result(invoke, tmp_path):
    (tmp_path / "noise.txt").write_text(NOISE)
    words = ["--epochs", 200, "--patience", 2, "--learning-rate", 0.03, "--hidden-size", 12]
    result = invoke("train", "noise.txt", *words, "--device", "cpu", "--json", "--quiet")
    assert json.loads(result.stdout)["reason"] == "patience"
    assert result.stderr == ""


# on a terminal


@pytest.mark.slow
@pytest.mark.parametrize("columns", [40, 72, 200])
def test_info_fits_the_terminal(trained, columns):
    for words in (["info"], ["info", "--all"]):
        shown, code = on_terminal(*words, "--checkpoints", trained, cwd=trained, columns=columns)
        assert code == 0
        assert max(map(cell_len, without_styles(shown).splitlines())) <= columns


def test_columns_rule_off_a_terminal_too(charrnn, trained):
    words = ["info", "--checkpoints", trained]
    shown = charrnn(*words, env=os.environ | {"COLUMNS": "50"}).stdout
    assert 40 < max(map(cell_len, shown.splitlines())) <= 50


@pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {"NO_COLOR": "1"}], ids=str)
def test_where_colour_is_not_wanted_there_is_none(trained, environment):
    words = ["info", "--checkpoints", trained]
    shown, code = on_terminal(*words, cwd=trained, **environment)
    assert code == 0
    assert not re.search(r"\x1b\[[0-9;]*[34]\d", shown)
    assert "TERM" not in environment or "\x1b" not in shown


def test_what_cannot_show_blocks_gets_ascii_drawings(charrnn, trained):
    words = ["info", "--checkpoints", trained]
    shown = charrnn(*words, env=os.environ | {"PYTHONIOENCODING": "ascii"}).stdout
    drawn = shown.split("Loss, nats per character")[1]
    assert "@ best" in drawn
    assert "####" in drawn
    assert "\\u" not in drawn


def test_info_shows_what_the_locale_lacks_as_escapes(tmp_path, charrnn):
    checkpoint = make_checkpoint(vocabulary="ž馬")
    save_checkpoint(tmp_path / "checkpoints/t/best.safetensors", checkpoint)
    done = charrnn("info", env=os.environ | {"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0, done.stderr
    assert "\\u99ac" in done.stdout
