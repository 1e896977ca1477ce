"""How much of a sampled text is new, and what was copied from the text that was learned."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from charrnn_cli.checkpoints.checkpoint import Checkpoint, peek
from charrnn_cli.checkpoints.runs import Run, text_paths
from charrnn_cli.errors import TextError, UsageError
from charrnn_cli.text.corpus import Corpus
from charrnn_cli.text.hashing import Hashes, HashSearch, hashes_of_windows
from charrnn_cli.text.sources import Sources
from charrnn_cli.text.texts import read_texts

GRAM = 8  # Texts are compared by sequences of 8 characters: shorter ones often match by chance.
# Of the text learned, so many characters are hashed at a time, to fit the CPU cache.
CHUNK = 1 << 16


@dataclass(frozen=True)
class Originality:
    """How much of some sampled texts is new.

    `longest` is the longest run of characters that also occurs in the learned text, or '' if none
    of at least GRAM characters does. `new` is the share of the sampled sequences of GRAM characters
    that do not occur there, or None if no text has that many characters.
    """

    longest: str
    new: float | None

    def in_words(self, learned: Corpus) -> str:
        """One line for the user; `learned` is the text that the samples were compared with."""
        if self.new is None:
            return f"originality: fewer than {GRAM} characters were written: too few to tell"
        longest = f"{len(self.longest)} characters: {self.longest!r}" if self.longest else "none"
        return (
            f"originality: {self.new:.0%} of the {GRAM}-character sequences are not in "
            f"{learned.name}; longest verbatim run (from {GRAM} up): {longest}"
        )


def learned_text(
    file: Path, checkpoint: Checkpoint, source: str | None, option: str = "--originality"
) -> Corpus:
    """Read the text that a checkpoint's model learned, from `source` or from where its run says.

    It is read in the model's normal form, and characters that the model learned as U+FFFD
    (`--min-count`) are U+FFFD here too. `option` is the one that needs the text. Raises
    UsageError if the run does not say where the text is or there is no such file; TextError if
    that file is not, or no longer, the text that the model learned.
    """
    train = checkpoint.train
    if source is None:
        corpus = _text_of_run(file, checkpoint, option)
    else:
        corpus = read_texts(Sources((source,), lines=train.lines, normalize=train.normalize))
    if checkpoint.reads_replacement:
        corpus.recode(checkpoint.vocabulary, fold=True)
    return corpus


def _text_of_run(file: Path, checkpoint: Checkpoint, option: str) -> Corpus:
    last = Run(file.parent).last
    info = peek(last).corpus if last.is_file() else None
    if info is None or info.path is None or info.sha256 != checkpoint.corpus.sha256:
        raise UsageError(
            f"{option}: {file} does not say where its text is "
            f"({checkpoint.corpus.name}). Give it: --originality TEXT"
        )
    paths = text_paths(info)
    if not paths:
        raise UsageError(
            f"{option}: the text that the model learned, {info.path}, is not there. "
            "Give it: --originality TEXT"
        )
    train = checkpoint.train
    corpus = read_texts(Sources(paths, info.glob, train.lines, train.normalize))
    if corpus.sha256 != info.sha256:
        raise TextError(
            f"{paths[0]}: not the text that the model learned, or changed since. "
            "Give it: --originality TEXT"
        )
    return corpus


def compare(sampled: Sequence[str], corpus: Corpus) -> Originality:
    """Compare sampled texts with the text learned: some seconds per 100 million characters.

    Memory does not grow with the learned text. Sequences are compared by 64-bit hashes: of ordinary
    text, about one pair of different sequences in 10^12 is taken for equal.
    """
    texts = [_ids(text, corpus) for text in sampled]
    most = max(map(len, texts), default=0)
    if most < GRAM:
        return Originality("", None)
    best = _SequenceSearch(texts, GRAM)
    chunks = _matching_chunks(best, corpus, range(0, len(corpus.ids), CHUNK))
    new = best.share_not_found()
    if not chunks:
        return Originality("", new)
    # double the length as long as there is a match, then halve the gap to the first without one
    too_long = most + 1
    while 2 * best.length < too_long:
        longer = _SequenceSearch(texts, 2 * best.length)
        if matching := _matching_chunks(longer, corpus, chunks):
            best, chunks = longer, matching
        else:
            too_long = longer.length
    while too_long - best.length > 1:
        middle = _SequenceSearch(texts, (best.length + too_long) // 2)
        if matching := _matching_chunks(middle, corpus, chunks):
            best, chunks = middle, matching
        else:
            too_long = middle.length
    return Originality(best.first_found(sampled), new)


def copied(texts: Sequence[str], corpus: Corpus) -> list[bool]:
    """Whether each text stands, whole and word for word, in the text learned; an empty one does.

    One that begins with a newline is also found at the very beginning of the text learned.
    """
    found = [False] * len(texts)
    longest = max(map(len, texts), default=0)
    for start in range(0, len(corpus.ids), CHUNK):
        piece = corpus.vocabulary.decode(corpus.ids[start : start + CHUNK + longest])
        piece = piece if start else "\n" + piece
        for index, text in enumerate(texts):
            found[index] = found[index] or text in piece
    return found


def _matching_chunks(search: "_SequenceSearch", corpus: Corpus, chunks: Iterable[int]) -> list[int]:
    """Search chunks of the corpus, given by their starts; return those with a match."""
    matching = []
    for start in chunks:
        ids = corpus.ids[start : start + CHUNK + search.length - 1].astype(np.uint64)
        if search.mark_found(hashes_of_windows(ids, search.length)):
            matching.append(start)
    return matching


class _SequenceSearch(HashSearch):
    """A search in the corpus for all sequences of one length in some texts."""

    def __init__(self, texts: Sequence[Hashes], length: int) -> None:
        self.length = length
        self.text_hashes = [hashes_of_windows(ids, length) for ids in texts]
        super().__init__(np.concatenate(self.text_hashes))

    def share_not_found(self) -> float:
        """The share of the sequences in the texts, repeated ones included, that were not found."""
        return float(1 - self.were_found(np.concatenate(self.text_hashes)).mean())

    def first_found(self, texts: Sequence[str]) -> str:
        """The first sequence in the texts that was found, or ''."""
        for text, hashes in zip(texts, self.text_hashes, strict=True):
            places = np.flatnonzero(self.were_found(hashes))
            if len(places):
                return text[places[0] : places[0] + self.length]
        return ""


def _ids(text: str, corpus: Corpus) -> Hashes:
    """The corpus's ids of a text; a character that it lacks gets an id that never occurs in it."""
    ids = [corpus.vocabulary.id_of(character) for character in text]
    return np.array([len(corpus.vocabulary) if i is None else i for i in ids], dtype=np.uint64)
