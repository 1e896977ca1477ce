"""Positions in sequences of any length."""

import functools

import numpy as np

from charrnn_cli.models.decoder import Floats
from charrnn_cli.models.transformer.config import ROPE_BASE


@functools.lru_cache(maxsize=256)  # batches have few different lengths
def rotation_tables(length: int, head_size: int) -> tuple[Floats, Floats]:
    """Cosine and sine (T, D) of the angles by which each position rotates a head's units."""
    half = np.arange(0, head_size, 2) / head_size
    angles = np.outer(np.arange(length), ROPE_BASE**-half)
    angles = np.concatenate([angles, angles], axis=1)
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


@functools.lru_cache(maxsize=256)
def sinusoids(length: int, size: int) -> Floats:
    """What is added to the embeddings (T, H): sine and cosine of each position's angles (Vaswani et
    al. 2017), the sines in the first half of the units."""
    cosine, sine = rotation_tables(length, size)
    return np.concatenate([sine[:, : size // 2], cosine[:, : size // 2]], axis=1)
