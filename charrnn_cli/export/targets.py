"""The forms that a model can be exported in, and what writes each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from charrnn_cli.checkpoints.checkpoint import Checkpoint


@dataclass(frozen=True)
class Source:
    """The model that is exported: a checkpoint, the file that it was read from, the text that its
    units are compared with, if one was given, and the text that a page shows first, if one was."""

    checkpoint: Checkpoint
    file: Path
    units: Path | None = None
    example: str | None = None


Writer = Callable[[Source, Path], list[Path]]
"""Writes a source to a path and returns the files. Raises UsageError for a model that the form has
no place for, WriteError if the path cannot be written."""


def _html(source: Source, path: Path) -> list[Path]:
    from charrnn_cli.export.html_page import write_page

    return write_page(
        source.checkpoint, path, file=source.file, units=source.units, example=source.example
    )


def _hugging_face(source: Source, path: Path) -> list[Path]:
    from charrnn_cli.export.hugging_face import write_hugging_face

    return write_hugging_face(source.checkpoint, path)


def _onnx(source: Source, path: Path) -> list[Path]:
    from charrnn_cli.export.onnx_file import write_onnx

    return write_onnx(source.checkpoint, path)


WRITERS: Mapping[str, Writer] = {"html": _html, "hf": _hugging_face, "onnx": _onnx}
"""The writers by the name of their option."""


def paths_of(target: str, checkpoint: Checkpoint, path: Path) -> list[Path]:
    """The files, or the folder, that a writer will write. Raises UsageError as the writer does."""
    if target != "onnx":
        return [path]
    from charrnn_cli.export.onnx_file import onnx_paths

    return onnx_paths(checkpoint, path)
