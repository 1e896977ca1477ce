"""The held-out part of a text, looked at before its loss is believed."""

import dataclasses
import math
from typing import NamedTuple

import numpy as np

from charrnn_cli.text.corpus import Corpus
from charrnn_cli.text.dataset import Dataset
from charrnn_cli.text.documents import Documents, as_documents
from charrnn_cli.text.hashing import HashSearch, hashes_of_windows
from charrnn_cli.text.vocabulary import Ids
from charrnn_cli.training.baselines import measure_baselines
from charrnn_cli.training.best import UNIGRAM_MARGIN

SHORT = 1_000  # A held-out part of fewer characters says little,
NOTHING = 100  # and one of fewer than these says nothing of how a run ended.
# The held-out end is unlike the rest if a 5-gram model that was counted on characters before it
# loses this many nats per character more on it than one does on blocks spread over the text.
UNLIKE_NATS = 0.3
COUNTED, MEASURED = 50_000, 10_000  # characters of that comparison
PIECE = 1_000  # which are taken in pieces of so many
COPY = 50  # A sequence of so many characters that also stands in the other part is a copy.
COPIED = 0.5  # With this share of copies, the held-out loss measures memory.
SEARCHED = 5_000_000  # At most so many training characters, the last, are searched for copies.
SEARCH_CHUNK = 1 << 16


class HeldOut(NamedTuple):
    """What was found of a held-out part: its characters, the share of its sequences that stand in
    the part trained on."""

    characters: int
    copied: float

    @property
    def too_short(self) -> bool:
        """Whether its loss says little."""
        return self.characters < SHORT

    @property
    def says_nothing(self) -> bool:
        """Whether its loss changes by chance alone."""
        return self.characters < NOTHING

    @property
    def chance(self) -> float:
        """How far its loss may rise from one evaluation to another by chance, in nats."""
        return 1 / math.sqrt(self.characters)

    @property
    def measures_memory(self) -> bool:
        """Whether a model that only remembers does well on it."""
        return self.copied > COPIED

    def notes(self) -> tuple[str, ...]:
        """What the user should know before the training, a note each."""
        notes = []
        if self.too_short:
            notes.append(
                f"only {self.characters:,} characters are held out, so that the held-out loss is a "
                "rough guess; a longer text, a larger --val-fraction or a --val-text makes it "
                "better"
            )
        if self.measures_memory:
            notes.append(
                f"{self.copied:.0%} of the held-out part stands word for word in the part trained "
                "on as well: its loss measures memory. Remove what is repeated, or hold out "
                "another text: --val-text"
            )
        return tuple(notes)


def held_out_facts(dataset: Dataset, fraction: float) -> HeldOut:
    """What can be said of the held-out part of a dataset."""
    train_part, held_out = dataset.split(fraction)
    if isinstance(dataset, Documents) and dataset.lines and dataset.val_text is None:
        return HeldOut(len(held_out), 0.0)  # equal lines are never on both sides
    return HeldOut(len(held_out), copied_share(train_part.ids, held_out.ids))


def with_fair_hold_out(
    dataset: Corpus | Documents, fraction: float
) -> tuple[Corpus | Documents, tuple[str, ...]]:
    """The dataset, and notes on its held-out part. If that is the end of the text, and unlike the
    rest, blocks spread over the text are held out instead."""
    notes: tuple[str, ...] = ()
    if is_unlike(dataset, fraction):
        if dataset.val_text is None:
            dataset = in_blocks(dataset)
            notes = (
                "the end of the text is unlike the rest (another kind of text, other characters, "
                "or an order that runs through it): blocks spread over the text are held out "
                "instead. If the end does not belong to the text, remove it",
            )
        else:
            notes = (
                "the --val-text is unlike the text: its loss says how well the model fits another "
                "kind of text",
            )
    return dataset, notes + held_out_facts(dataset, fraction).notes()


def in_blocks(dataset: Corpus | Documents) -> Documents:
    """The dataset with blocks spread over it held out."""
    if isinstance(dataset, Corpus):
        return as_documents(dataset, "blocks")
    return dataclasses.replace(dataset, hold_out="blocks")


def is_unlike(dataset: Corpus | Documents, fraction: float) -> bool:
    """Whether the held-out end of a text, or the `val_text`, is unlike the rest.

    Held-out parts drawn at random are not, nor where one, or the blocks that it is compared with,
    is too short to tell.
    """
    train_part, held_out = dataset.split(fraction)
    if isinstance(dataset, Documents):
        drawn = dataset.hold_out != "end" and dataset.val_text is None
        if drawn or dataset.lines:
            return False
    if len(held_out) < SHORT:
        return False
    blocks = in_blocks(dataclasses.replace(dataset, val_text=None)).split(fraction)
    if len(blocks[1]) < SHORT:
        return False
    size = len(dataset.vocabulary)
    end = measure_baselines(train_part.ids[-COUNTED:], spread(held_out.ids, MEASURED), size)
    like = measure_baselines(spread(blocks[0].ids, COUNTED), spread(blocks[1].ids, MEASURED), size)
    return (
        end.unigram > end.uniform + UNIGRAM_MARGIN or end.five_gram > like.five_gram + UNLIKE_NATS
    )


def spread(ids: Ids, count: int) -> Ids:
    """About `count` of ids (N,), in pieces spread evenly over them; all if there are no more."""
    if len(ids) <= count:
        return ids
    starts = np.linspace(0, len(ids) - PIECE, count // PIECE).astype(np.int64)
    taken: Ids = ids[(starts[:, None] + np.arange(PIECE)).ravel()]
    return taken


def copied_share(train_ids: Ids, held_out_ids: Ids) -> float:
    """The share of the sequences of `COPY` held-out characters that stand in the training part."""
    if min(len(train_ids), len(held_out_ids)) < COPY:
        return 0.0
    sequences = hashes_of_windows(spread(held_out_ids, MEASURED).astype(np.uint64), COPY)
    search = HashSearch(sequences)
    searched = train_ids[-SEARCHED:]
    for start in range(0, len(searched), SEARCH_CHUNK):
        chunk = searched[start : start + SEARCH_CHUNK + COPY - 1].astype(np.uint64)
        search.mark_found(hashes_of_windows(chunk, COPY))
    return float(search.were_found(sequences).mean())
