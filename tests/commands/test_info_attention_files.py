"""`charrnn info --attention` in JSON and pictures, and of texts that cannot be studied."""

import json

import numpy as np
import pytest
from factories import make_checkpoint, one_line_error, save_checkpoint
from studied import RANDOM

from charrnn_cli.attention.report import SHOWN, report_attention
from charrnn_cli.errors import ExitCode

pytestmark = pytest.mark.slow  # each test studies a model
FIGURES = ("layer", "head", "weight", "even", "by_distance", "untrained", "chosen_at", "gain")


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
