"""Greedy decoding of many sources, as `translate` decodes them by default."""

from collections.abc import Sequence

from charrnn_cli.models.decoder import Array
from charrnn_cli.models.seq2seq.decoder import PairDecoder
from charrnn_cli.sampling.beam_search import search

ROWS_AT_ONCE = 128  # Sources are read so many side by side.


def decode_greedily(
    decoder: PairDecoder, sources: Sequence[Array], limits: Sequence[int]
) -> list[Array]:
    """The target of each source, ids (T,) without the end: always the most probable symbol, until
    the end, or until it has as many symbols as its limit. Sources are ids (S,) without the end."""
    order = sorted(range(len(sources)), key=lambda place: len(sources[place]))
    found: dict[int, Array] = {}
    for begin in range(0, len(order), ROWS_AT_ONCE):
        some = order[begin : begin + ROWS_AT_ONCE]
        results = search(decoder, [sources[i] for i in some], [limits[i] for i in some])
        found |= {place: best.ids for place, (best, *_) in zip(some, results, strict=True)}
    return [found[place] for place in range(len(sources))]
