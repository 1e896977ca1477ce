"""What is made of a text once it is read: a running text, documents or a list of lines."""

import dataclasses

import numpy as np

from charrnn_cli.errors import TextError
from charrnn_cli.text.corpus import Corpus
from charrnn_cli.text.documents import Documents, HoldOut, as_documents, as_lines
from charrnn_cli.text.vocabulary import REPLACEMENT, Vocabulary


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
