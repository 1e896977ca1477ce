"""The learning rate over a run."""

import math

from charrnn_cli.config import TrainConfig


def learning_rate(share: float, config: TrainConfig) -> float:
    """The learning rate at a share of the run, 0 to 1: a linear warm-up, then half a cosine to zero
    (Loshchilov and Hutter 2017)."""
    if share < config.warmup:
        # never zero: the first steps would learn nothing
        return config.learning_rate * max(0.01, share / config.warmup)
    rest = (share - config.warmup) / (1 - config.warmup) if config.warmup < 1 else 1.0
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * min(1.0, rest)))
