"""A text read piece by piece, so that one larger than memory can be scored."""

import codecs
from collections.abc import Iterator
from typing import BinaryIO

from charrnn_cli.text_file import check_kind, not_utf8, open_bytes

PIECE = 1 << 16  # bytes read at a time


class TextStream:
    """The text of a file, or of stdin if `source` is `-`, as strings of moderate size.

    It is read as `read_corpus` reads it: UTF-8, a byte-order mark dropped, CRLF as LF; `notes` says
    so once all was read. `bytes_read` counts the file's own bytes; `size` is how many there are,
    None for what only passes by. Raises TextError.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.name = "stdin" if source == "-" else source
        self.bytes_read = 0
        self.size: int | None = None
        self.notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[str]:
        with open_bytes(self.source) as (file, size):
            self.size = size
            yield from self._pieces(file)

    def _pieces(self, file: BinaryIO) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder("utf-8")()
        held_back = ""  # a CR, whose LF may be in the next piece
        while True:
            data = file.read(PIECE)
            if not self.bytes_read:
                check_kind(data, self.name)
            text = held_back + self._decode(decoder, data)
            if not self.bytes_read and text.startswith("\ufeff"):
                text = text[1:]
                self._note("byte-order mark dropped")
            self.bytes_read += len(data)
            held_back = "\r" if data and text.endswith("\r") else ""
            text = text[: len(text) - len(held_back)]
            if "\r\n" in text:
                text = text.replace("\r\n", "\n")
                self._note("CRLF line ends read as LF")
            if text:
                yield text
            if not data:
                return

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
