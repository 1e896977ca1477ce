"""Figures as people read them."""

import pytest

from charrnn_cli.formatting import duration, file_size


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "under 1 s"),
        (1, "1 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h 0 min"),
        (9000, "2 h 30 min"),
        (3_600_000, "1,000 h 0 min"),
    ],
)
def test_a_duration_has_two_units_at_most(seconds, words):
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1_000, "1.0 kB"), (99_949, "99.9 kB"),
     (100_000, "0.10 MB"), (2_345_678, "2.35 MB"), (1_234_500_000, "1234.50 MB")],
)  # fmt: skip
def test_a_file_of_any_size_has_a_figure_that_is_not_zero(size, words):
    assert file_size(size) == words
