"""The learning rate over a run."""

import math

from charrnn_cli.config import TrainConfig

LINEAR_FALL = 0.7  # a linear schedule falls over this last share of a run


def learning_rate(share: float, config: TrainConfig) -> float:
    """The rate at a share of the run: a linear warm-up, then, by `config.schedule`, half a cosine
    to zero (Loshchilov and Hutter 2017), or the full rate and a straight fall to zero over the last
    `LINEAR_FALL` of the run (Hägele et al. 2024)."""
    if share < config.warmup:
        # never zero: the first steps would learn nothing
        return config.learning_rate * max(0.01, share / config.warmup)
    if config.schedule == "linear":
        return config.learning_rate * min(1.0, max(0.0, 1 - share) / LINEAR_FALL)
    rest = (share - config.warmup) / (1 - config.warmup) if config.warmup < 1 else 1.0
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * min(1.0, rest)))
