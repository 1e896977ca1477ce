"""What is made of a text once it is read: a running text, documents or a list of lines."""

import dataclasses
import itertools

import numpy as np

from charrnn_cli.errors import TextError
from charrnn_cli.text.corpus import Corpus
from charrnn_cli.text.documents import Documents, as_documents, as_lines
from charrnn_cli.text.holding_out import HoldOut
from charrnn_cli.text.vocabulary import REPLACEMENT, Vocabulary

LOOKED_AT = 200_000  # So many characters are looked at to tell a list from a text.
MIN_LINES = 50  # A list has at least so many lines.
SHORT_LINE = 30  # Nearly all lines of a list have at most so many characters; verse has more.
NEARLY_ALL = 0.98


def looks_like_list(corpus: Corpus) -> bool:
    """Whether nearly all lines of a text are short and different, or in sorted order, with no empty
    one: then each is rather an item than a part of a text."""
    text = corpus.vocabulary.decode(corpus.ids[:LOOKED_AT])
    lines = text.split("\n")[:-1]
    if len(lines) < MIN_LINES or "" in lines or "\t" in text:
        return False
    short = sum(len(line) <= SHORT_LINE for line in lines) >= NEARLY_ALL * len(lines)
    different = len(set(lines)) >= NEARLY_ALL * len(lines)
    keys = [line.casefold() for line in lines]
    ordered = sum(a <= b for a, b in itertools.pairwise(keys)) >= NEARLY_ALL * (len(lines) - 1)
    return (short and different) or ordered


def arranged(
    corpus: Corpus,
    *,
    lines: bool = False,
    hold_out: HoldOut | None = None,
    val_text: Corpus | None = None,
) -> Corpus | Documents:
    """The dataset of a text: a list of its `lines`, its documents if it has several, or itself.

    `hold_out` is how it is to be divided, chosen by the number of documents unless given. With a
    `val_text` that is the held-out part instead. Raises TextError.
    """
    if lines:
        dataset: Corpus | Documents = as_lines(corpus)
    elif len(corpus.document_starts) > 1 or hold_out == "blocks":
        dataset = as_documents(corpus, hold_out)
    else:
        dataset = corpus
    if val_text is None:
        return dataset
    measured = arranged(val_text, lines=lines)
    if len(measured) < 2:
        raise TextError(
            f"{val_text.name}: only {len(measured)} characters. Give a longer --val-text."
        )
    return dataclasses.replace(dataset, val_text=measured)


def unite_vocabularies(corpus: Corpus, val_text: Corpus) -> None:
    """Give both texts one vocabulary: characters that only the held-out one has get ids as well,
    unless rare characters are read as U+FFFD. Both are recoded in place."""
    if REPLACEMENT in corpus.vocabulary:
        val_text.recode(corpus.vocabulary, fold=True)
        return
    points = np.union1d(corpus.vocabulary.code_points, val_text.vocabulary.code_points)
    vocabulary = Vocabulary(points)
    corpus.recode(vocabulary, fold=False)
    val_text.recode(vocabulary, fold=False)
