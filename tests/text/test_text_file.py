"""Files that are no text, or not to be trusted: named by what they are, and refused."""

import bz2
import io
import lzma
import os
import socket
import tarfile

import pytest

from charrnn_cli.errors import TextError
from charrnn_cli.text.corpus import read_corpus
from charrnn_cli.text.reader import read_text


@pytest.fixture
def file(tmp_path):
    def write(data: bytes) -> str:
        path = tmp_path / "text.txt"
        path.write_bytes(data)
        return str(path)

    return write


def tar_of(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo("a.txt")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (bz2.compress(b"some text"), "bzip2.*bunzip2 -c"),
        (lzma.compress(b"some text"), "an xz file.*xz -dc"),
        (b"\x28\xb5\x2f\xfd" + b"some text", "Zstandard.*zstd -dc"),
        (b"7z\xbc\xaf\x27\x1c" + b"some text", "7-Zip.*7z x"),
        (tar_of(b"some text"), "tar archive.*tar -xOf"),
        (b"{\\rtf1 some text}", "rich text.*plain text"),
        (b"\xd0\xcf\x11\xe0some text", "Office document"),
        (b"\x89PNG\r\n\x1a\n", "a picture"),
        (b"\xff\xd8\xff\xe0", "a picture"),
        (b"SQLite format 3\0" + bytes(100), "a database"),
        (b"\x7fELF" + bytes(100), "a program"),
        ("some text".encode("utf-32"), "UTF-32.*iconv -f UTF-32"),
        ("some text".encode("utf-16-le"), "NUL bytes.*iconv -f UTF-16LE"),
        ("some text".encode("utf-16-be"), "NUL bytes"),
    ],
    ids=lambda value: value.split(".")[0] if isinstance(value, str) else "",
)
def test_what_is_no_text_is_named_with_a_remedy(file, data, words):
    path = file(data)
    with pytest.raises(TextError, match=words) as caught:
        read_corpus(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_socket_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        with pytest.raises(TextError, match="device or socket"):
            read_corpus("socket")


def test_control_characters_are_learned_and_told_with_their_number(file):
    corpus = read_corpus(file(b"some text\n" * 20 + b"\0\0\x1b[1mbold\x7f\t"))
    assert corpus.vocabulary.decode(corpus.ids).endswith("\0\0\x1b[1mbold\x7f\t")
    [note] = corpus.notes
    assert note.endswith("as any other: U+0000 2 times, U+001B 1 times, U+007F 1 times")


def test_line_ends_and_tabs_are_not_told_as_control_characters(file):
    assert read_corpus(file(b"some\ttext\n")).notes == ()


def test_one_line_of_any_length_is_read(file):
    corpus = read_corpus(file(b"ab" * 5_000_000))
    assert len(corpus.ids) == 10_000_000
    assert corpus.ids.nbytes == 10_000_000


@pytest.mark.parametrize("change", ["grow", "shrink", "rewrite"])
def test_a_file_that_changes_while_it_is_read_is_refused(file, monkeypatch, change):
    path = file(b"some text " * 1000)
    fstat = os.fstat
    calls = []

    def changing(descriptor):
        """After the size was looked at and before it is compared, as another program may."""
        found = fstat(descriptor)
        if not calls:
            with open(path, "r+b") as other:
                if change == "grow":
                    other.seek(0, os.SEEK_END)
                    other.write(b"more")
                elif change == "shrink":
                    other.truncate(100)
                else:
                    other.write(b"SOME")
            os.utime(path, (1, 1))
        calls.append(descriptor)
        return found

    monkeypatch.setattr(os, "fstat", changing)
    with pytest.raises(TextError, match="changed while it was read"):
        read_corpus(path)


def test_a_file_of_the_system_that_states_no_size_is_read():
    assert read_text("/proc/self/status").startswith("Name:")
