"""Measures several things in turn, so that a noisy machine is equally unkind to all of them."""

import statistics
from collections.abc import Callable, Mapping


def medians(measures: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """The median of each measure over so many rounds; a first round is thrown away."""
    results: dict[str, list[float]] = {name: [] for name in measures}
    for round_ in range(rounds + 1):
        for name, measure in measures.items():
            value = measure()
            if round_:
                results[name].append(value)
    return {name: statistics.median(values) for name, values in results.items()}
