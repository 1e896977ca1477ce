"""The surprisal of the lines of a list, each read by itself."""

import numpy as np

from charrnn_cli.models.decoders import OpenDecoder
from charrnn_cli.scoring.surprisal import MAX_LOGITS, Bits, Ids, bits_of

MAX_ROWS = 256  # At most so many lines are read side by side.
MAX_PENDING = 1 << 16  # Of a line that goes on in the next block, at most so much is read again.


class ItemSurprisal:
    """Measures surprisal under a model that learned a list (`--lines`).

    Each line is read from a state of zero. Its first character is predicted from a newline, so that
    no character is without a surprisal, and the lines' order does not count. `newline` is its id.
    """

    def __init__(self, open_decoder: OpenDecoder, newline: int) -> None:
        self.open_decoder, self.newline = open_decoder, newline
        self._pending: Ids = np.empty(0, np.int64)  # the line that the last block cut

    def restart(self) -> None:
        """Begin another text."""
        self._pending = self._pending[:0]

    def bits(self, ids: Ids) -> Bits:
        """See `surprisal.Meter`; no bits are NaN."""
        text = np.concatenate([self._pending, ids])
        old = len(self._pending)
        starts = np.append(0, np.flatnonzero(text == self.newline) + 1)
        self._pending = text[starts[-1] :][-MAX_PENDING:]
        lengths = np.diff(np.append(starts, len(text)))
        inputs = np.concatenate([[self.newline], text])  # shifted: input i predicts character i
        measured = np.empty(len(text))
        order = np.argsort(-lengths, kind="stable")
        order = order[lengths[order] > 0]
        for begin in range(0, len(order), MAX_ROWS):
            some = order[begin : begin + MAX_ROWS]
            self._read(inputs, text, starts[some], lengths[some], measured)
        return measured[old:]

    def _read(self, inputs: Ids, targets: Ids, starts: Ids, lengths: Ids, measured: Bits) -> None:
        """Read lines side by side, the longest first, and write the surprisal of each character to
        `measured`."""
        count = len(starts)
        decoder = self.open_decoder(count)
        decoder.set_state(None)
        at_once = max(1, MAX_LOGITS // (count * decoder.vocabulary_size))
        for begin in range(0, int(lengths[0]), at_once):
            steps = np.arange(begin, min(begin + at_once, int(lengths[0])))[:, None]
            places = starts + np.minimum(steps, lengths - 1)  # (T, B)
            bits = bits_of(decoder.logits(inputs[places]), targets[places])
            own = steps < lengths
            measured[places[own]] = bits[own]
