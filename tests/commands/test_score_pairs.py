"""`charrnn score` and `charrnn info` of a model of pairs: figures, lines, columns, refusals."""

import importlib.util
import json
import math
from pathlib import Path

import pytest
from factories import one_line_error, save_checkpoint, save_cycle
from pair_files import train_pairs, upper_pairs
from pairs import make_pair_checkpoint

from charrnn_cli.errors import ExitCode
from charrnn_cli.text.pair_format import PairFormat

DATES = Path(__file__).parents[2] / "checkpoints" / "dates" / "best.safetensors"
LINES = "3. Mai 1987\t1987-05-03\n1 June 2001\t2001-06-02\n24.12.1999\t1999-12-24\n"


@pytest.fixture
def score(invoke):
    """Runs `charrnn score` with the shipped model of dates; the second date of `LINES` is wrong."""

    def run(*words, lines=LINES):
        return invoke("score", "-", "--checkpoint", DATES, *words, input=lines)

    return run


def as_json(result):
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_outputs_are_compared_with_targets_by_character_and_by_symbol(score):
    found = as_json(score("--json", "--symbols", "-"))
    assert (found["pairs"], found["exact"], found["scored"]) == (3, 2, 33)
    assert found["exact_matches"] == pytest.approx(2 / 3)
    assert found["character_error_rate"] == pytest.approx(1 / 30)
    assert found["symbol_error_rate"] == pytest.approx(1 / 9)
    assert found["bits_per_char"] == pytest.approx(found["bits"] / 33)
    assert found["loss"] == pytest.approx(found["bits_per_char"] * math.log(2))


def test_the_table_has_the_figures(score):
    shown = score("--symbols", "-").stdout
    assert "exact matches         66.7% (2 of 3)" in shown
    assert "character error rate  3.33%" in shown
    assert "symbol error rate     11.11%" in shown


def test_lines_lists_the_wrong_pairs(score):
    (worst,) = as_json(score("--json", "--lines"))["worst"]
    assert (worst["line"], worst["edits"]) == (2, 1)
    assert (worst["target"], worst["output"]) == ("2001-06-02", "2001-06-01")
    shown = score("--lines").stdout
    assert "1 June 2001 → 2001-06-01   (target: 2001-06-02)" in shown
    assert "24.12.1999 →" not in shown


def test_tsv_has_a_row_per_pair(score):
    heading, *rows = (line.split("\t") for line in score("--tsv").stdout.splitlines())
    assert len(rows) == 3
    second = dict(zip(heading, rows[1], strict=True))
    assert (second["line"], second["exact"], second["edits"]) == ("2", "0", "1")
    assert (second["source"], second["output"]) == ("1 June 2001", "2001-06-01")


@pytest.mark.skipif(not importlib.util.find_spec("sacrebleu"), reason="needs sacrebleu")
def test_chrf_is_that_of_sacrebleu(score):
    right = LINES.replace("06-02", "06-01")
    assert as_json(score("--json", lines=right))["chrf"] == pytest.approx(100)
    assert as_json(score("--json"))["chrf"] < 99


def test_columns_can_be_named(score):
    other = "".join("x\t{1}\t{0}\n".format(*line.split("\t")) for line in LINES.splitlines())
    found = as_json(score("--json", "--source-columns", 3, "--target-column", 2, lines=other))
    assert found["exact"] == 2


def test_a_line_that_is_no_pair_is_refused_by_its_number_or_skipped(score):
    bad = LINES + "no tab\n"
    assert "stdin: line 4: no tab" in one_line_error(score(lines=bad), ExitCode.TEXT)
    found = score("--json", "--skip-bad-lines", lines=bad)
    assert as_json(found)["pairs"] == 3
    assert "1 bad lines skipped" in found.stderr or "1 bad line skipped" in found.stderr


def test_symbols_that_the_model_does_not_know_are_counted(score):
    found = as_json(score("--json", lines="3. Mai 1987 ☺\t1987-05-03\n"))
    assert (found["unknown"], found["pairs"]) == (1, 1)
    assert "1 symbol, read as U+FFFD or left out" in score(lines="☺1.2.2003\t2003-02-01\n").stdout


def test_an_empty_text_between_symbols_is_refused(score):
    line = one_line_error(score("--symbols", ""), ExitCode.USAGE)
    assert "--symbols: is empty. Give the text between symbols, such as ' '" in line


@pytest.mark.parametrize("words", [["--adapt"], ["--with-ngram"], ["--show"], ["--plot", "a.png"]])
def test_what_is_for_texts_is_refused(score, words):
    assert f"{words[0]}: is not for models of pairs" in one_line_error(
        score(*words), ExitCode.USAGE
    )


@pytest.mark.parametrize(
    "words", [["--symbols", " "], ["--target-column", 2], ["--skip-bad-lines"]]
)
def test_what_is_for_pairs_is_refused_with_a_language_model(invoke, tmp_path, words):
    save_cycle(tmp_path / "checkpoints", "abc")
    result = invoke("score", "-", *words, input="abc\n")
    assert f"{words[0]}: is for models of pairs" in one_line_error(result, ExitCode.USAGE)


@pytest.mark.slow
def test_the_held_out_pairs_score_what_their_evaluation_measured(invoke, tmp_path):
    val = upper_pairs(tmp_path / "val.tsv", count=60, seed=2)
    train = upper_pairs(tmp_path / "upper.tsv")
    _, trainer = train_pairs(train, tmp_path / "checkpoints", val_source=str(val), epochs=12)
    best = {r["step"]: r for r in trainer.history}[trainer.progress.best_step]
    found = as_json(invoke("score", val, "--checkpoint", trainer.run.best, "--json"))
    assert found["loss"] == pytest.approx(best["val_loss"], abs=1e-5)
    assert found["exact_matches"] == pytest.approx(best["exact_matches"])
    assert found["character_error_rate"] == pytest.approx(best["character_error_rate"])


def test_info_shows_both_vocabularies_the_lengths_and_the_columns(invoke, tmp_path):
    made = make_pair_checkpoint(features=("PL", "SG"), pair_format=PairFormat(feature_columns=(3,)))
    save_checkpoint(tmp_path / "checkpoints" / "tiny" / "best.safetensors", made)
    pairs = as_json(invoke("info", "tiny", "--json"))["pairs"]
    assert (pairs["source_vocabulary"], pairs["features"]) == ("abcdé", ["PL", "SG"])
    assert (pairs["longest_source"], pairs["feature_columns"]) == (6, [3])
    shown = invoke("info", "tiny").stdout
    assert "source 1, target 2, features 3" in shown
    assert "PL" in shown


def test_info_shows_what_simple_rules_get(invoke):
    assert set(as_json(invoke("info", DATES, "--json"))["marks"]) == {
        "copy", "most_frequent", "target",
    }  # fmt: skip
    shown = invoke("info", DATES).stdout
    assert "copy the source         2.6%" in shown
    assert "The most frequent target is '" in shown
