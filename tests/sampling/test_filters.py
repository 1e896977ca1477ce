"""Which characters are kept and how likely each is: temperature, top-k, top-p, min-p."""

import numpy as np
import pytest
from factories import fuzz, logits_of
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from charrnn_cli.sampling.drawing import probabilities
from charrnn_cli.settings.configs import SamplingConfig


def kept(chances: np.ndarray) -> set[int]:
    return set(np.flatnonzero(chances).tolist())


def test_temperature_one_without_filters_gives_the_models_own_distribution():
    chances = probabilities(logits_of(0.5, 0.3, 0.2), SamplingConfig())
    np.testing.assert_allclose(chances, [0.5, 0.3, 0.2], atol=1e-6)


def test_logits_that_differ_by_a_constant_give_the_same_distribution():
    logits = logits_of(0.5, 0.3, 0.2)
    shifted = probabilities(logits + 100, SamplingConfig(temperature=0.7))
    np.testing.assert_allclose(
        shifted, probabilities(logits, SamplingConfig(temperature=0.7)), atol=1e-4
    )


def test_temperature_divides_the_logits():
    chances = probabilities(logits_of(0.5, 0.3, 0.2), SamplingConfig(temperature=0.5))
    squares = np.array([0.25, 0.09, 0.04])  # p ** (1 / 0.5)
    np.testing.assert_allclose(chances, squares / squares.sum(), atol=1e-6)


def test_temperature_zero_is_certain_of_the_most_likely_character():
    chances = probabilities(logits_of(0.2, 0.3, 0.5), SamplingConfig(temperature=0))
    assert chances.tolist() == [0, 0, 1]


def test_temperature_zero_takes_the_lowest_id_of_a_tie():
    chances = probabilities(logits_of(0.2, 0.4, 0.4), SamplingConfig(temperature=0))
    assert chances.tolist() == [0, 1, 0]


def test_temperature_zero_acts_on_each_stream():
    logits = np.array([[1, 2, 3], [3, 2, 1]], np.float32)
    chances = probabilities(logits, SamplingConfig(temperature=0))
    assert chances.tolist() == [[0, 0, 1], [1, 0, 0]]


@pytest.mark.parametrize("temperature", [0.01, 1.0, 1000.0])
def test_top_k_one_is_greedy(temperature):
    config = SamplingConfig(temperature=temperature, top_k=1)
    assert probabilities(logits_of(0.2, 0.4, 0.4), config).tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("chances", "k", "expected"),
    [
        ((0.1, 0.4, 0.2, 0.3), 2, {1, 3}),
        ((0.1, 0.4, 0.2, 0.3), 3, {1, 2, 3}),
        ((0.1, 0.4, 0.2, 0.3), 4, {0, 1, 2, 3}),
        ((0.1, 0.4, 0.2, 0.3), 99, {0, 1, 2, 3}),
        ((0.25, 0.25, 0.25, 0.25), 2, {0, 1}),
        ((0.2, 0.4, 0.2, 0.2), 2, {0, 1}),
        ((0.2, 0.2, 0.2, 0.4), 3, {0, 1, 3}),
    ],
)
def test_top_k_keeps_the_k_most_likely_and_of_a_tie_the_lowest_ids(chances, k, expected):
    assert kept(probabilities(logits_of(*chances), SamplingConfig(top_k=k))) == expected


@pytest.mark.parametrize(
    ("chances", "p", "expected"),
    [
        ((0.1, 0.15, 0.25, 0.5), 0.01, {3}),
        ((0.1, 0.15, 0.25, 0.5), 0.49, {3}),
        ((0.1, 0.15, 0.25, 0.5), 0.51, {2, 3}),
        ((0.1, 0.15, 0.25, 0.5), 0.74, {2, 3}),
        ((0.1, 0.15, 0.25, 0.5), 0.76, {1, 2, 3}),
        ((0.1, 0.15, 0.25, 0.5), 0.91, {0, 1, 2, 3}),
        ((0.1, 0.15, 0.25, 0.5), 1.0, {0, 1, 2, 3}),
        ((0.25, 0.25, 0.25, 0.25), 0.4, {0, 1}),
        ((0.2, 0.2, 0.4, 0.2), 0.55, {0, 2}),
    ],
)
def test_top_p_keeps_the_most_likely_that_together_reach_p(chances, p, expected):
    assert kept(probabilities(logits_of(*chances), SamplingConfig(top_p=p))) == expected


@pytest.mark.parametrize(
    ("chances", "p", "expected"),
    [
        ((0.1, 0.15, 0.25, 0.5), 0.0, {0, 1, 2, 3}),
        ((0.1, 0.15, 0.25, 0.5), 0.19, {0, 1, 2, 3}),
        ((0.1, 0.15, 0.25, 0.5), 0.21, {1, 2, 3}),
        ((0.1, 0.15, 0.25, 0.5), 0.31, {2, 3}),
        ((0.1, 0.15, 0.25, 0.5), 0.51, {3}),
        ((0.1, 0.4, 0.1, 0.4), 1.0, {1, 3}),
    ],
)
def test_min_p_keeps_those_at_least_p_times_as_likely_as_the_best(chances, p, expected):
    assert kept(probabilities(logits_of(*chances), SamplingConfig(min_p=p))) == expected


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (SamplingConfig(top_k=2), [0, 4 / 7, 3 / 7, 0]),
        (SamplingConfig(top_p=0.75), [0, 4 / 9, 3 / 9, 2 / 9]),
        (SamplingConfig(min_p=0.45), [0, 4 / 9, 3 / 9, 2 / 9]),
    ],
)
def test_what_is_kept_keeps_its_proportions(config, expected):
    chances = probabilities(logits_of(0.1, 0.4, 0.3, 0.2), config)
    np.testing.assert_allclose(chances, expected, atol=1e-6)


def test_temperature_comes_before_top_p():
    """Squared and scaled to 1, the first of these chances reaches a half alone; as it is, not."""
    config = SamplingConfig(temperature=0.5, top_p=0.5)
    assert kept(probabilities(logits_of(0.4, 0.3, 0.2, 0.1), config)) == {0}


def test_top_k_comes_before_top_p():
    """Of the best two alone, the first has four sevenths; of all four, less than a half."""
    config = SamplingConfig(top_k=2, top_p=0.5)
    assert kept(probabilities(logits_of(0.4, 0.3, 0.2, 0.1), config)) == {0}


def test_top_p_comes_before_min_p():
    """Were the last two gone before top-p, the first alone would reach a half."""
    config = SamplingConfig(top_p=0.5, min_p=0.6)
    assert kept(probabilities(logits_of(0.4, 0.3, 0.2, 0.1), config)) == {0, 1}


def test_the_logits_are_left_as_they_were():
    logits = logits_of(0.4, 0.3, 0.2, 0.1)
    before = logits.copy()
    probabilities(logits, SamplingConfig(temperature=0.5, top_k=3, top_p=0.9, min_p=0.1))
    np.testing.assert_array_equal(logits, before)


# eighths are exact in float32: no two of them become one where they are shifted
SOME_LOGITS = arrays.arrays(
    np.float32,
    st.integers(1, 30),
    elements=st.integers(-400, 400).map(lambda n: n / 8) | st.sampled_from([-1.0, 0.0, 2.0]),
)
ANY_CONFIG = st.builds(
    SamplingConfig,
    temperature=st.floats(0, 1000) | st.sampled_from([0.0, 5e-324, 1e-300, 1e-40, 1e-3, 1.0]),
    top_k=st.none() | st.integers(1, 40),
    top_p=st.none() | st.floats(0, 1, exclude_min=True),
    min_p=st.none() | st.floats(0, 1),
)


@fuzz
@given(SOME_LOGITS, ANY_CONFIG)
def test_probabilities_are_none_negative_and_sum_to_one(logits, config):
    chances = probabilities(logits, config)
    assert chances.shape == logits.shape
    assert (chances >= 0).all()
    assert chances.sum() == pytest.approx(1, abs=1e-9)


@fuzz
@given(SOME_LOGITS, ANY_CONFIG)
def test_filters_never_turn_the_order_of_likelihood_round(logits, config):
    chances = probabilities(logits, config)
    rising = np.lexsort((-np.arange(len(logits)), logits))  # of a tie, the lowest id is the best
    assert (np.diff(chances[rising]) >= -1e-12).all()


def test_a_tie_in_one_stream_is_broken_whatever_the_others_keep():
    config = SamplingConfig(temperature=0.01, top_k=2)  # the first stream keeps one character
    together = probabilities(np.array([[9, 0, 0, 0], [1, 1, 1, 1]], np.float32), config)
    assert together.tolist() == [[1, 0, 0, 0], [0.5, 0.5, 0, 0]]


@fuzz
@given(
    arrays.arrays(np.float32, (4, 9), elements=st.sampled_from([-3.0, -1.0, 0.0, 0.5, 2.0])),
    ANY_CONFIG,
)
def test_streams_are_filtered_each_on_its_own(logits, config):
    together = probabilities(logits, config)
    alone = np.stack([probabilities(row, config) for row in logits])
    np.testing.assert_allclose(together, alone, atol=1e-12)
