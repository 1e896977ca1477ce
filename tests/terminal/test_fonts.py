"""Fonts for pictures: those installed later are found, and missing ones named."""

import pytest

from charrnn_cli.terminal import fonts
from charrnn_cli.terminal.fonts import font_for, has_glyphs, missing_note

pytestmark = pytest.mark.slow  # matplotlib takes a second to import

HAN = "\u9f98\u9f96"  # dragons: no font of a test machine need have them


def make_font(path, name, characters):
    """A font file that has these characters, each as an empty glyph."""
    from fontTools.fontBuilder import FontBuilder
    from fontTools.ttLib.tables._g_l_y_f import Glyph

    glyphs = [".notdef", *(f"uni{ord(c):04X}" for c in characters)]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(glyphs)
    builder.setupCharacterMap(dict(zip(map(ord, characters), glyphs[1:], strict=True)))
    builder.setupGlyf(dict.fromkeys(glyphs, Glyph()))
    builder.setupHorizontalMetrics(dict.fromkeys(glyphs, (1000, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": name, "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)


@pytest.fixture
def fresh(monkeypatch):
    """Matplotlib's list of fonts, as it is again after the test."""
    from matplotlib.font_manager import fontManager

    monkeypatch.setattr(fontManager, "ttflist", list(fontManager.ttflist))
    caches = (fonts._face, fonts.has_glyphs, fonts._add_new_fonts)
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


def test_a_font_that_was_installed_later_is_used(fresh, tmp_path, monkeypatch):
    from matplotlib import font_manager

    make_font(tmp_path / "new.ttf", "Noto Sans CJK JP", HAN)
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    found = [str(tmp_path / "broken.ttf"), str(tmp_path / "new.ttf")]
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: found)
    assert not has_glyphs("Noto Sans CJK JP", HAN[0])
    assert font_for(HAN[0]) == "Noto Sans CJK JP"


def test_chinese_and_japanese_name_the_package_to_install():
    lines = missing_note("\u6f22\u3080")
    assert lines[0].endswith("stands for 2 characters that no font here has.")
    assert "fonts-noto-cjk" in lines[-1]


def test_other_signs_name_no_package_of_chinese():
    assert missing_note("\U000f0000") == ["\u25a1 stands for 1 characters that no font here has."]
