"""Measures several things in turn, so that a busy machine slows all of them alike."""

import statistics
from collections.abc import Callable, Mapping


def medians(measures: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """The median of each measure over so many rounds.

    One more round goes before them and is discarded as a warm-up, unless `rounds` is 1.
    """
    results: dict[str, list[float]] = {name: [] for name in measures}
    warm_up = 1 if rounds > 1 else 0
    for round_ in range(warm_up + rounds):
        for name, measure in measures.items():
            value = measure()
            if round_ >= warm_up:
                results[name].append(value)
    return {name: statistics.median(values) for name, values in results.items()}


def setting(words: str) -> tuple[str | int, ...]:
    """The value of an option such as `--settings gru,256,1`: names and whole numbers."""
    return tuple(int(word) if word.isdigit() else word for word in words.split(","))
