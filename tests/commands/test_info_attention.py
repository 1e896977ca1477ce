"""`charrnn info --attention` as a user meets it: tables, excerpts, JSON, picture, errors."""

import json
import os
import re

import numpy as np
import pytest
from factories import (
    gpt2_that_repeats,
    letters_at_random,
    make_checkpoint,
    one_line_error,
    save_checkpoint,
    with_weights,
)
from terminal import on_terminal, without_styles

from charrnn_cli.attention.report import SHOWN, report_attention
from charrnn_cli.errors import ExitCode
from charrnn_cli.models.registry import build_decoder, untrained_weights

pytestmark = pytest.mark.slow  # each test studies a model

RANDOM = letters_at_random(2200)
FIGURES = ("layer", "head", "weight", "even", "by_distance", "untrained", "chosen_at", "gain")


@pytest.fixture
def repeats(tmp_path):
    """A folder with a run, `repeats`, that has an induction head, and a text of random letters."""
    save_checkpoint(tmp_path / "checkpoints/repeats/best.safetensors", gpt2_that_repeats())
    (tmp_path / "random.txt").write_text(RANDOM)
    return tmp_path


def below(shown, label):
    """The lines with a label in the first excerpt of an induction head."""
    excerpt = shown.split("1:0 follows induction")[1]
    return next(line for line in excerpt.splitlines() if line.startswith(label))[10:]


# the tables and the text


def test_the_table_of_patterns_has_the_best_head_with_its_figures(repeats, invoke):
    lines = invoke("info", "--attention", "random.txt").stdout.splitlines()
    heading = next(i for i, line in enumerate(lines) if line.split()[:2] == ["head", "weight"])
    head, weight, even, untrained, *pattern = lines[heading + 1].split()
    assert (head, weight) == ("0:0", "1.00")
    assert float(even) < 0.1
    assert float(untrained) < 0.2
    assert " ".join(pattern) == "previous character: the one before this"


def test_the_table_of_heads_says_what_each_follows(repeats, invoke):
    shown = invoke("info", "--attention", "random.txt", env={"COLUMNS": "100"}).stdout
    rows = shown.split("All heads")[1].split("follows\n")[1].split("\n\n")[0].splitlines()
    assert [row.split()[0] for row in rows] == ["0:0", "1:0", "0:1", "1:1"]
    assert rows[0].split()[1:] == ["1.0", "1.0", "previous", "character", "1.00"]
    assert rows[3].endswith("nothing found")


def test_what_is_found_in_no_head_is_said(repeats, invoke):
    checkpoint = gpt2_that_repeats()
    fresh = with_weights(checkpoint, untrained_weights(checkpoint.model))
    save_checkpoint(repeats / "checkpoints/fresh/best.safetensors", fresh)
    shown = invoke("info", "fresh", "--attention", "random.txt").stdout
    said = " ".join(shown.split())
    assert re.search(
        r"Nothing found for [^:]*previous character[^:]*: no head is 0.05 above what needs no "
        "learning",
        said,
    )
    assert "head weight even" not in said
    assert "follows nothing that was found" in said


def test_patterns_that_name_too_little_are_said(repeats, invoke):
    said = " ".join(invoke("info", "--attention", "random.txt").stdout.split())
    assert (
        "Left out, as they name too little here: line start, word start, 3-gram induction." in said
    )


def test_below_each_character_stands_the_one_that_the_head_looks_at_most(repeats, invoke):
    shown = invoke("info", "--attention", "random.txt", env={"COLUMNS": "80"}).stdout
    assert "\x1b" not in shown
    report = report_attention(
        repeats / "checkpoints/repeats/best.safetensors", str(repeats / "random.txt")
    )
    (excerpt,) = (e for e in report.excerpts if e.finding.pattern.name == "induction")
    assert below(shown, "text") == excerpt.text
    assert below(shown, "looks at") == "".join(character for _, _, character in excerpt.most)
    checkpoint, (back, weight, character) = gpt2_that_repeats(), excerpt.most[-1]
    end = excerpt.start + len(excerpt.text)
    window = checkpoint.vocabulary.encode(RANDOM[end - 16 : end])
    attention = build_decoder(checkpoint.model, checkpoint.weights).attention(window)[1, 0, -1]
    assert back == 15 - int(np.argmax(attention))
    assert weight == pytest.approx(attention.max(), abs=1e-5)
    assert character == RANDOM[end - 1 - back]


def test_how_far_back_is_a_digit_or_a_plus(repeats, invoke):
    shown = invoke("info", "--attention", "random.txt").stdout
    excerpt = shown.split("0:0 follows previous character")[1]
    back = next(line for line in excerpt.splitlines() if line.startswith("back"))[10:]
    assert set(back[1:]) == {"1"}
    assert re.fullmatch(r"[\d+]+", below(shown, "back"))


def test_a_terminal_gets_colours_and_no_line_of_symbols(repeats):
    shown, code = on_terminal("info", "--attention", "random.txt", cwd=repeats)
    assert code == 0
    excerpt = shown.split("0:0 follows previous character")[1]
    looks_at = next(line for line in excerpt.splitlines() if "looks at" in line)
    assert re.search(r"\x1b\[[0-9;]*\b(4|10)\d[0-9;]*m", looks_at)  # sets a background
    assert not any(line.startswith("weight ") for line in without_styles(excerpt).splitlines())
    assert max(map(len, without_styles(shown).splitlines())) <= 100


@pytest.mark.parametrize("columns", [40, 60, 200])
def test_a_page_of_any_width_loses_nothing(repeats, invoke, columns):
    shown = invoke("info", "--attention", "random.txt", env={"COLUMNS": str(columns)}).stdout
    excerpts = shown.split("0:0 follows")[1]
    rows = [line[10:] for line in excerpts.splitlines() if line.startswith("text ")]
    assert "".join(rows[: -(-16 // (columns - 10))]) in RANDOM
    assert "the character after the last occurrence of this one" in " ".join(shown.split())
    assert max(map(len, shown.splitlines())) <= max(columns, 64)  # the table's narrowest


def test_signs_of_an_ascii_page_are_ascii(repeats, charrnn):
    text = "".join(f"{RANDOM[at : at + 5]}\n " for at in range(0, 2000, 5))
    (repeats / "lines.txt").write_text(text)
    save_checkpoint(
        repeats / "checkpoints/lines/best.safetensors", make_checkpoint("llama", vocabulary=text)
    )
    for encoding, sign in (("ascii", "$"), ("utf-8", "↵")):
        environment = os.environ | {"PYTHONIOENCODING": encoding}
        done = charrnn("info", "lines", "--attention", "lines.txt", env=environment)
        assert done.returncode == 0, done.stderr
        assert sign in done.stdout
        assert "\\u" not in done.stdout


def test_text_of_any_kind_is_shown_and_commands_nothing(repeats, invoke):
    matplotlib = pytest.importorskip("matplotlib")
    text = "漢字\x1b]0;x\x07\t$é\u0301\u200d\u0301 שלום سلام\n" * 120
    (repeats / "odd.txt").write_text(text, "utf-8")
    save_checkpoint(
        repeats / "checkpoints/odd/best.safetensors", make_checkpoint("gpt2", vocabulary=text)
    )
    result = invoke("info", "odd", "--attention", "odd.txt", "--plot", "odd.png")
    assert result.exit_code == 0, result.stderr
    assert not set("\x1b\x07") & set(result.stdout + result.stderr)
    assert matplotlib.image.imread(repeats / "odd.png").shape[0] > 300


def test_the_text_that_heads_read_may_come_through_a_pipe(repeats, invoke):
    given = invoke("info", "--attention", "-", input=RANDOM.encode())
    assert given.stdout.replace("stdin", "random.txt").split() == (
        invoke("info", "--attention", "random.txt").stdout.split()
    )


def test_heads_are_shown_without_pytorch(repeats, charrnn):
    (repeats / "torch.py").write_text("raise SystemExit('torch was imported')")
    done = charrnn("info", "--attention", "random.txt")
    assert done.returncode == 0, done.stderr
    assert "1:0 follows induction" in done.stdout


# JSON


def test_json_has_each_head_and_pattern_with_its_figures(repeats, invoke):
    facts = json.loads(invoke("info", "--attention", "random.txt", "--json").stdout)
    assert facts.keys() == {
        "file", "text", "characters", "notes", "patterns", "heads", "left_out", "shown",
    }  # fmt: skip
    assert facts["characters"] == len(RANDOM)
    assert facts["left_out"] == ["line start", "word start", "3-gram induction"]
    assert facts["patterns"][0]["pattern"] == "previous character"
    assert set(FIGURES) < facts["patterns"][0].keys()
    assert facts["patterns"][0]["by_distance"] is None
    assert {(head["layer"], head["head"]) for head in facts["heads"]} == {
        (0, 0), (0, 1), (1, 0), (1, 1),
    }  # fmt: skip
    for head in facts["heads"]:
        names = {finding["pattern"] for finding in head["patterns"]}
        assert names == {finding["pattern"] for finding in facts["patterns"]}
        assert head["spread"] >= 1


def test_json_has_the_weights_of_each_excerpt(repeats, invoke):
    facts = json.loads(invoke("info", "--attention", "random.txt", "--json").stdout)
    for shown in facts["shown"]:
        size = len(shown["text"])
        assert size == min(SHOWN, 16)
        assert shown["text"] == RANDOM[shown["start"] : shown["start"] + size]
        weights = np.array(shown["weights"])
        assert weights.shape == (size, size)
        np.testing.assert_allclose(weights.sum(1) + shown["before"], 1, atol=0.02)
        for at, back in enumerate(shown["back"]):
            assert shown["looks_at"][at] == RANDOM[shown["start"] + at - back]


# pictures


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_the_picture_is_of_the_kind_of_its_name(repeats, invoke, kind):
    pytest.importorskip("matplotlib")
    result = invoke("info", "--attention", "random.txt", "--plot", f"heads.{kind}")
    assert result.exit_code == 0, result.stderr
    assert "1:0 follows induction" in result.stdout
    begun = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF-"}[kind]
    assert (repeats / f"heads.{kind}").read_bytes().startswith(begun)


def test_the_picture_has_a_heat_map_for_each_excerpt_with_its_characters(repeats):
    pytest.importorskip("matplotlib")
    from charrnn_cli.attention.picture import BEFORE, figure_of

    report = report_attention(
        repeats / "checkpoints/repeats/best.safetensors", str(repeats / "random.txt")
    )
    panels = [axes for axes in figure_of(report).axes if axes.images]
    assert len(panels) == len(report.excerpts) == 3
    for axes, excerpt in zip(panels, report.excerpts, strict=True):
        assert axes.get_title("left").startswith(f"{excerpt.finding.layer}:{excerpt.finding.head}")
        np.testing.assert_array_equal(
            axes.images[0].get_array()[:, BEFORE:].filled(0), np.tril(excerpt.weights)
        )
        labels = [label.get_text() for label in axes.get_yticklabels()]
        assert "".join(labels) == excerpt.text


def test_the_picture_says_how_many_characters_no_font_has(repeats):
    pytest.importorskip("matplotlib")
    from charrnn_cli.attention.picture import figure_of

    text = "a\ue000b\n" * 600  # a private character
    (repeats / "odd.txt").write_text(text, "utf-8")
    odd = save_checkpoint(repeats / "odd.safetensors", make_checkpoint("gpt2", vocabulary=text))
    figure = figure_of(report_attention(odd, str(repeats / "odd.txt")))
    assert figure.get_supxlabel().endswith(" characters that no font here has.")


# the text as the model can read it, and errors


def test_unknown_characters_are_left_out_and_said(repeats, invoke):
    (repeats / "odd.txt").write_text(RANDOM + "☃", "utf-8")
    result = invoke("info", "--attention", "odd.txt")
    assert result.exit_code == 0
    assert "'☃' (U+2603) left out" in result.stderr


def test_of_a_long_text_the_beginning_is_read_and_that_is_said(repeats, invoke, monkeypatch):
    monkeypatch.setattr("charrnn_cli.attention.report.MAX_READ", 2100)
    result = invoke("info", "--attention", "random.txt", "--json")
    assert json.loads(result.stdout)["characters"] == 2100
    assert "the first 2,100 characters are read" in result.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "0 characters that the model knows; --attention needs at least 2,000"),
        ("☃" * 3000, "0 characters that the model knows"),
    ],
)
def test_a_text_that_is_too_short_for_heads_is_refused(repeats, invoke, text, words):
    (repeats / "bad.txt").write_text(text, "utf-8")
    said = one_line_error(invoke("info", "--attention", "bad.txt"), ExitCode.TEXT)
    assert said.startswith("Error: bad.txt: ")
    assert words in said


@pytest.mark.parametrize("text", ["a" * 2500, "\n" * 2500])
def test_a_text_of_one_character_is_no_error(repeats, invoke, text):
    (repeats / "same.txt").write_text(text)
    save_checkpoint(
        repeats / "checkpoints/same/best.safetensors", make_checkpoint("llama", vocabulary="a\n")
    )
    result = invoke("info", "same", "--attention", "same.txt")
    assert result.exit_code == 0, result.stderr


def test_a_recurrent_model_is_studied_by_its_units_and_a_transformer_by_its_heads(repeats, invoke):
    save_checkpoint(repeats / "checkpoints/old/best.safetensors", make_checkpoint("lstm"))
    said = one_line_error(invoke("info", "old", "--attention", "random.txt"), ExitCode.USAGE)
    assert said == "Error: --attention: a model of kind lstm has no heads. Use --units."
    said = one_line_error(invoke("info", "repeats", "--units", "random.txt"), ExitCode.USAGE)
    assert said == "Error: --units: a model of kind gpt2 has no state. Use --attention."


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--attention", "nowhere.txt"], ExitCode.TEXT),
        (["--attention", "."], ExitCode.TEXT),
        (["--attention", "checkpoints/repeats/best.safetensors"], ExitCode.TEXT),
        (["--attention", "random.txt", "--plot", "heads.bmp"], ExitCode.USAGE),
        (["--attention", "random.txt", "--plot", "nowhere/heads.png"], ExitCode.WRITE),
        (["--attention", "random.txt", "--vocabulary"], ExitCode.USAGE),
        (["--attention", "random.txt", "--units", "random.txt"], ExitCode.USAGE),
        (["--attention", "random.txt", "--all"], ExitCode.USAGE),
        (["unknown-run", "--attention", "random.txt"], ExitCode.CHECKPOINT),
    ],
)
def test_what_cannot_be_done_with_heads_is_one_line(repeats, invoke, words, code):
    one_line_error(invoke("info", *words), code)
