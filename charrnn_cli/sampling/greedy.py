"""Greedy decoding of many sources, as `translate --beam-size 1` decodes them."""

from collections.abc import Sequence

from charrnn_cli.models.decoder import Array
from charrnn_cli.models.seq2seq.decoder import PairDecoder
from charrnn_cli.sampling.beam_search import search_all


def decode_greedily(
    decoder: PairDecoder, sources: Sequence[Array], limits: Sequence[int]
) -> list[Array]:
    """The target of each source, ids (T,) without the end: always the most probable symbol, until
    the end, or until it has as many symbols as its limit. Sources are ids (S,) without the end."""
    return [best.ids for best, *_ in search_all(decoder, sources, limits)]
