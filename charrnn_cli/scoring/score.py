"""A text's score as one object, which a notebook shows as coloured text."""

from dataclasses import dataclass
from html import escape

import numpy as np

from charrnn_cli.checkpoints.checkpoint import Checkpoint
from charrnn_cli.errors import TextError
from charrnn_cli.scoring.scorer import BLOCK, scorer_of
from charrnn_cli.scoring.surprisal import Bits
from charrnn_cli.terminal.console import visible
from charrnn_cli.terminal.heatmap import SURPRISAL, text_colour

MAX_HTML = 5_000  # A notebook shows at most this many characters: each is an element of the page.


@dataclass(frozen=True)
class Score:
    """How surprising a text is to a model.

    `bits` are the surprisal of each character (N,), NaN for one without context; `bits_per_char` is
    their mean, `loss` the same in nats. `unknown` are the distinct characters that the model does
    not know.
    """

    text: str
    bits: Bits
    bits_per_char: float
    loss: float
    unknown: tuple[str, ...] = ()

    @property
    def perplexity(self) -> float:
        """Two to the power of `bits_per_char`."""
        return float(2.0**self.bits_per_char)

    def __repr__(self) -> str:
        return f"<Score of {len(self.text):,} characters: {self.bits_per_char:.3f} bits per char>"

    def _repr_html_(self) -> str:
        """The text coloured by surprisal, at most `MAX_HTML` characters of it, as HTML in which
        nothing of the text is markup."""
        shown = "".join(
            _element(character, float(bits))
            for character, bits in zip(self.text[:MAX_HTML], self.bits, strict=False)
        )
        more = len(self.text) - MAX_HTML
        rest = f"<div>and {more:,} more characters</div>" if more > 0 else ""
        legend = " ".join(
            f'<span style="{_style(level)}">&nbsp;{escape(name)}&nbsp;</span>'
            for level, name in enumerate(SURPRISAL.names())
        )
        return (
            f"<div><b>{self.bits_per_char:.3f} bits per character</b></div>"
            '<pre dir="auto" style="white-space: pre-wrap; overflow-wrap: anywhere">'
            f"{shown}</pre>{rest}<div><small>{SURPRISAL.unit}: {legend}</small></div>"
        )


def score_text(text: str, checkpoint: Checkpoint, device: str = "auto") -> Score:
    """Score a text. Raises TextError if it has fewer than 2 characters that the model can read."""
    if not text:
        raise TextError("the text is empty. Give some text.")
    scorer = scorer_of(checkpoint, device)
    blocks = [scorer.feed(text[begin : begin + BLOCK]) for begin in range(0, len(text), BLOCK)]
    text = "".join(block.text for block in blocks)  # in the model's normal form
    bits = np.concatenate([block.bits for block in blocks])
    if scorer.bits_per_char is None or scorer.loss is None:
        raise TextError("1 character; scoring needs at least 2. Give a longer text.")
    return Score(text, bits, scorer.bits_per_char, scorer.loss, tuple(scorer.unknown))


def _element(character: str, bits: float) -> str:
    shown = escape(visible(character))
    if np.isnan(bits):
        return shown
    style = _style(SURPRISAL.level(bits))
    return f'<span title="{bits:.2f} bits" style="{style}">{shown}</span>'


def _style(level: int) -> str:
    """A level's colours as CSS."""
    background = SURPRISAL.colours[level]
    if background is None:
        return ""
    return f"background: {background}; color: {text_colour(background)}"
