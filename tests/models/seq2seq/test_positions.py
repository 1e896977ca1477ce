"""Positions of sequences of any length: their values, and the memory that they take."""

import tracemalloc

import numpy as np
import pytest

from charrnn_cli.models.seq2seq.transformer.positions import rotation_tables, sinusoids
from charrnn_cli.models.transformer.config import ROPE_BASE


@pytest.mark.parametrize("length", [1, 2, 63, 64, 65, 300])
def test_sinusoids_are_the_sines_and_cosines_of_each_place(length):
    angles = np.outer(np.arange(length), ROPE_BASE ** -(np.arange(0, 12, 2) / 12))
    expected = np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)
    np.testing.assert_array_equal(sinusoids(length, 12), expected)


@pytest.mark.parametrize("length", [1, 2, 63, 64, 65, 300])
def test_rotations_are_the_cosines_and_sines_of_each_place(length):
    angles = np.outer(np.arange(length), ROPE_BASE ** -(np.arange(0, 12, 2) / 12))
    angles = np.concatenate([angles, angles], axis=1)
    cosine, sine = rotation_tables(length, 12)
    np.testing.assert_array_equal(cosine, np.cos(angles).astype(np.float32))
    np.testing.assert_array_equal(sine, np.sin(angles).astype(np.float32))


def test_a_target_that_grows_symbol_by_symbol_takes_memory_for_few_tables():
    tracemalloc.start()
    for length in range(1, 513):
        sinusoids(length, 48)
        rotation_tables(length, 16)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    whole = 4 * 512 * (48 + 2 * 16)  # bytes of the tables for the whole target
    assert kept < 3 * whole
