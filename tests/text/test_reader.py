"""A text read in pieces is the text read whole."""

import gzip
import io
import sys

import pytest
from factories import fuzz
from hypothesis import given
from hypothesis import strategies as st

from charrnn_cli.errors import TextError
from charrnn_cli.text import reader as text_stream
from charrnn_cli.text.reader import TextStream

PARTS = [
    b"\r",
    b"\n",
    b"\r\n",
    "é".encode(),
    "日".encode(),
    b"a",
    b"\xef\xbb\xbf",
    b"\xff",
    b"\xe6",
]


def by_definition(data):
    """The text of these bytes, or what is wrong with them."""
    try:
        text = data.decode("utf-8").removeprefix("\ufeff")
        return text.replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        return f"not UTF-8 text: byte 0x{data[error.start]:02x} at offset {error.start}"


def outcome(stream):
    try:
        return "".join(stream)
    except TextError as error:
        return str(error).removeprefix(f"{stream.name}: ").split(". ")[0]


@fuzz
@given(parts=st.lists(st.sampled_from(PARTS), max_size=14), piece=st.integers(1, 9))
def test_pieces_make_the_text_or_the_error_of_reading_it_whole(tmp_path_factory, parts, piece):
    path, data = tmp_path_factory.getbasetemp() / "pieces.txt", b"".join(parts)
    path.write_bytes(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_stream, "PIECE", piece)
        assert outcome(TextStream(str(path))) == by_definition(data)


def test_a_piece_is_never_more_than_its_size(tmp_path):
    (tmp_path / "long.txt").write_bytes(b"a" * (3 * text_stream.PIECE + 5))
    lengths = [len(piece) for piece in TextStream(str(tmp_path / "long.txt"))]
    assert sum(lengths) == 3 * text_stream.PIECE + 5
    assert max(lengths) <= text_stream.PIECE


def test_it_says_how_much_there_is_and_what_was_changed(tmp_path):
    path = tmp_path / "dos.txt"
    path.write_bytes(b"\xef\xbb\xbfone\r\ntwo\r\n")
    stream = TextStream(str(path))
    assert list(stream) == ["one\ntwo\n"]
    assert stream.size == stream.bytes_read == 13
    assert stream.notes == ("byte-order mark dropped", "CRLF line ends read as LF")


def test_stdin_has_a_name_but_no_size(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"piped")))
    stream = TextStream("-")
    assert list(stream) == ["piped"]
    assert (stream.name, stream.size) == ("stdin", None)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (gzip.compress(b"text", mtime=0), "is a gzip file, not UTF-8 text"),
        ("text".encode("utf-16"), "is UTF-16 text"),
        (b"ab\xe9 cd", "byte 0xe9 at offset 2"),
    ],
)
def test_what_is_not_utf8_is_named(tmp_path, data, message):
    path = tmp_path / "odd.txt"
    path.write_bytes(data)
    with pytest.raises(TextError, match=message):
        list(TextStream(str(path)))
