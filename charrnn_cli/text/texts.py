"""Several files and folders read as one text of documents, or a list of lines."""

import fnmatch
import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from charrnn_cli.errors import TextError
from charrnn_cli.text.corpus import Corpus, Watch, control_notes, read_corpus
from charrnn_cli.text.dataset import Reading
from charrnn_cli.text.indexer import Indexer
from charrnn_cli.text.mixed_forms import mixed_forms_note
from charrnn_cli.text.reader import TextStream
from charrnn_cli.text.sources import Sources

MAX_NAMED = 3  # At most so many of the files that are left out are named in a note.
MAX_FILES = 10_000  # A text has at most so many files: a checkpoint holds their checksums.


def read_texts(sources: Sources, watch: Watch = lambda stream: None) -> Corpus:
    """Read files, and all text files in folders, as one text, in which each file is a document.

    Files in folders are read in the order of their names; hidden ones and the folders of runs are
    passed over. A file in a folder that is no text is left out, and a note names it. A text of
    `lines` begins and ends with a newline. Raises TextError if a file that was named cannot be
    read, or there is no text.
    """
    if not sources.several and not sources.lines:
        return read_corpus(sources.paths[0], watch, sources.normalize)
    indexer = Indexer()
    notes: list[str] = []
    left_out: list[str] = []
    starts: list[int] = []
    checksums: list[str] = []
    for path, named in _files(sources):
        stream = TextStream(path, unchanging=True, normalize=sources.normalize)
        # of a file that may turn out to be no text nothing is indexed before it is read whole
        pieces = iter(stream) if named else _whole(stream, left_out)
        start = len(indexer)
        last = ""
        for piece in pieces:
            if sources.lines and not len(indexer):
                indexer.add("\n")
            indexer.add(piece)
            last = piece[-1]
            watch(stream)
        if not last:
            if named:
                raise TextError(f"{stream.name}: the text is empty. Give a file with some text.")
            if stream.name not in left_out:
                left_out.append(stream.name)
            continue
        if sources.lines and last != "\n":
            indexer.add("\n")
        starts.append(start)
        checksums.append(stream.sha256)
        notes += [note for note in stream.notes if note not in notes]
    if len(checksums) > MAX_FILES:
        raise TextError(f"{sources.paths[0]}: more than {MAX_FILES:,} files. Join some of them.")
    first = _name(sources.paths[0])
    if not checksums:
        if sources.glob is not None:
            raise TextError(
                f"{first}: no text file with a name like {sources.glob} in this folder. Give "
                "another --glob, or leave it out."
            )
        raise TextError(f"{first}: no text file in this folder. Give a folder with text files.")
    if indexer.distinct < 2 + sources.lines:
        raise TextError(
            f"{first}: fewer than two distinct characters; there is nothing to learn. Give a text "
            "with at least two."
        )
    if left_out:
        more = f" and {len(left_out) - MAX_NAMED:,} more" if len(left_out) > MAX_NAMED else ""
        notes.append(f"left out, since empty or not text: {', '.join(left_out[:MAX_NAMED])}{more}")
    vocabulary, ids = indexer.finish()
    absolute = tuple(map(os.path.abspath, sources.paths)) if sources.lasting else ()
    reading = Reading()
    if sources.several:
        reading = Reading(absolute, sources.glob, tuple(checksums))
    lasting_path = absolute[0] if absolute else None
    sha256 = joint_sha256(checksums)
    corpus = Corpus(
        first, ids, vocabulary, sha256, lasting_path, tuple(notes), reading, tuple(starts)
    )
    corpus.notes += control_notes(corpus) + mixed_forms_note(ids, vocabulary)
    return corpus


def joint_sha256(checksums: Sequence[str]) -> str:
    """The checksum of several files from those of each; of one file, its own."""
    if len(checksums) == 1:
        return checksums[0]
    return hashlib.sha256("\n".join(checksums).encode()).hexdigest()


def _files(sources: Sources) -> Iterator[tuple[str, bool]]:
    """The files to read, and whether each was named itself; each once."""
    named = {os.path.realpath(path) for path in sources.paths}
    seen = set()
    for source in sources.paths:
        folder = os.path.isdir(source)
        for path in _in_folder(source, sources.glob) if folder else [source]:
            where = os.path.realpath(path)
            if where not in seen:
                seen.add(where)
                yield path, where in named


def _in_folder(folder: str, glob: str | None) -> Iterator[str]:
    """The files below a folder, sorted by path; those whose name or path fits `glob`, if any."""
    found = []
    for where, folders, names in os.walk(folder):
        if where != folder and {"best.safetensors", "last.safetensors"} & {*names}:  # a run
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            path = os.path.join(where, name)
            inside = os.path.relpath(path, folder)
            fits = glob is None or fnmatch.fnmatch(name, glob) or fnmatch.fnmatch(inside, glob)
            if fits and not name.startswith(".") and os.path.isfile(path):
                found.append(Path(path))
    yield from map(str, sorted(found))


def _whole(stream: TextStream, left_out: list[str]) -> list[str]:
    """All pieces of a file, or none if it is no text: then its name is added to `left_out`."""
    try:
        return list(stream)
    except TextError:
        left_out.append(stream.name)
        return []


def _name(source: str) -> str:
    """How a text is called: by its path, or the name of its folder."""
    if source == "-":
        return "stdin"
    return os.path.basename(os.path.abspath(source)) if os.path.isdir(source) else source
