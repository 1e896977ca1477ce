"""Samples of a model that learned a list: whole lines, and those that are not in its list."""

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

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
        self.known = _items_of(learned)
        self.texts: list[str] = []  # the new items so far, each after the prompt

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
        bare = item.strip("\n")
        if bare in self.known or len(self.texts) == self.samples.request.num_samples:
            return False
        self.known.add(bare)
        self.texts.append(item.removeprefix(self.samples.prompt.text))
        return True


@dataclass(frozen=True)
class ItemOriginality:
    """How many of `count` sampled items are not in the list learned."""

    new: int
    count: int

    def in_words(self, learned: Corpus) -> str:
        """One line for the user; `learned` is the list that the samples were compared with."""
        return f"originality: {self.new:,} of {self.count:,} lines are not in {learned.name}"


def compare_items(prompt: str, texts: Sequence[str], learned: Corpus) -> ItemOriginality:
    """Compare sampled items, each the prompt and a text after it, with the list learned."""
    known = _items_of(learned)
    items = [(prompt + text).strip("\n") for text in texts]
    return ItemOriginality(sum(item not in known for item in items), len(items))


def _items_of(learned: Corpus) -> set[str]:
    return set(learned.vocabulary.decode(np.asarray(learned.ids)).split("\n"))
