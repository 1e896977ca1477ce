"""The forms that a model can be exported in, and what writes each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from charrnn_cli.checkpoints.checkpoint import Checkpoint


@dataclass(frozen=True)
class Source:
    """The model that is exported: a checkpoint, the file that it was read from, and the text that
    its units are compared with, if one was given."""

    checkpoint: Checkpoint
    file: Path
    units: Path | None = None


Writer = Callable[[Source, Path], list[Path]]
"""Writes a source to a path and returns the files. Raises UsageError for a model that the form has
no place for, WriteError if the path cannot be written."""


def _html(source: Source, path: Path) -> list[Path]:
    from charrnn_cli.export.html_page import write_page

    return write_page(source.checkpoint, path, file=source.file, units=source.units)


WRITERS: Mapping[str, Writer] = {"html": _html}
"""The writers by the name of their option."""
