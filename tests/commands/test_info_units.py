"""`charrnn info --units` on a page or as JSON: the table, and text coloured by units."""

import json
import re

import pytest
from studied import SPEECH
from terminal import on_terminal

pytestmark = pytest.mark.slow  # each test studies a model


def uncoloured(shown: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", shown)


# the table and the text


def test_the_table_has_the_best_unit_first_with_its_figures_and_what_it_follows(quotes, invoke):
    lines = invoke("info", "--units", "speech.txt").stdout.splitlines()
    heading = next(i for i, line in enumerate(lines) if line.split()[:2] == ["unit", "r"])
    unit, r, untrained, character, *feature = lines[heading + 1].split()
    assert (unit, r) == ("0:5", "+1.00")
    assert float(untrained) < 0.9
    assert float(character) < 0.9
    assert " ".join(feature).startswith("double quotes: between double quotes")


def test_what_changes_too_seldom_is_said(quotes, invoke):
    shown = invoke("info", "--units", "speech.txt").stdout
    assert "Left out, as they change too seldom here:" in shown
    assert "indentation" in shown.split("Left out")[1].split(".")[0]


def test_without_colour_marks_stand_below_the_quoted_words(quotes, invoke):
    shown = invoke("info", "--units", "speech.txt", env={"COLUMNS": "80"}).stdout
    assert "\x1b" not in shown
    lines = shown.split("0:5 rises with double quotes")[1].splitlines()[1:]
    text, marks = lines[0], lines[1]
    for character, mark in zip(text, marks.ljust(len(text)), strict=False):
        if character == "“":
            assert mark in "+>"
        elif character == "”":
            assert mark in "-<"
    assert "> = from 1.2" in shown


def test_a_terminal_gets_colours_and_no_line_too_wide(quotes):
    shown, code = on_terminal("info", "--units", "speech.txt", cwd=quotes)
    assert code == 0
    assert re.search(r"\x1b\[[0-9;]*\b(4|10)\d[0-9;]*m[^\x1b]*“", shown)  # sets a background
    assert "\\x1b" not in shown
    assert max(map(len, uncoloured(shown).splitlines())) <= 100


def test_a_narrow_page_loses_nothing_of_the_table(quotes, invoke):
    narrow = invoke("info", "--units", "speech.txt", env={"COLUMNS": "60"}).stdout
    wide = invoke("info", "--units", "speech.txt", env={"COLUMNS": "200"}).stdout
    assert max(map(len, narrow.splitlines())) <= 60
    for words in ("white space: this character is a space, a tab or a newline", "Left out, as"):
        assert words in " ".join(narrow.split())
        assert words in " ".join(wide.split())


def test_text_cannot_command_the_terminal(quotes, invoke):
    (quotes / "speech.txt").write_text(SPEECH.replace("rain", "ra\x1b]0;x\x07"), "utf-8")
    result = invoke("info", "--units", "speech.txt")
    assert result.exit_code == 0
    assert not set("\x1b\x07") & set(result.stdout + result.stderr)


def test_the_text_may_come_through_a_pipe(quotes, invoke):
    given = invoke("info", "--units", "-", input=SPEECH.encode())
    assert given.stdout.replace("stdin", "speech.txt").split() == (
        invoke("info", "--units", "speech.txt").stdout.split()
    )


def test_units_are_shown_without_pytorch(quotes, charrnn):
    (quotes / "torch.py").write_text("raise SystemExit('torch was imported')")
    done = charrnn("info", "--units", "speech.txt")
    assert done.returncode == 0, done.stderr
    assert "0:5" in done.stdout


# JSON


def test_json_has_the_documented_fields(quotes, invoke):
    facts = json.loads(invoke("info", "--units", "speech.txt", "--json").stdout)
    assert facts.keys() == {
        "file", "text", "characters", "notes", "features", "left_out", "shown",
    }  # fmt: skip
    assert facts["file"].endswith("best.safetensors")
    assert (facts["text"], facts["characters"]) == ("speech.txt", len(SPEECH))
    assert facts["features"][0].keys() == {
        "feature", "meaning", "layer", "unit", "correlation", "chosen_at", "untrained",
        "character", "gain", "mean", "deviation",
    }  # fmt: skip
    for feature in facts["features"]:
        assert all(-1 <= feature[name] <= 1 for name in ("correlation", "untrained", "mean"))
    gains = [feature["gain"] for feature in facts["features"]]
    assert gains == sorted(gains, reverse=True)
    shown = facts["shown"][0]
    assert (shown["feature"], shown["layer"], shown["unit"]) == ("double quotes", 0, 5)
    assert SPEECH[shown["start"] :].startswith(shown["text"])
    assert len(shown["activations"]) == len(shown["text"])
