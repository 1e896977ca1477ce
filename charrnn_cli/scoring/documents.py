"""The files of a score: each a document, of which one text is made."""

from collections.abc import Iterator, Sequence

from charrnn_cli.checkpoints.records import CorpusInfo
from charrnn_cli.text.reader import TextStream
from charrnn_cli.text.texts import joint_sha256


class DocumentStreams:
    """The streams of one or several files, read one after the other.

    `bytes_read`, `size` and `notes` are those of all together, as of one `TextStream`.
    """

    def __init__(self, sources: Sequence[str]) -> None:
        self.streams = [TextStream(source) for source in sources]

    def __iter__(self) -> Iterator[TextStream]:
        return iter(self.streams)

    @property
    def name(self) -> str:
        """The first file's name, and how many more there are."""
        more = len(self.streams) - 1
        return self.streams[0].name + (f" and {more:,} more" if more else "")

    @property
    def bytes_read(self) -> int:
        """The bytes read so far."""
        return sum(stream.bytes_read for stream in self.streams)

    @property
    def size(self) -> int | None:
        """The size in bytes; None for a pipe, or as long as not all files have been opened."""
        sizes = [stream.size for stream in self.streams if stream.size is not None]
        return sum(sizes) if len(sizes) == len(self.streams) else None

    @property
    def notes(self) -> tuple[str, ...]:
        """The notes of all files, each once."""
        return tuple(dict.fromkeys(note for stream in self.streams for note in stream.notes))

    def are_of(self, corpus: CorpusInfo) -> bool:
        """Whether these files, read to their ends, are the text of a checkpoint or some of it."""
        checksums = [stream.sha256 for stream in self.streams]
        known = {corpus.sha256, *corpus.file_sha256s}
        return joint_sha256(checksums) == corpus.sha256 or known.issuperset(checksums)
