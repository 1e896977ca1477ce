"""Figures as people read them, and names that are nearly right."""

import difflib
import math
from collections.abc import Iterable, Mapping


def bits_per_char(loss: float) -> float:
    """A loss in nats per character as bits per character."""
    return loss / math.log(2)


def duration(seconds: float) -> str:
    """Seconds in words, such as `1 min 23 s`."""
    if seconds < 1:
        return "under 1 s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes} min"
    if minutes:
        return f"{minutes} min {rest} s"
    return f"{rest} s"


def file_size(size: int) -> str:
    """A number of bytes in words, such as `840 bytes`, `12.3 kB` or `1.75 MB`."""
    if size < 1_000:
        return f"{size} byte{'s' * (size != 1)}"
    if size < 100_000:
        return f"{size / 1e3:.1f} kB"
    return f"{size / 1e6:.2f} MB"


def did_you_mean(word: str, known: Iterable[str], others: Mapping[str, str] | None = None) -> str:
    """A sentence with the known words that are most like `word`, or nothing."""
    known = list(known)
    if others and word in others:
        return f"Did you mean {others[word]}?"
    like = difflib.get_close_matches(word, known, n=3, cutoff=0.6)
    like = like or [name for name in known if len(word) > 1 and name.startswith(word)][:3]
    return f"Did you mean {' or '.join(like)}?" if like else ""
