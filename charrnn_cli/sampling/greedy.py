"""Greedy decoding of many sources."""

from collections.abc import Sequence

import numpy as np

from charrnn_cli.models.decoder import Array
from charrnn_cli.models.seq2seq.decoder import PairDecoder
from charrnn_cli.text.dataset import IGNORE
from charrnn_cli.text.ragged import Ragged, Rows

ROWS_AT_ONCE = 128  # Sources are read so many side by side.
COMPACTED = 0.25  # Finished targets are left out once they are this share of those read.


def decode_greedily(
    decoder: PairDecoder, sources: Ragged, rows: Rows, limits: Sequence[int]
) -> list[Array]:
    """The target of each of some sources, ids (T,) without the end: always the most probable
    symbol, until the end or until it has as many symbols as `limits` (R,) allow."""
    found: list[Array] = [np.empty(0, np.int64)] * len(rows)
    order = np.argsort(sources.lengths(rows), kind="stable")
    for begin in range(0, len(order), ROWS_AT_ONCE):
        some = order[begin : begin + ROWS_AT_ONCE]
        most = np.asarray(limits)[some]
        for place, ids in zip(some, _decode(decoder, sources, rows[some], most), strict=True):
            found[place] = ids
    return found


def _decode(decoder: PairDecoder, sources: Ragged, rows: Rows, limits: Array) -> list[Array]:
    """The targets of sources that are read side by side."""
    decoder.encode(sources.padded(rows, int(sources.lengths(rows).max()), IGNORE))
    written = np.full((int(limits.max()) + 1, len(rows)), decoder.end)
    active = np.arange(len(rows))
    read = np.full((len(rows), 1), decoder.end)
    for step in range(int(limits.max())):
        read = decoder.step(read).argmax(axis=-1)  # (B, 1)
        written[step, active] = read[:, 0]
        going = (read[:, 0] != decoder.end) & (step + 1 < limits[active])
        if going.mean() > 1 - COMPACTED and going.any():
            continue
        kept = np.flatnonzero(going)
        if not len(kept):
            break
        active, read = active[kept], read[kept]
        decoder.keep(kept)
    lengths = np.minimum((written == decoder.end).argmax(axis=0), limits)
    return [written[:length, row] for row, length in enumerate(lengths)]
