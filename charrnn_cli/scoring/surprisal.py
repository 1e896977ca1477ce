"""The surprisal of each character of a text under a model, in bits, block by block."""

import itertools
from typing import Protocol

import numpy as np
import numpy.typing as npt

from charrnn_cli.models.decoder import Floats, State
from charrnn_cli.models.decoders import OpenDecoder
from charrnn_cli.text.rows import WARM_UP, Rows, stateful_rows, windows, windows_at_once

Ids = npt.NDArray[np.int64]
Bits = npt.NDArray[np.float64]

# A batch row has at least so many characters of its own: in shorter rows, reading warm-ups costs
# more than reading rows in parallel gains.
SPAN = 4 * WARM_UP
MAX_LOGITS = 1 << 20  # At most so many logits are held in memory at once.


class Meter(Protocol):
    """Measures the surprisal of a text that is given in blocks."""

    def bits(self, ids: Ids) -> Bits:
        """The surprisal in bits (N,) of the text's next ids (N,), given all ids before; NaN for the
        first character of the text, which has no context."""

    def restart(self) -> None:
        """Begin another text: the next character has no context."""


class Surprisal:
    """Measures surprisal as `training.evaluation.held_out_loss` does, for texts of any length.

    For a model with a state (`context` is None), each block is read in batch rows
    (`text.rows.stateful_rows`), and the state is carried from block to block. A model with a
    limited context reads windows that overlap by half (`text.rows.windows`).
    """

    def __init__(self, open_decoder: OpenDecoder, context: int | None) -> None:
        self.open_decoder, self.context = open_decoder, context
        self.restart()

    def restart(self) -> None:
        """See `Meter`."""
        self._last: Ids = np.empty(0, np.int64)  # the characters before the next block
        self._dropped = 0  # number of characters before those
        self._state: State | None = None

    def bits(self, ids: Ids) -> Bits:
        """See `Meter`."""
        text = np.concatenate([self._last, ids])
        surprisal = np.full(len(ids), np.nan)
        if len(text) > 1:
            new = min(len(ids), len(text) - 1)
            surprisal[len(ids) - new :] = self._measure(text[:-1], text[1:], new)
        self._keep(text)
        return surprisal

    def _measure(self, inputs: Ids, targets: Ids, new: int) -> Bits:
        """The surprisal of the last `new` targets, given the inputs up to the same place."""
        total = len(inputs)
        measured = np.empty(total)
        if self.context is None:
            self._read(stateful_rows(total, SPAN), inputs, targets, measured)
        else:
            cut = windows(total, self.context, total - new)
            at_once = windows_at_once(self.context)
            for begin in range(0, cut.positions.shape[1], at_once):
                part = cut.some(slice(begin, begin + at_once))
                self._read(part, inputs, targets, measured)
        return measured[total - new :]

    def _read(self, cut: Rows, inputs: Ids, targets: Ids, measured: Bits) -> None:
        """Read batch rows, and write the surprisal of their own characters to `measured`."""
        steps, count = cut.positions.shape
        # a matrix of one column is slower than a vector
        decoder = self.open_decoder(None if count == 1 else count)
        decoder.set_state(None)
        before, after = self._state, self._state
        vocabulary_size = decoder.vocabulary_size
        longest = max(1, MAX_LOGITS // (count * vocabulary_size))
        edges = {0, cut.start, cut.end + 1, steps, *range(0, steps, longest)}
        for begin, end in itertools.pairwise(sorted(edges)):
            positions, own = cut.positions[begin:end], cut.own[begin:end]
            if begin == cut.start and self.context is None:
                decoder.set_state(before, slice(0, 1))
            ids = inputs[positions]
            logits = decoder.logits(ids[:, 0] if count == 1 else ids)
            bits = bits_of(logits.reshape(*ids.shape, vocabulary_size), targets[positions])
            measured[positions[own]] = bits[own]
            if end == cut.end + 1:
                after = {name: values[-1:] for name, values in decoder.state().items()}
        self._state = after

    def _keep(self, text: Ids) -> None:
        """Keep the characters that the next block needs as context."""
        if self.context is None:
            self._last = text[-1:]
            return
        span = self.context - self.context // 2
        place = self._dropped + len(text) - 1  # of the next block's first input in the whole text
        begin = max(0, (place - self.context // 2) // span) * span
        self._last, self._dropped = text[begin - self._dropped :], begin


def bits_of(logits: Floats, targets: Ids) -> Bits:
    """The surprisal of targets (…) under logits (…, V), in bits. The logits are overwritten."""
    logits -= logits.max(-1, keepdims=True)
    chosen = np.take_along_axis(logits, targets[..., None], -1)[..., 0]
    np.exp(logits, out=logits)
    bits: Bits = (np.log(logits.sum(-1, dtype=np.float64)) - chosen) / np.log(2)
    return bits
