"""Train, sample, score and inspect character-level language models."""

__version__ = "0.1.0"
