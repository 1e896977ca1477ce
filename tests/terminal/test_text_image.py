"""A coloured text as a picture: its data, its texts, its files."""

import sys
import warnings

import numpy as np
import pytest

from charrnn_cli.errors import UsageError, WriteError
from charrnn_cli.terminal.fonts import MISSING
from charrnn_cli.terminal.heatmap import SURPRISAL, rows
from charrnn_cli.terminal.text_image import MOST_ROWS, Row, check_picture, draw_page, page

BYTES = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}


def page_of(text, values=None, label="1", title="a title"):
    values = [0.0] * len(text) if values is None else values
    shown = [Row(label, cells) for cells in rows(text, values, 80)]
    return page(shown, SURPRISAL, title).axes[0]


def strings(axes):
    return [text.get_text() for text in axes.texts]


def levels(axes):
    return axes.collections[0].get_array()


@pytest.mark.parametrize("kind", list(BYTES))
def test_a_picture_is_a_file_of_its_kind(tmp_path, kind):
    path = tmp_path / f"page.{kind}"
    draw_page(path, [Row("1", next(rows("some text", [3.0] * 9, 80)))], SURPRISAL, "title")
    assert path.read_bytes().startswith(BYTES[kind])


def test_a_png_is_not_blank(tmp_path):
    from matplotlib.image import imread

    draw_page(tmp_path / "a.png", [Row("1", next(rows("ab", [9, 3], 80)))], SURPRISAL, "title")
    pixels = imread(tmp_path / "a.png")[..., :3].reshape(-1, 3)
    for level in (4, 1):  # 9 bits and 3
        colour = [int(SURPRISAL.colours[level][at : at + 2], 16) / 255 for at in (1, 3, 5)]
        assert (np.abs(pixels - colour).max(-1) < 0.02).sum() > 50


def test_colours_lie_behind_their_characters():
    shown = levels(page_of("ab日c\nd", [0, 3, 9, 5, 0, 13]))
    assert shown[0].filled(0)[:6].tolist() == [0, 1, 4, 4, 2, 0]
    assert shown[1].filled(0)[:2].tolist() == [5, 0]


def test_text_is_drawn_in_columns_whatever_its_ink():
    axes = page_of("the cat", [0, 0, 0, 0, 9, 9, 0])
    assert sorted(filter(None, strings(axes))) == ["    ca", "the   t"]
    assert {text.get_position()[0] for text in axes.texts} == {0}


def test_the_margin_has_the_labels():
    axes = page_of("a\nb", label="12  2.31")
    assert [label.get_text() for label in axes.get_yticklabels()] == ["12  2.31"] * 2
    assert axes.get_yticks().tolist() == [0.5, 1.5]


def test_the_legend_names_every_level():
    legend = page_of("a").get_legend()
    assert legend.get_title().get_text() == "bits"
    assert [text.get_text() for text in legend.get_texts()] == SURPRISAL.names()


def test_dollars_and_brackets_are_drawn_as_they_are():
    axes = page_of("$x$ [b]", title="$x$")
    assert "$x$ [b]" in strings(axes)
    assert not axes.texts[0].get_parse_math()
    assert axes.get_title(loc="left") == "$x$"


def test_what_no_font_has_is_a_box_and_counted(tmp_path):
    text = "a\U000f0000\U000f0001"  # private: no font has them
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn = [Row("", next(rows(text, [0.0] * 3, 80)))]
        draw_page(tmp_path / "a.png", drawn, SURPRISAL, f"title {text}")
    axes = page_of(text)
    assert strings(axes).count(MISSING) == 2
    assert strings(axes)[-1] == f"{MISSING} stands for 2 characters that no font here has."


def test_right_to_left_characters_stay_in_their_columns():
    axes = page_of("aשבb")
    assert [text.get_position()[0] for text in axes.texts if text.get_text() in "שב"][:2] == [
        1.5,
        2.5,
    ]


def test_a_long_text_is_cut_with_a_note():
    axes = page_of("a\n" * (MOST_ROWS + 1))
    assert levels(axes).shape[0] == MOST_ROWS
    assert strings(axes)[-1].startswith(f"The text goes on: these are its first {MOST_ROWS} rows.")


def test_a_text_that_fits_has_no_note():
    assert strings(page_of("a\n" * MOST_ROWS))[-1] == ""


def test_other_formats_are_refused(tmp_path):
    with pytest.raises(UsageError, match=r"page\.gif: must end in \.png, \.svg or \.pdf\."):
        check_picture(tmp_path / "page.gif")


def test_a_missing_matplotlib_is_named_with_its_remedy(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UsageError, match=r"pip install matplotlib"):
        check_picture(tmp_path / "page.png")


def test_a_picture_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(WriteError, match=r"nowhere.*cannot be written: there is no such folder"):
        draw_page(tmp_path / "nowhere" / "page.png", [], SURPRISAL, "title")
