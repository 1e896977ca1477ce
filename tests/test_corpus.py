import gzip
import hashlib
import io
import os
import random
import re
import sys
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from factories import fuzz
from hypothesis import given
from hypothesis import strategies as st

from charrnn_cli import corpus as corpus_module
from charrnn_cli.corpus import (
    MIN_HELD_OUT,
    MIN_TRAIN,
    Corpus,
    characters_needed,
    cut_lanes,
    fit_batch,
    read_corpus,
    read_text,
    steps_per_epoch,
    window,
)
from charrnn_cli.errors import TextError
from charrnn_cli.vocabulary import Vocabulary

SONNETS = Path(__file__).parent.parent / "data" / "sonnets.txt"


@pytest.fixture
def file(tmp_path):
    """Writes bytes to a file and gives its path as a string."""

    def write(data: bytes) -> str:
        path = tmp_path / "text.txt"
        path.write_bytes(data)
        return str(path)

    return write


def corpus_of(text: str) -> Corpus:
    vocabulary = Vocabulary.of(text)
    return Corpus("a.txt", vocabulary.encode(text), vocabulary, "")


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


@pytest.mark.parametrize("chunk", range(1, 12))
def test_a_character_cut_by_a_chunk_edge_is_read_whole(file, monkeypatch, chunk):
    text = "aé€😀b\n€😀é" * 3
    path = file(text.encode())
    monkeypatch.setattr(corpus_module, "CHUNK", chunk)
    corpus = read_corpus(path)
    assert corpus.vocabulary.decode(corpus.ids) == read_text(path) == text


def test_a_byte_order_mark_is_dropped_and_noted(file):
    corpus = read_corpus(file(b"\xef\xbb\xbfab"))
    assert corpus.vocabulary.characters == "ab"
    assert corpus.notes == ("byte-order mark dropped",)


def test_crlf_is_read_as_lf_and_noted_but_a_lone_cr_stays(file):
    path = file(b"a\r\nb\rc\n")
    corpus = read_corpus(path)
    assert corpus.vocabulary.decode(corpus.ids) == read_text(path) == "a\nb\rc\n"
    assert corpus.notes == ("CRLF line ends read as LF",)


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
    monkeypatch.setattr(corpus_module, "CHUNK", chunk)
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
    assert np.concatenate([train, held_out]).tolist() == corpus.ids.tolist()
    assert len(train) >= MIN_TRAIN
    assert len(held_out) >= MIN_HELD_OUT


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


# batches, lanes, windows

lengths = st.integers(MIN_TRAIN, 3000)
sizes = st.integers(1, 100)


@fuzz
@given(lengths, sizes, sizes)
def test_a_fitted_batch_always_holds_a_step(characters, batch_size, seq_length):
    batch, seq = fit_batch(characters, batch_size, seq_length)
    assert 1 <= batch <= batch_size
    assert 1 <= seq <= seq_length
    assert steps_per_epoch(characters, batch, seq) >= 1


@fuzz
@given(lengths, sizes, sizes)
def test_a_batch_that_fits_is_left_alone(extra, batch_size, seq_length):
    characters = batch_size * seq_length + extra
    assert fit_batch(characters, batch_size, seq_length) == (batch_size, seq_length)


@fuzz
@given(lengths, sizes, sizes)
def test_a_fitted_batch_could_not_be_larger(characters, batch_size, seq_length):
    batch, seq = fit_batch(characters, batch_size, seq_length)
    assert batch == batch_size or (batch + 1) * seq >= characters
    assert seq == seq_length or seq == characters - 1


def test_lanes_are_given_up_before_the_window():
    assert fit_batch(97, 64, 32) == (3, 32)
    assert fit_batch(96, 64, 32) == (2, 32)  # the last character has no target
    assert fit_batch(20, 64, 32) == (1, 19)


@st.composite
def cuts(draw):
    """Arguments of `cut_lanes`, the ids being their own positions."""
    characters = draw(lengths)
    batch, seq = fit_batch(characters, draw(sizes), draw(sizes))
    seed, epoch = draw(st.integers(0, 2**32 - 1)), draw(st.integers(0, 1000))
    return np.arange(characters, dtype=np.uint16), batch, seq, seed, epoch


@fuzz
@given(cuts())
def test_targets_are_the_characters_after_the_inputs(cut):
    inputs, targets = cut_lanes(*cut)
    assert (targets == inputs + 1).all()


@fuzz
@given(cuts())
def test_each_lane_is_contiguous_and_the_next_goes_on_where_it_ends(cut):
    inputs, _ = cut_lanes(*cut)
    assert (np.diff(inputs.ravel()) == 1).all()


@fuzz
@given(cuts())
def test_lanes_hold_as_many_whole_windows_as_the_text_allows(cut):
    ids, batch, seq, *_ = cut
    inputs, _ = cut_lanes(*cut)
    rows, columns = inputs.shape
    assert rows == batch
    assert columns % seq == 0
    assert batch * columns < len(ids) <= batch * (columns + seq)


@fuzz
@given(cuts(), st.integers(0, 1000))
def test_lanes_depend_on_the_arguments_only(cut, noise):
    first = cut_lanes(*cut)
    random.seed(noise)
    np.random.seed(noise)
    second = cut_lanes(*cut)
    assert [part.tolist() for part in first] == [part.tolist() for part in second]


def test_lanes_are_views_that_copy_nothing():
    ids = np.zeros(1000, dtype=np.uint8)
    inputs, targets = cut_lanes(ids, 4, 16, 0, 0)
    assert np.shares_memory(inputs, ids)
    assert np.shares_memory(targets, ids)


def test_over_the_epochs_every_character_is_read_and_predicted():
    ids = np.arange(60)
    cut = [cut_lanes(ids, 2, 8, 0, epoch) for epoch in range(200)]
    assert set(np.ravel([inputs for inputs, _ in cut])) == set(range(59))
    assert set(np.ravel([targets for _, targets in cut])) == set(range(1, 60))


def test_another_random_seed_cuts_elsewhere():
    starts = {int(cut_lanes(np.arange(60), 2, 8, seed, 0)[0][0, 0]) for seed in range(50)}
    assert len(starts) > 5


@fuzz
@given(cuts())
def test_windows_are_time_major_and_make_up_the_lanes(cut):
    inputs, _ = cut_lanes(*cut)
    batch, seq = cut[1:3]
    windows = [window(inputs, index, seq) for index in range(inputs.shape[1] // seq)]
    assert {part.shape for part in windows} == {(seq, batch)}
    assert {part.dtype for part in windows} == {np.dtype(np.int64)}
    assert all(part.flags.c_contiguous for part in windows)
    assert np.concatenate(windows).T.tolist() == inputs.tolist()
