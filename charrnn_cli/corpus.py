"""A text as ids: reading it, splitting off the held-out part, cutting lanes and windows."""

import codecs
import contextlib
import hashlib
import os
import shlex
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from charrnn_cli.errors import TextError
from charrnn_cli.vocabulary import Ids, Vocabulary

CHUNK = 1 << 22  # bytes decoded at a time: bounds memory beyond the file and its ids
MIN_TRAIN = 17  # characters: one lane of one window of 16
MIN_HELD_OUT = 2  # characters: one prediction
MAX_MEASURED = 250_000  # held-out characters: more would stall training for little precision

_MAGIC = {
    b"\x1f\x8b": ("a gzip file", "Unpack it: gunzip -c FILE"),
    b"PK\x03\x04": ("a zip file", "Unpack it: unzip -p FILE"),
    b"%PDF": ("a PDF", "Extract its text: pdftotext FILE -"),
    b"\xff\xfe": ("UTF-16 text", "Convert it: iconv -f UTF-16 -t UTF-8 FILE"),
    b"\xfe\xff": ("UTF-16 text", "Convert it: iconv -f UTF-16 -t UTF-8 FILE"),
}


@dataclass(frozen=True)
class Corpus:
    """A text read for training: its ids (N,), vocabulary, and what identifies it.

    `path` is None for stdin or a pipe; `sha256` is of the bytes as read; `notes` says in words
    what was changed in reading.
    """

    name: str
    ids: Ids
    vocabulary: Vocabulary
    sha256: str
    path: str | None = None
    notes: tuple[str, ...] = ()

    def split(self, val_fraction: float) -> tuple[Ids, Ids]:
        """The training part and the held-out part, which is the end of the text.

        Raises TextError, with the number needed, if the text is too short for both.
        """
        if len(self.ids) < (needed := characters_needed(val_fraction)):
            raise TextError(
                f"{self.name}: {len(self.ids):,} characters; training needs at least {needed:,}. "
                f"Use a longer text{' or a smaller --val-fraction' if val_fraction > 0.1 else ''}."
            )
        edge = len(self.ids) - _held_out(len(self.ids), val_fraction)
        return self.ids[:edge], self.ids[edge:]


def characters_needed(val_fraction: float) -> int:
    """The length of the shortest text that can be trained on."""
    total = MIN_TRAIN + MIN_HELD_OUT
    while total - _held_out(total, val_fraction) < MIN_TRAIN:
        total += 1
    return total


def _held_out(total: int, val_fraction: float) -> int:
    return max(MIN_HELD_OUT, round(total * val_fraction))


def read_corpus(source: str) -> Corpus:
    """Read a UTF-8 text from a path, or from stdin if `source` is `-`, and encode it.

    A byte-order mark is dropped and CRLF is read as LF; `notes` says so. Raises TextError for what
    cannot be read, is not UTF-8 text, or has fewer than two distinct characters.
    """
    name = "stdin" if source == "-" else source
    data = read_bytes(source)
    sha256 = hashlib.sha256(data).hexdigest()
    data, notes = plain_utf8(data, name)

    seen = np.zeros(0x110000, dtype=bool)
    total = 0
    for chunk in _decoded(data, name):
        seen[np.frombuffer(chunk.encode("utf-32-le"), dtype="<u4")] = True
        total += len(chunk)
    if not total:
        raise TextError(f"{name}: the text is empty. Give a file with some text in it.")
    vocabulary_points = np.flatnonzero(seen)
    if len(vocabulary_points) < 2:
        raise TextError(
            f"{name}: the same character {total:,} times; "
            "there is nothing to learn. Give a text with at least two distinct characters."
        )
    vocabulary = Vocabulary(vocabulary_points)
    ids = np.empty(total, dtype=vocabulary.dtype)
    start = 0
    for chunk in _decoded(data, name):
        ids[start : start + len(chunk)] = vocabulary.encode(chunk)
        start += len(chunk)
    return Corpus(name, ids, vocabulary, sha256, _lasting_path(source), notes)


def _lasting_path(source: str) -> str | None:
    """Where a text can be found again from any folder; None for what passes once, as stdin does."""
    return os.path.abspath(source) if source != "-" and os.path.isfile(source) else None


def read_text(source: str) -> str:
    """The text of a file, or of stdin if `source` is `-`; read as `read_corpus` reads it."""
    name = "stdin" if source == "-" else source
    data, _ = plain_utf8(read_bytes(source), name)
    return "".join(_decoded(data, name))


def read_bytes(source: str) -> bytes:
    """The bytes of a file, or of stdin if `source` is `-`. Raises TextError."""
    with open_bytes(source) as (file, _):
        return file.read()


@contextlib.contextmanager
def open_bytes(source: str) -> Iterator[tuple[BinaryIO, int | None]]:
    """A file, or stdin if `source` is `-`, and its size, None for what only passes by.

    Raises TextError for what cannot be opened or read.
    """
    if source == "-" and sys.stdin is None:
        raise TextError("stdin: is closed. Give a text file, or pipe a text in.")
    try:
        if source == "-":
            yield sys.stdin.buffer, None
            return
        status = os.stat(source)
        if stat.S_ISDIR(status.st_mode):
            raise TextError(
                f"{source}: is a folder. Give a text file, or join its files: "
                f"cat {shlex.quote(source)}/*.txt"
            )
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISFIFO(status.st_mode)):
            raise TextError(f"{source}: is a device or socket. Give a text file, or - for stdin.")
        with open(source, "rb") as file:
            yield file, status.st_size if stat.S_ISREG(status.st_mode) else None
    except FileNotFoundError:
        raise TextError(f"{source}: no such file. Give the path of a text file.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        name = "stdin" if source == "-" else source
        raise TextError(f"{name}: cannot be read ({reason}).") from None


def check_kind(data: bytes, name: str) -> None:
    """Raise TextError if a file that starts with `data` is known not to be UTF-8 text."""
    for magic, (kind, remedy) in _MAGIC.items():
        if data.startswith(magic):
            raise TextError(f"{name}: is {kind}, not UTF-8 text. {remedy}")


def not_utf8(name: str, byte: int, offset: int) -> TextError:
    """What to raise for a byte of a file that is not UTF-8."""
    return TextError(
        f"{name}: not UTF-8 text: byte 0x{byte:02x} at offset {offset:,}. "
        "If it is in another encoding, convert it: "
        "iconv -f LATIN1 -t UTF-8 FILE"
    )


def plain_utf8(data: bytes, name: str) -> tuple[bytes, tuple[str, ...]]:
    """Drop a byte-order mark, turn CRLF into LF, and say so. Raises TextError for binaries."""
    check_kind(data, name)
    if data.startswith(codecs.BOM_UTF8) or b"\r\n" in data:
        for _ in _decoded(data, name):  # complains now, while offsets are still those of the file
            pass
    notes = []
    if data.startswith(codecs.BOM_UTF8):
        data = data[len(codecs.BOM_UTF8) :]
        notes.append("byte-order mark dropped")
    if b"\r\n" in data:
        data = data.replace(b"\r\n", b"\n")
        notes.append("CRLF line ends read as LF")
    return data, tuple(notes)


def _decoded(data: bytes, name: str) -> Iterator[str]:
    """The text in chunks. Raises TextError at the first byte that is not UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    view = memoryview(data)
    for start in range(0, len(data), CHUNK):
        pending = len(decoder.getstate()[0])  # bytes of a character that the last chunk cut
        final = start + CHUNK >= len(data)
        try:
            yield decoder.decode(bytes(view[start : start + CHUNK]), final)
        except UnicodeDecodeError as error:
            offset = start - pending + error.start
            raise not_utf8(name, data[offset], offset) from None


def fit_batch(characters: int, batch_size: int, seq_length: int) -> tuple[int, int]:
    """Shrink batch and window until `characters` hold one step: lanes first, then the window."""
    predictions = characters - 1
    seq_length = min(seq_length, predictions)
    return min(batch_size, predictions // seq_length), seq_length


def steps_per_epoch(characters: int, batch_size: int, seq_length: int) -> int:
    """How many whole windows each lane holds."""
    return (characters - 1) // (batch_size * seq_length)


def cut_lanes(
    ids: Ids, batch_size: int, seq_length: int, random_seed: int, epoch: int
) -> tuple[Ids, Ids]:
    """Cut ids (N,) into contiguous lanes (B, L): the inputs, and as targets the next characters.

    What does not fill whole windows is left out at a place drawn anew each epoch, so that every
    character is read and the windows' edges differ. Depends on nothing but the arguments.
    """
    length = steps_per_epoch(len(ids), batch_size, seq_length) * seq_length
    used = batch_size * length
    rng = np.random.default_rng((random_seed, epoch))
    offset = int(rng.integers(len(ids) - used))
    inputs = ids[offset : offset + used].reshape(batch_size, length)
    targets = ids[offset + 1 : offset + 1 + used].reshape(batch_size, length)
    return inputs, targets


def window(lanes: Ids, index: int, seq_length: int) -> np.ndarray:
    """Window `index` of lanes (B, L), time-major: int64 (T, B)."""
    part = lanes[:, index * seq_length : (index + 1) * seq_length]
    return np.ascontiguousarray(part.T, dtype=np.int64)
