"""Samples of a model that learned a list: whole lines, and those that are not in its list."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from charrnn_cli.errors import UsageError
from charrnn_cli.sampling.samples import Samples
from charrnn_cli.text.corpus import Corpus

MAX_ROUNDS = 100  # New items are looked for in so many times the samples that are wanted.


class NewItems:
    """Samples that are not items of the list that the model learned, nor equal to each other.

    Samples are drawn in rounds, each with the next random seed, until there are enough or
    `MAX_ROUNDS` are over. Raises UsageError if the model did not learn a list.
    """

    def __init__(self, samples: Samples, learned: Corpus) -> None:
        if not samples.checkpoint.train.lines:
            raise UsageError("--new: for models of lists, which were trained with --lines.")
        self.samples = samples
        text = learned.vocabulary.decode(np.asarray(learned.ids))
        self.known = set(text.split("\n"))
        self.texts: list[str] = []  # the new items so far

    @property
    def notes(self) -> tuple[str, ...]:
        """What to say at the end, if too few were found."""
        found, wanted = len(self.texts), self.samples.request.num_samples
        if found == wanted:
            return ()
        return (f"Note: only {found:,} of {wanted:,} are not in the list that was learned.",)

    def text(self, separator: str = "") -> Iterator[str]:
        """Yield the new items, each with its newline; a list needs no separator."""
        for drawn in self._rounds():
            texts = [""] * self.samples.request.num_samples
            for number, piece in drawn.draw():
                texts[number] += piece
            yield from filter(self._is_new, texts)

    def json_lines(self) -> Iterator[str]:
        """Yield what `Drawing.json_lines` yields, of the new items, numbered anew."""
        for drawn in self._rounds():
            for line in drawn.draw().json_lines():
                record = json.loads(line)
                if self._is_new(record["seed"] + record["text"]):
                    yield json.dumps(record | {"sample": len(self.texts) - 1}) + "\n"

    def _rounds(self) -> Iterator[Samples]:
        for number in itertools.count():
            if len(self.texts) == self.samples.request.num_samples or number == MAX_ROUNDS:
                return
            seed = (self.samples.random_seed + number) % 2**32
            yield replace(self.samples, random_seed=seed)

    def _is_new(self, item: str) -> bool:
        bare = item.removesuffix("\n")
        if bare in self.known or len(self.texts) == self.samples.request.num_samples:
            return False
        self.known.add(bare)
        self.texts.append(item)
        return True
