"""A text's file: opened, and refused by name if it is known not to be UTF-8 text."""

import contextlib
import os
import shlex
import stat
from collections.abc import Iterator
from typing import BinaryIO

from charrnn_cli.environment import environment
from charrnn_cli.errors import TextError

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


def check_place(source: str) -> None:
    """Raise TextError if a source is nothing, a folder or a device; `-` is stdin. Opens nothing."""
    with _named(source):
        _size(source)


@contextlib.contextmanager
def open_bytes(source: str) -> Iterator[tuple[BinaryIO, int | None]]:
    """A file, or stdin if `source` is `-`, and its size, None for what only passes by.

    Raises TextError for what cannot be opened or read.
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
    """The size of a file; None for what only passes by. Raises TextError for what is neither."""
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
    """Turn what the system says of a source into TextError."""
    try:
        yield
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
    if data[257:262] == b"ustar":
        raise TextError(f"{name}: is a tar archive, not UTF-8 text. Unpack it: tar -xOf FILE")
    if data[:4096].count(0) > len(data[:4096]) // 4:
        raise TextError(
            f"{name}: is full of NUL bytes, as UTF-16 text without its mark is, or a program. "
            "Convert it: iconv -f UTF-16LE -t UTF-8 FILE"
        )


def not_utf8(name: str, byte: int, offset: int) -> TextError:
    """What to raise for a byte of a file that is not UTF-8."""
    return TextError(
        f"{name}: not UTF-8 text: byte 0x{byte:02x} at offset {offset:,}. "
        "If it is in another encoding, convert it: "
        "iconv -f LATIN1 -t UTF-8 FILE"
    )
