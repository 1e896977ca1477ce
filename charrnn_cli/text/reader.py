"""Reading a UTF-8 text from a file or stream, piece by piece; other kinds of file are refused."""

import codecs
import contextlib
import hashlib
import os
import shlex
import stat
from collections.abc import Iterator
from typing import BinaryIO

from charrnn_cli.environment import environment
from charrnn_cli.errors import TextError
from charrnn_cli.text.normalization import NONE, normalized_pieces

_MAGIC = {
    b"\x1f\x8b": ("a gzip file", "Unpack it: gunzip -c FILE"),
    b"PK\x03\x04": ("a zip file", "Unpack it: unzip -p FILE"),
    b"BZh": ("a bzip2 file", "Unpack it: bunzip2 -c FILE"),
    b"\xfd7zXZ\0": ("an xz file", "Unpack it: xz -dc FILE"),
    b"\x28\xb5\x2f\xfd": ("a Zstandard file", "Unpack it: zstd -dc FILE"),
    b"7z\xbc\xaf\x27\x1c": ("a 7-Zip file", "Unpack it: 7z x FILE"),
    b"%PDF": ("a PDF", "Extract its text: pdftotext FILE -"),
    b"{\\rtf": ("rich text (RTF)", "Save it as plain text."),
    b"\xd0\xcf\x11\xe0": ("an Office document", "Save it as plain text."),
    b"\x89PNG": ("a picture", "Give a text file."),
    b"\xff\xd8\xff": ("a picture", "Give a text file."),
    b"SQLite format 3\0": ("a database", "Export its text."),
    b"\x7fELF": ("a program", "Give a text file."),
    b"\xff\xfe\0\0": ("UTF-32 text", "Convert it: iconv -f UTF-32 -t UTF-8 FILE"),
    b"\0\0\xfe\xff": ("UTF-32 text", "Convert it: iconv -f UTF-32 -t UTF-8 FILE"),
    b"\xff\xfe": ("UTF-16 text", "Convert it: iconv -f UTF-16 -t UTF-8 FILE"),
    b"\xfe\xff": ("UTF-16 text", "Convert it: iconv -f UTF-16 -t UTF-8 FILE"),
}

# A file is read in pieces of so many bytes. With larger ones, glibc asks the system for memory at
# each piece, which is slower.
PIECE = 1 << 15


class TextStream:
    """Iterates over the UTF-8 text of a file, or of stdin if `source` is `-`, piece by piece.

    A byte-order mark is dropped, and CRLF and lone carriage returns are read as LF; `notes` records
    that. The text is given in the normal form `normalize`. `bytes_read` is the number of bytes of
    the file read so far, `sha256` their checksum, and `size` the file's size in bytes, None for a
    pipe. With `as_it_comes`, a piece is what a pipe holds, so that what its writer has written is
    not held back. Raises TextError if the source cannot be read or is not UTF-8 text; with
    `unchanging`, also if the file changes while it is read, since two versions could be mixed.
    """

    def __init__(
        self,
        source: str,
        *,
        unchanging: bool = False,
        as_it_comes: bool = False,
        normalize: str = NONE,
    ) -> None:
        self.source = source
        self.name = "stdin" if source == "-" else source
        self.unchanging, self.as_it_comes = unchanging, as_it_comes
        self.normalize = normalize
        self.bytes_read = 0
        self.size: int | None = None
        self.notes: tuple[str, ...] = ()
        self._digest = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """The checksum of the bytes read so far."""
        return self._digest.hexdigest()

    def __iter__(self) -> Iterator[str]:
        with _open_bytes(self.source) as (file, size):
            self.size = size
            yield from normalized_pieces(self._pieces(file), self.normalize)

    def _pieces(self, file: BinaryIO) -> Iterator[str]:
        # size 0 is not checked: files such as /proc/cpuinfo report it
        opened = os.fstat(file.fileno()) if self.unchanging and self.size else None
        decoder = codecs.getincrementaldecoder("utf-8")()
        # `read` would wait until a piece is full
        read = getattr(file, "read1", file.read) if self.as_it_comes else file.read
        begun = False
        held_back = ""  # a CR, whose LF may be in the next piece
        while True:
            data = read(PIECE)
            if not self.bytes_read:
                _check_kind(data, self.name)
            if opened is not None:  # before decoding: a change can cut a character, too
                self._check_unchanged(file, opened, self.bytes_read + len(data), ended=not data)
            text = self._decode(decoder, data)
            self.bytes_read += len(data)
            self._digest.update(data)
            if text and not begun:
                begun = True
                if text[0] == "\ufeff":
                    text = text[1:]
                    self._note("byte-order mark dropped")
            text = held_back + text
            held_back = "\r" if data and text.endswith("\r") else ""
            text = text[: len(text) - len(held_back)]
            if "\r" in text:  # a single character is found ten times as fast as CRLF
                text = self._with_newlines(text)
            if text:
                yield text
            if not data:
                return

    def _check_unchanged(
        self, file: BinaryIO, opened: os.stat_result, read: int, *, ended: bool
    ) -> None:
        if read > opened.st_size or (
            ended
            and (read, os.fstat(file.fileno()).st_mtime_ns) != (opened.st_size, opened.st_mtime_ns)
        ):
            raise TextError(
                f"{self.name}: changed while it was read. Try again when it is complete."
            )

    def _decode(self, decoder: codecs.IncrementalDecoder, data: bytes) -> str:
        pending = len(decoder.getstate()[0])  # bytes of a character that the last piece cut
        try:
            return decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            offset = self.bytes_read - pending + error.start
            raise _not_utf8(self.name, error.object[error.start], offset) from None

    def _with_newlines(self, text: str) -> str:
        if "\r\n" in text:
            text = text.replace("\r\n", "\n")
            self._note("CRLF line ends read as LF")
        if "\r" in text:
            text = text.replace("\r", "\n")
            self._note("lone carriage returns read as line ends")
        return text

    def _note(self, note: str) -> None:
        if note not in self.notes:
            self.notes += (note,)


def read_text(source: str) -> str:
    """The whole text of a file, or of stdin if `source` is `-`. Raises TextError."""
    return "".join(TextStream(source, unchanging=True))


def checksum(path: str) -> str:
    """The SHA-256 of a file's bytes. Raises TextError if it cannot be read."""
    digest = hashlib.sha256()
    with _open_bytes(path) as (file, _):
        while data := file.read(PIECE):
            digest.update(data)
    return digest.hexdigest()


def check_place(source: str) -> None:
    """Raise TextError if a source is missing, a folder or a device; `-` is stdin. Opens nothing."""
    with _named(source):
        _size(source)


@contextlib.contextmanager
def _open_bytes(source: str) -> Iterator[tuple[BinaryIO, int | None]]:
    """A file, or stdin if `source` is `-`, and its size in bytes, None for a pipe.

    Raises TextError if it cannot be opened or read.
    """
    with _named(source):
        size = _size(source)
        if source == "-":
            stdin = environment().stdin
            assert stdin is not None  # `_size` has seen it open
            yield stdin.buffer, None
            return
        with open(source, "rb") as file:
            yield file, size


def _size(source: str) -> int | None:
    """The size of a file in bytes; None for stdin or a pipe. Raises TextError for anything else."""
    if source == "-":
        if environment().stdin is None:
            raise TextError("stdin: is closed. Give a text file, or pipe a text in.")
        return None
    status = os.stat(source)
    if stat.S_ISDIR(status.st_mode):
        raise TextError(
            f"{source}: is a folder. Give a text file; or - for stdin, and the folder's files "
            f"through a pipe: cat {shlex.quote(source)}/* | charrnn …"
        )
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISFIFO(status.st_mode)):
        raise TextError(f"{source}: is a device or socket. Give a text file, or - for stdin.")
    return status.st_size if stat.S_ISREG(status.st_mode) else None


@contextlib.contextmanager
def _named(source: str) -> Iterator[None]:
    """Turn the system's errors about a source into TextError."""
    try:
        yield
    except FileNotFoundError:
        raise TextError(f"{source}: no such file. Give the path of a text file.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        name = "stdin" if source == "-" else source
        raise TextError(f"{name}: cannot be read ({reason}).") from None


def _check_kind(data: bytes, name: str) -> None:
    """Raise TextError if a file that starts with `data` is known not to be UTF-8 text."""
    for magic, (kind, remedy) in _MAGIC.items():
        if data.startswith(magic):
            raise TextError(f"{name}: is {kind}, not UTF-8 text. {remedy}")
    if data[257:262] == b"ustar":
        raise TextError(f"{name}: is a tar archive, not UTF-8 text. Unpack it: tar -xOf FILE")
    if data[:4096].count(0) > len(data[:4096]) // 4:
        raise TextError(
            f"{name}: is full of NUL bytes, as UTF-16 text without its mark is, or a program. "
            "Convert it: iconv -f UTF-16LE -t UTF-8 FILE"
        )


def _not_utf8(name: str, byte: int, offset: int) -> TextError:
    """The error for a byte that is not UTF-8, at an offset in bytes."""
    return TextError(
        f"{name}: not UTF-8 text: byte 0x{byte:02x} at offset {offset:,}. "
        "If it is in another encoding, convert it: "
        "iconv -f LATIN1 -t UTF-8 FILE"
    )
