"""Where models of pairs, of lists and of texts meet."""

import json

import pytest
from factories import one_line_error

import charrnn_cli
from charrnn_cli.errors import ExitCode, UsageError

pytestmark = pytest.mark.xdist_group("kinds")  # they are trained once

ROWS = [f"{a}{b}{c}\t{c}{b}{a}\n" for a in "abcd" for b in "efgh" for c in "ijkl"]
SMALL = ("--hidden-size", 8, "--epochs", 1, "--threads", 1, "--device", "cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    where = tmp_path_factory.mktemp("kinds")
    (where / "pairs.tsv").write_text("".join(ROWS))
    (where / "val.tsv").write_text("".join(ROWS[::7]))
    (where / "names.txt").write_text("".join(row[:3] + "\n" for row in ROWS))
    (where / "text.txt").write_text("".join(ROWS).replace("\t", " "))
    return where


@pytest.fixture(scope="module")
def runs(folder):
    """Runs of each kind, by name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, data, options in (
            ("of-pairs", "pairs.tsv", ["--pairs", "--val-text", "val.tsv"]),
            ("of-names", "names.txt", ["--lines"]),
            ("of-text", "text.txt", []),
        ):
            run_once("train", data, "--name", name, *options, *SMALL, "--quiet")
    return folder / "checkpoints"


def run_once(*words):
    from typer.testing import CliRunner

    from charrnn_cli.cli import app

    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output


@pytest.fixture(autouse=True)
def there(folder, invoke, monkeypatch):
    monkeypatch.chdir(folder)


def test_models_of_two_kinds_are_not_compared(invoke, runs):
    result = invoke("score", "of-text", "of-pairs", "text.txt")
    assert "Score one kind at a time" in one_line_error(result, ExitCode.USAGE)


def test_a_list_scores_in_python_as_in_the_command(invoke, runs):
    text = (runs.parent / "names.txt").read_text()
    scored = json.loads(invoke("score", "names.txt", "--checkpoint", "of-names", "--json").stdout)
    model = charrnn_cli.load("of-names")
    assert model.score(text).bits_per_char == pytest.approx(scored["bits_per_char"])


@pytest.mark.slow
def test_a_resume_of_pairs_takes_another_place_of_its_held_out_file(invoke, runs, folder):
    (folder / "val.tsv").rename(folder / "moved.tsv")
    try:
        words = ["--resume", "of-pairs", "--epochs", 2, "--val-text", "moved.tsv", "--quiet"]
        assert invoke("train", *words).exit_code == 0
    finally:
        (folder / "moved.tsv").rename(folder / "val.tsv")


@pytest.mark.parametrize(
    "option", [["--lines"], ["--normalize", "NFC"]], ids=lambda words: words[0]
)
def test_options_for_texts_are_refused_with_pairs(invoke, option):
    line = one_line_error(invoke("train", "pairs.tsv", "--pairs", *option), ExitCode.USAGE)
    assert f"{option[0]}: is for texts, not for pairs" in line


def test_a_second_file_of_pairs_is_refused(invoke):
    line = one_line_error(invoke("train", "pairs.tsv", "val.tsv", "--pairs"), ExitCode.TEXT)
    assert "pairs are read from one file" in line


def test_info_counts_both_sides_of_the_pairs_that_were_trained_on(invoke, runs):
    facts = json.loads(invoke("info", "of-pairs", "--json").stdout)
    counted = facts["pairs"]["source_symbols"], facts["pairs"]["target_characters"]
    assert counted == (3 * len(ROWS), 3 * len(ROWS))  # the held-out ones are of another file
    row = "pairs.tsv, 192 characters in sources and 192 characters in targets to train on"
    assert row in " ".join(invoke("info", "of-pairs").stdout.split())


def test_a_single_text_is_no_list_of_lines_to_translate(runs):
    with pytest.raises(UsageError, match=r"Give \[line\] for a single one"):
        charrnn_cli.load("of-pairs").translate("abc")


def test_new_items_cut_short_stand_on_lines_of_their_own(invoke, runs):
    words = ["of-names", "--new", "--num-samples", 3, "--length", 2, "--random-seed", 1]
    shown = invoke("sample", *words).stdout
    assert len(shown.splitlines()) == 3


def test_new_and_skip_copied_exclude_each_other(invoke, runs):
    result = invoke("sample", "of-names", "--new", "--skip-copied")
    assert "exclude each other" in one_line_error(result, ExitCode.USAGE)


def test_a_resume_to_fewer_epochs_than_done_says_where_the_run_is(invoke, runs):
    result = invoke("train", "--resume", "of-text", "--epochs", 0.5)
    assert "Give it more: --epochs" in one_line_error(result, ExitCode.USAGE)


def test_a_whole_run_is_deleted(invoke, folder):
    assert invoke("train", "text.txt", "--name", "gone", *SMALL).exit_code == 0
    assert (folder / "checkpoints/gone/samples.jsonl").is_file()
    assert invoke("runs", "delete", "gone", "--yes").exit_code == 0
    assert not (folder / "checkpoints/gone").exists()


def test_a_list_is_drawn_in_so_many_lines_as_samples_may_be(invoke, runs):
    result = invoke("sample", "of-names", "--lines", 200_000)
    assert "at most 100,000" in one_line_error(result, ExitCode.USAGE)


@pytest.mark.slow
def test_runs_that_held_out_other_parts_are_noted_when_compared(invoke, runs, folder):
    words = ["text.txt", "--name", "other", "--val-text", "val.tsv", *SMALL, "--quiet"]
    assert invoke("train", *words).exit_code == 0
    said = invoke("runs", "compare", "of-text", "other").stderr
    assert "held out another part" in " ".join(said.split())
