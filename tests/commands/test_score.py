"""`charrnn score` as a user meets it: figures, lines, colours, pictures, errors."""

import json
import math
import re
from pathlib import Path

import pytest
from factories import one_line_error, save_cycle

from charrnn_cli.checkpoints.checkpoint import load
from charrnn_cli.errors import ExitCode
from charrnn_cli.scoring import scorer

FIGURES = {
    "text": str, "checkpoint": str, "characters": int, "lines": int, "bytes": int, "scored": int,
    "loss": float, "bits_per_char": float, "perplexity": float, "bits": float, "unknown": int,
    "unknown_bits": float, "unknown_cost": float, "unknown_characters": dict,
    "known_bits_per_char": float, "val_loss": float, "trained_on": bool, "static": type(None),
    "adapted": type(None),
}  # fmt: skip
LINE = {
    "line": int, "characters": int, "unknown": int, "bits": float, "bits_per_char": float,
    "text": str,
}  # fmt: skip


def kinds(record):
    return {name: type(value) for name, value in record.items()}


def scored(invoke, text, *words):
    """What the command prints of this text, as JSON."""
    result = invoke("score", "-", "--json", *words, input=text)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


# figures


def test_json_has_the_documented_figures(invoke, trained):
    record = scored(invoke, "Shall I\ncompare", "--checkpoints", trained)
    assert kinds(record) == FIGURES
    assert (record["characters"], record["lines"], record["scored"]) == (15, 2, 14)
    assert record["loss"] == pytest.approx(record["bits_per_char"] * math.log(2))


def test_the_held_out_part_scores_its_held_out_loss(invoke, trained):
    text = (trained.parent / "poems.txt").read_text()
    held_out = text[len(text) - round(len(text) * 0.1) :]
    record = scored(invoke, held_out, "--checkpoints", trained)
    assert record["loss"] == pytest.approx(record["val_loss"], abs=1e-5)
    assert record["val_loss"] == load(trained / "poems" / "best.safetensors").val_loss


def test_the_text_that_the_model_was_trained_on_is_named_as_such(invoke, trained):
    poems = str(trained.parent / "poems.txt")
    table = invoke("score", poems, "--checkpoints", trained).stdout
    assert "it was trained on this very text" in table
    assert "for comparison" not in table
    both = invoke("score", poems, *["--checkpoint", "poems"] * 2, "--checkpoints", trained).stdout
    assert both.count("trained on this very text") == 2
    assert scored(invoke, Path(poems).read_text(), "--checkpoints", trained)["trained_on"]
    assert not scored(invoke, "Shall I compare", "--checkpoints", trained)["trained_on"]


def test_a_text_that_the_model_knows_by_heart_costs_little(invoke, letters):
    assert scored(invoke, "abcd\nabcd\n")["bits_per_char"] < 0.01
    assert scored(invoke, "dcba\ndcba\n")["bits_per_char"] > 10


def test_unknown_characters_are_counted_with_their_cost(invoke, letters):
    record = scored(invoke, "abcdé日日\n")
    assert record["unknown"] == 3
    assert record["unknown_characters"] == {"日": 2, "é": 1}
    assert record["unknown_bits"] == pytest.approx(3 * record["unknown_cost"])
    assert record["bits"] == pytest.approx(
        record["unknown_bits"] + record["known_bits_per_char"] * (record["scored"] - 3)
    )


def test_a_long_text_in_blocks_scores_as_in_one(invoke, letters, monkeypatch):
    text = "abcd\nbca\n" * 300
    whole = scored(invoke, text)
    monkeypatch.setattr(scorer, "BLOCK", 100)
    monkeypatch.setattr("charrnn_cli.text.reader.PIECE", 64)
    pieces = scored(invoke, text)
    assert pieces["bits"] == pytest.approx(whole["bits"], rel=1e-5)
    assert pieces["lines"] == whole["lines"] == 600


def test_the_table_says_it_in_words(invoke, letters):
    shown = invoke("score", "-", input="abcd\nabéd\n").stdout
    for words in (
        "stdin, 10 characters in 2 lines",
        "bits/char",
        "nats, perplexity",
        "1 character, 30.",
    ):
        assert words in shown
    assert "'é' (U+00E9) x 1" in shown


def test_bom_and_crlf_are_noted_on_stderr(invoke, letters):
    result = invoke("score", "-", "--json", input=b"\xef\xbb\xbfab\r\ncd")
    assert json.loads(result.stdout)["characters"] == 5
    assert result.stderr.splitlines() == [
        "Note: byte-order mark dropped.", "Note: CRLF line ends read as LF.",
    ]  # fmt: skip
    assert invoke("score", "-", "-q", input=b"ab\r\ncd").stderr == ""


def test_adapt_tells_both_figures_and_learns(invoke, trained):
    record = scored(invoke, "so it goes on and on " * 60, "--adapt", "--checkpoints", trained)
    assert record["adapted"]["bits_per_char"] == record["bits_per_char"]
    assert record["static"]["loss"] > record["adapted"]["loss"] + 0.3
    shown = invoke(
        "score", "-", "--adapt", "--checkpoints", trained, input="on and on " * 60
    ).stdout
    assert re.search(r"learning as it reads +gains \d\.\d+ bits/char; without it \d", shown)


REFRAIN = "so it goes on and on, said he\n" * 40


@pytest.mark.parametrize("adapt", [(), pytest.param(("--adapt",), marks=pytest.mark.slow)])
def test_with_ngram_adds_a_figure_and_changes_no_other(invoke, trained, adapt):
    plain = scored(invoke, REFRAIN, *adapt, "--checkpoints", trained)
    record = scored(invoke, REFRAIN, "--with-ngram", *adapt, "--checkpoints", trained)
    beside = record.pop("with_ngram")
    assert record == plain
    assert kinds(beside) == {"bits_per_char": float, "loss": float, "ngram_alone": float}
    assert beside["bits_per_char"] < plain["bits_per_char"] - 0.5


def test_with_ngram_is_a_row_of_the_table_and_of_a_comparison(invoke, trained):
    options = ("--with-ngram", "--checkpoints", trained)
    table = invoke("score", "-", *options, input=REFRAIN).stdout
    assert re.search(r"with an n-gram +\d\.\d+ bits/char, gains \d\.\d+; n-grams", table)
    both = invoke("score", "poems", "poems", "-", *options, input=REFRAIN).stdout
    assert both.count(", with an n-gram ") == 2


def test_with_ngram_an_unknown_character_costs_as_much_as_without(invoke, trained):
    text = "so it goes 雨 " * 30
    record = scored(invoke, text, "--with-ngram", "--checkpoints", trained)
    unknown = record["unknown_bits"] / record["scored"]
    assert unknown < record["with_ngram"]["bits_per_char"] < record["bits_per_char"] - 0.5


def test_with_ngram_and_tsv_exclude_each_other(invoke, trained):
    result = invoke("score", "-", "--with-ngram", "--tsv", "--checkpoints", trained, input="so it")
    assert "--with-ngram" in one_line_error(result, ExitCode.USAGE)


def test_adapt_leaves_the_checkpoint_as_it_is(invoke, trained):
    file = trained / "poems" / "best.safetensors"
    before = file.read_bytes()
    scored(invoke, "on and on " * 30, "--adapt", "--checkpoints", trained)
    assert file.read_bytes() == before


def test_of_several_models_the_best_comes_first(invoke, letters):
    save_cycle(letters / "other", "dcba\n")
    models = ["--checkpoint", "cycle", "--checkpoint", letters / "other" / "cycle"]
    first, second = invoke("score", "-", *models, input="dcba\n" * 9).stdout.splitlines()
    assert "other" in first
    assert first.endswith("fits best")
    assert second.startswith("cycle ")
    result = invoke("score", "-", "--json", *models, input="dcba\n" * 9)
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert ["other" in record["checkpoint"] for record in records] == [False, True]


def test_an_odd_line_is_the_most_surprising(invoke, letters):
    text = "abcd\n" * 20 + "adbc\n" + "abcd\n" * 20
    record = scored(invoke, text, "--lines", "2")
    assert kinds(record) == FIGURES | {"most_surprising": list, "least_surprising": list}
    assert kinds(record["most_surprising"][0]) == LINE
    assert record["most_surprising"][0]["line"] == 21
    assert record["most_surprising"][0]["text"] == "adbc"
    assert len(record["least_surprising"]) == 2


# errors


@pytest.mark.parametrize(
    ("words", "text", "code", "part"),
    [
        ((), b"", ExitCode.TEXT, "stdin: the text is empty"),
        ((), b"a", ExitCode.TEXT, "1 character; scoring needs at least 2"),
        ((), b"ab\xff", ExitCode.TEXT, "byte 0xff at offset 2"),
        (("--checkpoint", "nix"), b"ab", ExitCode.CHECKPOINT, "no run or file 'nix'"),
        (("--json", "--tsv"), b"ab", ExitCode.USAGE, "--json and --tsv exclude each other"),
        (("--tsv", "--show"), b"ab", ExitCode.USAGE, "--tsv and --show exclude each other"),
        (("--lines", "0"), b"ab", ExitCode.USAGE, "--lines 0: must be a number of lines"),
        (("--plot", "a.gif"), b"ab", ExitCode.USAGE, "must end in .png, .svg or .pdf"),
        (("--device", "tpu"), b"ab", ExitCode.USAGE, "--device tpu"),
        (
            ("--checkpoint", "cycle", "--checkpoint", "cycle", "--lines"),
            b"ab",
            ExitCode.USAGE,
            "Give one --checkpoint",
        ),
    ],
)
def test_what_cannot_be_done_is_one_line(invoke, letters, words, text, code, part):
    assert part in one_line_error(invoke("score", "-", *words, input=text), code)


def test_a_missing_file_is_one_line(invoke, letters):
    assert "nowhere.txt: no such file" in one_line_error(
        invoke("score", "nowhere.txt"), ExitCode.TEXT
    )


# the model before the text


def test_models_may_be_named_before_the_text(invoke, trained):
    named = invoke("score", "poems", "-", "--checkpoints", trained, "--json", input="Shall I")
    option = ["--checkpoint", "poems", "--checkpoints", trained]
    assert named.stdout == invoke("score", "-", *option, "--json", input="Shall I").stdout
    both = invoke("score", "poems", "sonnets", "-", "--checkpoints", trained, input="Shall I")
    assert {line.split()[0] for line in both.stdout.splitlines()} == {"poems", "sonnets"}


def test_a_file_with_the_name_of_a_run_is_a_text(invoke, trained, tmp_path):
    (tmp_path / "poems").write_text("Shall I compare")
    record = json.loads(invoke("score", "poems", "--checkpoints", trained, "--json").stdout)
    assert record["text"] == "poems"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["poems"], "Name it before the text: charrnn score poems TEXT"),
        (["a.txt", "poems"], "Name it before the text: charrnn score poems a.txt"),
        (
            ["poesm", "a.txt"],
            "is neither a file nor the name of a run or model. Did you mean poems?",
        ),
    ],
)
def test_what_is_no_model_and_a_text_is_explained(invoke, trained, words, message):
    result = invoke("score", *words, "--checkpoints", trained)
    assert message in one_line_error(result, ExitCode.USAGE)
