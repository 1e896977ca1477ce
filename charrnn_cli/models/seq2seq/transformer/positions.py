"""Positions in sequences of any length."""

import functools

import numpy as np

from charrnn_cli.models.decoder import Floats
from charrnn_cli.models.transformer.config import ROPE_BASE

FIRST_POSITIONS = 64  # The smallest table has so many positions; each further one twice as many.


def rotation_tables(length: int, head_size: int) -> tuple[Floats, Floats]:
    """Cosine and sine (T, D) of the angles by which each position rotates a head's units: views of
    a longer table, which may not change."""
    cosine, sine = _rotation_tables(_positions(length), head_size)
    return cosine[:length], sine[:length]


def sinusoids(length: int, size: int) -> Floats:
    """What is added to the embeddings (T, H): sine and cosine of each position's angles (Vaswani et
    al. 2017), the sines in the first half of the units. A view of a longer table."""
    return _sinusoids(_positions(length), size)[:length]


def _positions(length: int) -> int:
    """How many positions the table for such a length has: a decoder, which needs one more at each
    step, makes few tables, that together are no larger than twice the last."""
    return max(FIRST_POSITIONS, 1 << (length - 1).bit_length())


@functools.cache
def _rotation_tables(positions: int, head_size: int) -> tuple[Floats, Floats]:
    return _cosine_and_sine(positions, head_size)


@functools.cache
def _sinusoids(positions: int, size: int) -> Floats:
    cosine, sine = _cosine_and_sine(positions, size)
    return np.concatenate([sine[:, : size // 2], cosine[:, : size // 2]], axis=1)


def _cosine_and_sine(positions: int, size: int) -> tuple[Floats, Floats]:
    half = np.arange(0, size, 2) / size
    angles = np.outer(np.arange(positions), ROPE_BASE**-half)
    angles = np.concatenate([angles, angles], axis=1)
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
