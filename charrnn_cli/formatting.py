"""Figures as people read them: bits per character, and durations in words."""

import math


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
