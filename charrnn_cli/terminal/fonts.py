"""Fonts for pictures: which one has a character, and what to install where none has it."""

import contextlib
import functools
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.ft2font import FT2Font

FONT = "DejaVu Sans Mono"  # a font that comes with matplotlib
TITLE_FONT = "DejaVu Sans"
MISSING = "\u25a1"  # the sign for a character that no font has
# Fonts for characters that FONT lacks, tried in this order if installed.
OTHER_FONTS = (
    TITLE_FONT,
    "Noto Sans Mono CJK JP", "Noto Sans CJK JP", "Noto Sans CJK SC", "Source Han Sans",
    "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "IPAGothic", "IPAexGothic", "VL Gothic",
    "Droid Sans Fallback", "Hiragino Sans", "PingFang SC", "Yu Gothic", "Microsoft YaHei",
    "Malgun Gothic", "Arial Unicode MS", "Noto Sans", "Noto Sans Symbols2", "Noto Emoji",
    "Symbola", "Segoe UI Symbol", "Apple Symbols",
)  # fmt: skip
# The beginnings of the Unicode names of Chinese, Japanese and Korean characters.
CJK_NAMES = ("CJK ", "HIRAGANA ", "KATAKANA", "HANGUL ", "IDEOGRAPHIC ", "FULLWIDTH ")
CJK_PACKAGES = "fonts-noto-cjk (Debian, Ubuntu), google-noto-sans-cjk-fonts (Fedora)"


def drawable(text: str) -> str:
    """The text with characters that the titles' font lacks replaced by `MISSING`."""
    return "".join(c if has_glyphs(TITLE_FONT, c) else MISSING for c in text)


def font_for(text: str) -> str | None:
    """The first font that can draw a cell's characters, None if none can."""
    fonts = (FONT, *OTHER_FONTS)
    found = next((font for font in fonts if has_glyphs(font, text)), None)
    if found is None and _add_new_fonts():
        found = next((font for font in fonts if has_glyphs(font, text)), None)
    return found


def missing_note(characters: str) -> list[str]:
    """The lines of a note for a picture on the characters in it that no font has; each counts."""
    note = [f"{MISSING} stands for {len(characters)} characters that no font here has."]
    if any(unicodedata.name(c, "").startswith(CJK_NAMES) for c in characters):
        note += ["For Chinese, Japanese and Korean install a font:", f"{CJK_PACKAGES}."]
    return note


@functools.cache
def has_glyphs(font: str, text: str) -> bool:
    """Whether a font, given by its family's name, is there and can draw all of a text."""
    face = _face(font)
    # joiners and variation selectors need no glyph
    needed = (c for c in text if unicodedata.category(c) != "Cf" and not _is_selector(c))
    return face is not None and all(face.get_char_index(ord(c)) for c in needed)


def _is_selector(character: str) -> bool:
    return "\ufe00" <= character <= "\ufe0f"


@functools.cache
def _face(font: str) -> "FT2Font | None":
    """A font by its family's name, None if it is not installed."""
    from matplotlib import font_manager

    entries = [entry for entry in font_manager.fontManager.ttflist if entry.name == font]
    return font_manager.get_font(entries[0].fname) if entries else None


@functools.cache
def _add_new_fonts() -> bool:
    """Whether fonts were found that matplotlib does not know: it keeps a list of its own, in which
    those that were installed later are missing. Looked for once."""
    from matplotlib import font_manager

    known = {entry.fname for entry in font_manager.fontManager.ttflist}
    new = [path for path in font_manager.findSystemFonts() if path not in known]
    for path in new:
        with contextlib.suppress(Exception):  # a file that is no font, or one that is damaged
            font_manager.fontManager.addfont(path)
    if new:
        _face.cache_clear()
        has_glyphs.cache_clear()
    return bool(new)
