"""`charrnn info --units` as a user meets it: table, coloured text, JSON, picture, errors."""

import contextlib
import dataclasses
import json
import os
import re
import threading

import pytest
from factories import (
    SONNETS,
    dialogue,
    gru_that_minds_quotes,
    make_checkpoint,
    one_line_error,
    save_checkpoint,
)
from terminal import on_terminal

from charrnn_cli.errors import ExitCode
from charrnn_cli.terminal.heatmap import ACTIVATION
from charrnn_cli.units.features import FEATURES
from charrnn_cli.units.probe import MAX_READ, MIN_SPAN
from charrnn_cli.units.report import MOST_LINES, MOST_SHOWN, report_units
from charrnn_cli.units.view import report_lines

pytestmark = pytest.mark.slow  # each test studies a model

SPEECH = dialogue(1200)


@pytest.fixture
def quotes(tmp_path):
    """A folder with a run, `quotes`, whose unit 0:5 follows quotes, and a text full of them."""
    save_checkpoint(tmp_path / "checkpoints/quotes/best.safetensors", gru_that_minds_quotes(5))
    (tmp_path / "speech.txt").write_text(SPEECH, "utf-8")
    return tmp_path


@pytest.fixture
def report(quotes):
    """The report on a text read by that model."""

    def on(text):
        (quotes / "text.txt").write_text(text, "utf-8")
        return report_units(
            quotes / "checkpoints/quotes/best.safetensors", str(quotes / "text.txt")
        )

    return on


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


# what is shown of the text


def test_the_activations_shown_are_those_after_each_character(report):
    excerpt = report(SPEECH).excerpts[0]
    quoted = False
    for character, activation in zip(excerpt.text, excerpt.activations, strict=True):
        quoted = character == "“" or (quoted and character != "”")
        assert activation == pytest.approx(1 if quoted else -1, abs=0.01)


def test_the_part_shown_is_of_the_half_that_was_measured_and_has_whole_lines(tmp_path):
    verse = SONNETS.read_text()[:20_000]
    path = save_checkpoint(
        tmp_path / "c.safetensors", make_checkpoint("gru", 16, 2, vocabulary=verse)
    )
    (tmp_path / "verse.txt").write_text(verse)
    found = report_units(path, str(tmp_path / "verse.txt"))
    assert 1 <= len(found.excerpts) <= MOST_SHOWN
    for excerpt in found.excerpts:
        assert found.study.measured[excerpt.start : excerpt.start + len(excerpt.text)].all()
        assert excerpt.start == 0 or verse[excerpt.start - 1] == "\n"
        assert excerpt.text.endswith("\n")
        assert excerpt.text.count("\n") <= MOST_LINES


def test_a_text_without_line_ends_is_shown_all_the_same(report):
    assert len(report(SPEECH).excerpts[0].text) == MIN_SPAN


def test_a_unit_is_shown_once_with_all_that_it_follows(report):
    for excerpt in report(SPEECH).excerpts:
        same = [
            finding
            for finding in report(SPEECH).study.findings
            if (finding.layer, finding.unit) == (excerpt.finding.layer, excerpt.finding.unit)
        ]
        assert [excerpt.finding, *excerpt.also] == same


def test_the_title_names_what_else_a_unit_has_learned_to_follow(report):
    found = report(SPEECH)
    first = found.excerpts[0]
    others = [
        dataclasses.replace(first.finding, feature=feature, **changes)
        for feature, changes in zip(
            FEATURES,
            [
                {"correlation": -0.6, "chosen_at": -0.6, "untrained": 0.0, "character": 0.0},
                {"correlation": 0.5, "character": 1.0},  # needs no memory
                {"correlation": 0.2, "untrained": 0.0, "character": 0.0},  # too weak to be seen
            ],
            strict=False,
        )
    ]
    excerpt = dataclasses.replace(first, also=tuple(others))
    lines = report_lines(dataclasses.replace(found, excerpts=(excerpt,)), 200, False)
    title = next(line.plain for line in lines if line.plain.startswith("0:5 rises"))
    assert title.endswith(f"+1.00; also {FEATURES[0].name} -0.60")


# the text as the model can read it


def test_unknown_characters_are_read_as_their_nearest_or_left_out_and_said(report):
    found = report(SPEECH.replace("rain", "ráin☃"))
    assert found.characters == len(SPEECH)
    assert len(found.notes) == 1
    assert "'á' (U+00E1) read as 'a', '☃' (U+2603) left out" in found.notes[0]
    assert found.study.findings == report(SPEECH).study.findings


def test_a_text_that_never_ends_is_read_no_further_than_needed(quotes, monkeypatch):
    monkeypatch.setattr("charrnn_cli.units.report.MAX_READ", 5000)
    endless = quotes / "endless"
    os.mkfifo(endless)

    def write():
        with contextlib.suppress(BrokenPipeError), open(endless, "w", encoding="utf-8") as pipe:
            while True:
                pipe.write(SPEECH)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    found = report_units(quotes / "checkpoints/quotes/best.safetensors", str(endless))
    writer.join(30)
    assert not writer.is_alive()
    assert found.characters == 5000


def test_of_a_long_text_the_first_part_is_read_and_that_is_said(report, monkeypatch):
    monkeypatch.setattr("charrnn_cli.units.report.MAX_READ", 5000)
    found = report(SPEECH)
    assert found.notes == ("the first 5,000 characters are read",)
    assert found.characters == 5000
    assert MAX_READ > 5000


# pictures


def test_the_picture_shows_the_same_text_in_the_colours_of_the_scale(quotes, invoke):
    image = pytest.importorskip("matplotlib.image")
    result = invoke("info", "--units", "speech.txt", "--plot", "units.png")
    assert result.exit_code == 0, result.stderr
    assert "0:5" in result.stdout
    pixels = image.imread(quotes / "units.png")
    assert pixels.shape[0] > 300
    shares = []
    for colour in filter(None, ACTIVATION.colours):
        exact = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
        shares.append((abs(pixels[..., :3] * 255 - exact) < 2).all(-1).mean())
    assert sum(share > 0.02 for share in shares) == 2  # the unit has two states, above and below


@pytest.mark.parametrize("kind", ["svg", "pdf"])
def test_the_picture_may_be_of_another_kind(quotes, invoke, kind):
    pytest.importorskip("matplotlib")
    assert invoke("info", "--units", "speech.txt", "--plot", f"units.{kind}").exit_code == 0
    assert (quotes / f"units.{kind}").read_bytes()[:5] in (b"<?xml", b"%PDF-")


# errors


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "0 characters that the model knows; --units needs at least 2,000"),
        ("in spain it rained, it is said " * 40, "characters that the model knows; --units needs"),
        ("☃" * 3000, "0 characters that the model knows"),
        ("\n" * 3000, "nothing that units are compared with changes often enough"),
    ],
)
def test_a_text_that_tells_nothing_is_refused(quotes, invoke, text, words):
    (quotes / "bad.txt").write_text(text, "utf-8")
    said = one_line_error(invoke("info", "--units", "bad.txt"), ExitCode.TEXT)
    assert said.startswith("Error: bad.txt: ")
    assert words in said


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--units", "nowhere.txt"], ExitCode.TEXT),
        (["--units", "."], ExitCode.TEXT),
        (["--units", "checkpoints/quotes/best.safetensors"], ExitCode.TEXT),
        (["--units", "speech.txt", "--plot", "units.bmp"], ExitCode.USAGE),
        (["--units", "speech.txt", "--plot", "nowhere/units.png"], ExitCode.WRITE),
        (["--units", "speech.txt", "--vocabulary"], ExitCode.USAGE),
        (["--units", "speech.txt", "--all"], ExitCode.USAGE),
        (["unknown-run", "--units", "speech.txt"], ExitCode.CHECKPOINT),
    ],
)
def test_what_cannot_be_done_is_one_line(quotes, invoke, words, code):
    one_line_error(invoke("info", *words), code)
