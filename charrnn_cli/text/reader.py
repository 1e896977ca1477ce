"""A text read piece by piece, so that one larger than memory can be scored."""

import codecs
import hashlib
import os
from collections.abc import Iterator
from typing import BinaryIO

from charrnn_cli.errors import TextError
from charrnn_cli.text.text_file import check_kind, not_utf8, open_bytes

PIECE = (
    1 << 15
)  # bytes read at a time: what is made of more, malloc takes from the system each time


class TextStream:
    """The text of a file, or of stdin if `source` is `-`, as strings of moderate size.

    It is UTF-8; a byte-order mark is dropped and CRLF is read as LF, and `notes` says so once all
    was read. `bytes_read` counts the file's own bytes, `sha256` is their checksum, and `size` is
    how many there are, None for what only passes by. Raises TextError, with `unchanging` also for a
    file that changes meanwhile: what was read could be half of one text and half of another.
    """

    def __init__(self, source: str, *, unchanging: bool = False) -> None:
        self.source = source
        self.name = "stdin" if source == "-" else source
        self.unchanging = unchanging
        self.bytes_read = 0
        self.size: int | None = None
        self.notes: tuple[str, ...] = ()
        self._digest = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """The checksum of the bytes read so far."""
        return self._digest.hexdigest()

    def __iter__(self) -> Iterator[str]:
        with open_bytes(self.source) as (file, size):
            self.size = size
            yield from self._pieces(file)

    def _pieces(self, file: BinaryIO) -> Iterator[str]:
        # a size of zero is that of a pipe, or of /proc/cpuinfo
        opened = os.fstat(file.fileno()) if self.unchanging and self.size else None
        decoder = codecs.getincrementaldecoder("utf-8")()
        begun = False
        held_back = ""  # a CR, whose LF may be in the next piece
        while True:
            data = file.read(PIECE)
            if not self.bytes_read:
                check_kind(data, self.name)
            if opened is not None:  # first: a character cut short may be what came of a change
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
            if "\r" in text and "\r\n" in text:  # one character is looked for ten times as fast
                text = text.replace("\r\n", "\n")
                self._note("CRLF line ends read as LF")
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
            raise not_utf8(self.name, error.object[error.start], offset) from None

    def _note(self, note: str) -> None:
        if note not in self.notes:
            self.notes += (note,)


def read_text(source: str) -> str:
    """The text of a file, or of stdin if `source` is `-`, whole."""
    return "".join(TextStream(source, unchanging=True))
