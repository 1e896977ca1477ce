"""Which spans of a text are held out to measure the loss, and which are trained on."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from charrnn_cli.text.hashing import CHUNK, hashes_of_spans, scrambled
from charrnn_cli.text.vocabulary import Ids

Ints = npt.NDArray[np.int64]
HoldOut = Literal["end", "documents", "blocks", "items"]

BLOCKS = 20  # At most so many blocks are held out of a text, spread over it.
MIN_BLOCK = 100  # A block has at least so many characters.


class Spans(NamedTuple):
    """Parts of a text (D,), in its order: the characters from `first` up to `end` are predicted,
    with those from `origin` on as their context, where the document begins."""

    origin: Ints
    first: Ints
    end: Ints

    def some(self, which: npt.NDArray[np.generic]) -> "Spans":
        """Some of the spans, in their order."""
        return Spans(*(values[which] for values in self))

    @property
    def sizes(self) -> Ints:
        """The number of predicted characters of each (D,)."""
        return self.end - self.first


def _hold_out_ends(ids: Ids, spans: Spans, fraction: float) -> tuple[Spans, Spans]:
    origin, first, end = spans
    edge = np.maximum(first, end - np.round((end - first) * fraction).astype(np.int64))
    return _filled(Spans(origin, first, edge)), _filled(Spans(origin, edge, end))


def _hold_out_documents(ids: Ids, spans: Spans, fraction: float) -> tuple[Spans, Spans]:
    return _hold_out_some(ids, spans, fraction, whole_share=0.5)


def _hold_out_items(ids: Ids, spans: Spans, fraction: float) -> tuple[Spans, Spans]:
    return _hold_out_some(ids, spans, fraction, whole_share=1.0)


def _hold_out_some(
    ids: Ids, spans: Spans, fraction: float, whole_share: float
) -> tuple[Spans, Spans]:
    """Hold out spans in the order of their scrambled hashes, so that equal ones stay together and
    a changed text keeps its division. A document above `whole_share` of what is to be held out is
    trained on."""
    found = hashes_of_spans(ids, spans.first, np.minimum(spans.end, spans.first + CHUNK))
    found ^= spans.sizes.astype(np.uint64)  # only the beginning of a long document is read
    hashes, which = np.unique(found, return_inverse=True)
    sizes = np.bincount(which, spans.sizes)
    wanted = spans.sizes.sum() * fraction
    order = np.argsort(scrambled(hashes), kind="stable")
    if whole_share < 1:
        small = sizes[order] <= max(wanted * whole_share, np.median(sizes))
        order = order[small]
    count = 1 + int(np.searchsorted(np.cumsum(sizes[order]), wanted))
    held = np.zeros(len(hashes), np.bool_)
    held[order[: min(count, len(hashes) - 1)]] = True
    return spans.some(~held[which]), spans.some(held[which])


def _hold_out_blocks(ids: Ids, spans: Spans, fraction: float) -> tuple[Spans, Spans]:
    """The end of each of some equal stretches of each document."""
    train, held = [], []
    for origin, first, end in zip(*spans, strict=True):
        count = max(2, min(BLOCKS, int((end - first) * fraction) // MIN_BLOCK))
        edges = np.linspace(first, end, count + 1).round().astype(np.int64)
        cuts = edges[1:] - np.round(np.diff(edges) * fraction).astype(np.int64)
        # what is trained on begins where a block has ended: the block is not its context
        begins = np.where(edges[:-1] > first, edges[:-1], origin)
        train.append(Spans(begins, begins + 1, cuts))
        held.append(Spans(np.full(count, origin), cuts, edges[1:]))
    return _filled(_joined(train)), _filled(_joined(held))


def _joined(parts: Sequence[Spans]) -> Spans:
    return Spans(*map(np.concatenate, zip(*parts, strict=True)))


def _filled(spans: Spans) -> Spans:
    return spans.some(spans.sizes > 0)


DIVISIONS: Mapping[HoldOut, Callable[[Ids, Spans, float], tuple[Spans, Spans]]] = {
    "end": _hold_out_ends,
    "documents": _hold_out_documents,
    "blocks": _hold_out_blocks,
    "items": _hold_out_items,
}
