"""`charrnn info --units`: which part of a text is shown, what is read of it, pictures, errors."""

import contextlib
import dataclasses
import os
import threading

import pytest
from factories import SONNETS, make_checkpoint, one_line_error, save_checkpoint
from studied import SPEECH

from charrnn_cli.errors import ExitCode
from charrnn_cli.terminal.heatmap import ACTIVATION
from charrnn_cli.units.features import FEATURES
from charrnn_cli.units.probe import MAX_READ, MIN_SPAN
from charrnn_cli.units.report import MOST_LINES, MOST_SHOWN, report_units
from charrnn_cli.units.view import report_lines

pytestmark = pytest.mark.slow  # each test studies a model


@pytest.fixture
def report(quotes):
    """The report on a text read by that model."""

    def on(text):
        (quotes / "text.txt").write_text(text, "utf-8")
        return report_units(
            quotes / "checkpoints/quotes/best.safetensors", str(quotes / "text.txt")
        )

    return on


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
