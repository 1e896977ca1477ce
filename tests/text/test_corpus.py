"""Texts: read whatever their bytes, refused with a remedy, split for measuring."""

import gzip
import hashlib
import io
import os
import re
import sys
import threading
import zipfile

import numpy as np
import pytest
from factories import SONNETS, corpus_of, fuzz
from hypothesis import given
from hypothesis import strategies as st

from charrnn_cli.errors import TextError
from charrnn_cli.text import reader as text_stream
from charrnn_cli.text.corpus import MIN_HELD_OUT, MIN_TRAIN, characters_needed, read_corpus
from charrnn_cli.text.reader import read_text

# the sonnets that come with the project


@pytest.fixture(scope="module")
def sonnets() -> str:
    return SONNETS.read_bytes().decode("ascii")


def test_the_sonnets_are_154_of_14_verses_but_for_two(sonnets):
    lengths = [len(sonnet.splitlines()) for sonnet in sonnets.split("\n\n")]
    assert len(lengths) == 154
    assert {n: length for n, length in enumerate(lengths, 1) if length != 14} == {99: 15, 126: 12}
    assert sum(lengths) == 2155


def test_the_sonnets_are_93763_characters_61_distinct(sonnets):
    assert (len(sonnets), len(set(sonnets))) == (93_763, 61)


def test_the_sonnets_are_verse_only(sonnets):
    assert not re.search(r"[0-9\t\r]", sonnets)
    assert not re.search(r"^ | $|\n\n\n|^[IVXLC]+\.?$", sonnets, re.MULTILINE)
    assert sonnets.startswith("From fairest creatures")
    assert sonnets.endswith("water cools not love.\n")


def test_the_sonnets_are_read_unchanged(sonnets):
    corpus = read_corpus(str(SONNETS))
    assert corpus.vocabulary.decode(corpus.ids) == sonnets
    assert corpus.ids.dtype == np.uint8
    assert corpus.notes == ()
    assert corpus.path == corpus.name == str(SONNETS)


# reading


@pytest.fixture
def file(tmp_path):
    """Writes bytes to a file and gives its path as a string."""

    def write(data: bytes) -> str:
        path = tmp_path / "text.txt"
        path.write_bytes(data)
        return str(path)

    return write


@pytest.mark.parametrize("chunk", range(1, 12))
def test_a_character_cut_by_a_chunk_edge_is_read_whole(file, monkeypatch, chunk):
    text = "aé€😀b\n€😀é" * 3
    path = file(text.encode())
    monkeypatch.setattr(text_stream, "PIECE", chunk)
    corpus = read_corpus(path)
    assert corpus.vocabulary.decode(corpus.ids) == read_text(path) == text


@fuzz
@given(
    text=st.text(st.characters(exclude_categories=["Cs"]), min_size=2).filter(
        lambda text: (
            len(set(text.replace("\r\n", "\n").removeprefix("\ufeff"))) > 1
            and text.count("\0") * 8 < len(text)
        )
    ),
    piece=st.integers(1, 9),
)
def test_any_text_is_encoded_as_its_definition_says(tmp_path_factory, text, piece):
    path = tmp_path_factory.getbasetemp() / "defined.txt"
    path.write_bytes(text.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_stream, "PIECE", piece)
        corpus = read_corpus(str(path))
    read = text.removeprefix("\ufeff").replace("\r\n", "\n")
    characters = sorted(set(read))
    assert corpus.vocabulary.characters == "".join(characters)
    assert corpus.ids.tolist() == [characters.index(character) for character in read]
    assert corpus.sha256 == hashlib.sha256(text.encode()).hexdigest()


def test_a_byte_order_mark_is_dropped_and_noted(file):
    corpus = read_corpus(file(b"\xef\xbb\xbfab"))
    assert corpus.vocabulary.characters == "ab"
    assert corpus.notes == ("byte-order mark dropped",)


def test_crlf_and_lone_carriage_returns_are_read_as_lf_and_noted(file):
    path = file(b"a\r\nb\rc\n\r")
    corpus = read_corpus(path)
    assert corpus.vocabulary.decode(corpus.ids) == read_text(path) == "a\nb\nc\n\n"
    assert corpus.notes == ("CRLF line ends read as LF", "lone carriage returns read as line ends")


def test_the_checksum_is_of_the_bytes_as_they_are(file):
    data = b"\xef\xbb\xbfa\r\nb"
    assert read_corpus(file(data)).sha256 == hashlib.sha256(data).hexdigest()


def test_stdin_is_read_as_bytes_and_leaves_no_path(monkeypatch):
    stdin = io.TextIOWrapper(io.BytesIO("é\r\n".encode()), encoding="ascii")
    monkeypatch.setattr(sys, "stdin", stdin)
    corpus = read_corpus("-")
    assert corpus.vocabulary.decode(corpus.ids) == "é\n"
    assert (corpus.name, corpus.path) == ("stdin", None)


def test_an_error_about_stdin_says_stdin(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    with pytest.raises(TextError, match=r"^stdin: the text is empty"):
        read_corpus("-")


def test_a_fifo_is_read(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(b"abc",), daemon=True)
    writer.start()
    corpus = read_corpus(str(path))
    writer.join()
    assert corpus.vocabulary.decode(corpus.ids) == "abc"


def zip_of(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.txt", data)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (gzip.compress(b"some text", mtime=0), "gzip.*gunzip"),
        (zip_of(b"some text"), "zip.*unzip"),
        (b"%PDF-1.7\nsome text", "PDF.*pdftotext"),
        ("some text".encode("utf-16"), "UTF-16.*iconv -f UTF-16"),
        (b"\xfe\xff" + "some text".encode("utf-16-be"), "UTF-16.*iconv -f UTF-16"),
        ("naïve text".encode("latin-1"), "not UTF-8.*iconv"),
        (b"", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"aaaaa", "same character 5 times.*two distinct"),
        (b"\r\n\r\n", "same character 2 times"),
    ],
    ids=["gzip", "zip", "pdf", "utf-16-le", "utf-16-be", "latin-1", "empty", "mark", "a", "crlf"],
)
def test_what_is_no_text_to_learn_from_is_refused_with_a_remedy(file, data, words):
    path = file(data)
    with pytest.raises(TextError, match=words) as caught:
        read_corpus(path)
    assert str(caught.value).startswith(f"{path}: ")


BROKEN = {
    "stray byte": b"abcdef\xffgh",
    "stray continuation": b"abc\xc3\xa9\x80defgh",
    "cut short in the middle": b"abc\xe2\x82defgh",
    "cut short at the end": b"abcdef\xf0\x9f\x98",
    "overlong": b"abcd\xc0\x80efgh",
    "surrogate": b"abcde\xed\xa0\x80fgh",
    "past unicode": b"abcdefg\xf5\x80\x80\x80",
    "after a byte-order mark": b"\xef\xbb\xbfabc\xff",
    "after CRLF": b"a\r\nb\r\nc\xff\r\n",
    "after both": b"\xef\xbb\xbfa\r\nb\r\n\xe9a\n",
}


def first_bad_byte(data: bytes) -> int:
    with pytest.raises(UnicodeDecodeError) as caught:
        data.decode("utf-8")
    return caught.value.start


@pytest.mark.parametrize("chunk", [1, 2, 3, 4, 5, 7, 1 << 22])
@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_the_byte_that_is_not_utf8_is_named_with_its_place_in_the_file(
    file, monkeypatch, data, chunk
):
    offset = first_bad_byte(data)
    monkeypatch.setattr(text_stream, "PIECE", chunk)
    with pytest.raises(TextError, match=f"byte 0x{data[offset]:02x} at offset {offset}\\."):
        read_corpus(file(data))


def test_a_bad_byte_beyond_the_first_chunk_of_four_megabytes_is_found(file):
    data = b"ab" * (2 << 20) + b"cd\xfe"
    with pytest.raises(TextError, match=r"byte 0xfe at offset 4,194,306\."):
        read_corpus(file(data))


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(TextError, match=r"is a folder\. Give a text file"):
        read_corpus(str(tmp_path))


@pytest.mark.parametrize("device", ["/dev/null", "/dev/zero"])
def test_a_device_is_refused_unread(device):
    with pytest.raises(TextError, match="is a device"):
        read_corpus(device)


def test_a_missing_file_is_named(tmp_path):
    path = str(tmp_path / "nowhere.txt")
    with pytest.raises(TextError, match="no such file") as caught:
        read_corpus(path)
    assert str(caught.value).startswith(path)


@pytest.mark.parametrize("name", ["x" * 300, "a\0b"])
def test_a_path_that_cannot_be_is_refused(name):
    with pytest.raises(TextError, match="cannot be read"):
        read_corpus(name)


def test_a_file_in_place_of_a_folder_is_refused(file):
    with pytest.raises(TextError, match="cannot be read"):
        read_corpus(file(b"ab") + "/text.txt")


# splitting


fractions = st.floats(0.0001, 0.9)


@fuzz
@given(fractions, st.integers(0, 500))
def test_split_gives_the_whole_text_in_two_parts_long_enough(fraction, extra):
    corpus = corpus_of("ab" * 10 + "c" * (characters_needed(fraction) + extra - 20))
    train, held_out = corpus.split(fraction)
    assert np.concatenate([train.ids, held_out.ids]).tolist() == corpus.ids.tolist()
    assert len(train) >= MIN_TRAIN
    assert len(held_out) >= MIN_HELD_OUT


def test_both_parts_are_texts_of_the_same_name_and_vocabulary():
    corpus = corpus_of("ab" * 500)
    for part in corpus.split(0.1):
        assert part.name == corpus.name
        assert part.vocabulary is corpus.vocabulary
        assert np.shares_memory(part.ids, corpus.ids)


def test_the_beginning_of_a_text_is_its_first_characters():
    corpus = corpus_of("abcdefgh")
    assert corpus.vocabulary.decode(corpus.beginning(3).ids) == "abc"
    assert len(corpus.beginning(99)) == len(corpus) == 8


@fuzz
@given(fractions)
def test_one_character_less_than_needed_is_refused_naming_both_numbers(fraction):
    needed = characters_needed(fraction)
    with pytest.raises(TextError, match=rf"{needed - 1:,} characters; .* at least {needed:,}\."):
        corpus_of(("ab" * needed)[: needed - 1]).split(fraction)


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5, 0.9])
def test_the_held_out_part_has_the_share_asked_for(fraction):
    train, held_out = corpus_of("ab" * 500).split(fraction)
    assert len(held_out) == 1000 * fraction
    assert len(train) + len(held_out) == 1000


def test_a_smaller_val_fraction_is_advised_only_where_it_would_help():
    short = corpus_of("ab" * 5)
    with pytest.raises(TextError, match="longer text or a smaller --val-fraction"):
        short.split(0.5)
    with pytest.raises(TextError, match=r"longer text\.$"):
        short.split(0.1)
