"""The measure: which head follows what, on models whose heads were made to follow something."""

import numpy as np
import pytest
from factories import SONNETS, fuzz, make_checkpoint
from hypothesis import given
from hypothesis import strategies as st
from studied import LETTERS, gpt2_that_repeats, letters_at_random, with_weights

from charrnn_cli.attention.patterns import PATTERNS, Text
from charrnn_cli.attention.probe import MAX_WEIGHTS, SPAN, by_distance, measure, study
from charrnn_cli.models.registry import build_decoder, untrained_weights

pytestmark = pytest.mark.xdist_group("heads")  # they are studied once

EVERY_MODEL = pytest.mark.parametrize("name", ["gpt2", "llama"])
VERSE = SONNETS.read_text()[:2100]
RANDOM = letters_at_random(3000)


@pytest.fixture(scope="module")
def repeats():
    """The study of a model with an induction head."""
    return study(gpt2_that_repeats(), RANDOM)


@pytest.mark.parametrize(
    ("pattern", "layer", "head", "least"),
    [
        ("previous character", 0, 0, 0.99),
        ("same character", 0, 1, 0.4),  # the character itself has the rest
        ("induction", 1, 0, 0.5),  # some letters have occurred twice
    ],
)
def test_the_head_that_follows_a_pattern_is_found(repeats, pattern, layer, head, least):
    (best,) = (finding for finding in repeats.best if finding.pattern.name == pattern)
    assert (best.layer, best.head) == (layer, head)
    assert best.is_followed
    assert best.weight > least


def test_heads_are_ranked_by_what_they_follow(repeats):
    gains = [head.findings[0].gain for head in repeats.heads]
    assert gains == sorted(gains, reverse=True)
    first, last = repeats.heads[0], repeats.heads[-1]
    assert (first.layer, first.head) == (0, 0)
    assert first.followed[0].pattern.name == "previous character"
    assert (last.layer, last.head, last.followed) == (1, 1, ())


def test_a_head_that_looks_at_the_previous_character_looks_back_by_one(repeats):
    head = repeats.heads[0]
    assert head.look_back == pytest.approx(1, abs=0.02)
    assert head.spread == pytest.approx(1, abs=0.05)


def test_a_head_that_attends_evenly_has_the_even_weight_and_all_of_the_spread(repeats):
    head = repeats.heads[-1]
    for finding in head.findings:
        assert finding.weight == pytest.approx(finding.even, abs=1e-4)
    assert head.look_back == pytest.approx(np.mean(np.arange(8, 16)) / 2, abs=0.02)
    assert head.spread == pytest.approx(np.exp(np.log(np.arange(9, 17)).mean()), abs=0.02)


@pytest.mark.slow
def test_what_follows_from_the_distance_alone_is_no_gain():
    """A head that prefers near characters looks more often than evenly at a near occurrence."""
    checkpoint = gpt2_that_repeats()
    first = checkpoint.weights["blocks.0.attention.qkv.weight"].copy()
    size = checkpoint.model.hidden_size
    first[:16, len(LETTERS) : len(LETTERS) + 16] = 0
    first[0, len(LETTERS) : len(LETTERS) + 16] = 5
    first[size, len(LETTERS) : len(LETTERS) + 16] = 0.05 * np.arange(16)
    found = study(with_weights(checkpoint, {"blocks.0.attention.qkv.weight": first}), RANDOM)
    (head,) = (head for head in found.heads if (head.layer, head.head) == (0, 0))
    (same,) = (f for f in head.findings if f.pattern.name == "same character")
    assert same.by_distance == pytest.approx(same.weight, abs=0.01)
    assert same.gain <= 0.01


def test_the_patterns_of_words_and_lines_are_left_out_where_there_are_none(repeats):
    assert {"line start", "word start"} <= {pattern.name for pattern in repeats.left_out}


@pytest.mark.slow
@EVERY_MODEL
def test_nothing_is_found_in_an_untrained_model(name):
    checkpoint = make_checkpoint(name, 16, 2, vocabulary=VERSE)
    fresh = with_weights(checkpoint, untrained_weights(checkpoint.model))
    found = study(fresh, VERSE)
    assert found.best
    assert not any(finding.is_followed for finding in found.best)
    assert not any(head.followed for head in found.heads)


@pytest.mark.parametrize("name", ["gpt2", pytest.param("llama", marks=pytest.mark.slow)])
def test_the_measures_are_means_over_the_attention_of_each_window(name, monkeypatch):
    checkpoint = make_checkpoint(name, 8, 2, vocabulary=VERSE)
    config, text = checkpoint.model, VERSE[:1203]
    ids, asked = checkpoint.vocabulary.encode(text), Text(text)
    monkeypatch.setattr("charrnn_cli.attention.probe.MAX_WEIGHTS", 500)  # parts of windows
    (got,) = measure(config, (checkpoint.weights,), ids, asked)
    rows = {0: [], 1: []}
    for start in range(0, 1200, 8):
        window = ids[start : start + 16]
        attention = build_decoder(config, checkpoint.weights).attention(window)
        attention = attention.reshape(4, len(window), len(window))
        for step in range(0 if start == 0 else 8, len(window)):
            at = np.array([start + step])
            masks = np.stack([pattern.mask(asked, at, start)[0] for pattern in PATTERNS])
            rows[1 - int(at[0]) // SPAN % 2].append((attention[:, step, : step + 1], masks))
    assert sum(map(len, rows.values())) == len(text)
    for half in (0, 1):
        for index in range(len(PATTERNS)):
            some = [(w, m[index]) for w, m in rows[1 - half] if m[index].any()]
            assert got.places[half, index] == len(some)
            if some:
                expected = np.mean([w[:, m].sum(1) for w, m in some], axis=0)
                np.testing.assert_allclose(got.weight[half, :, index], expected, atol=1e-4)
                even = np.mean([m.mean() for _, m in some])
                assert got.even[half, index] == pytest.approx(even)
        back = np.mean([w @ np.arange(w.shape[1])[::-1] for w, _ in rows[1 - half]], axis=0)
        np.testing.assert_allclose(got.look_back[half], back, atol=1e-3)
    assert MAX_WEIGHTS > 500


@EVERY_MODEL
def test_an_untrained_transformer_begins_as_a_training_does(name):
    from charrnn_cli.models.transformer.model import TransformerModel

    config = make_checkpoint(name, 24, 2, vocabulary=VERSE).model
    ours = untrained_weights(config)
    theirs = {name: p.detach().numpy() for name, p in TransformerModel(config).named_parameters()}
    assert ours.keys() == theirs.keys()
    for key, values in theirs.items():
        assert ours[key].shape == values.shape
        if values.ndim == 1:
            np.testing.assert_array_equal(ours[key], values)
        else:
            assert ours[key].std() == pytest.approx(values.std(), rel=0.15)


@pytest.mark.slow
def test_the_share_done_of_a_study_of_heads_rises_to_one():
    shares = []
    study(gpt2_that_repeats(), RANDOM[:2000], shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1


@fuzz
@given(st.integers(1, 5), st.integers(1, 9), st.integers(0, 9))
def test_weights_by_distance_are_the_weights_counted_backwards(heads, steps, before):
    size = before + steps
    weights = np.random.default_rng(0).random((heads, steps, size), dtype=np.float32)
    weights[:, np.arange(size) > np.arange(before, size)[:, None]] = 0
    got = by_distance(weights)
    for step in range(steps):
        last = before + step
        np.testing.assert_array_equal(got[:, step, : last + 1], weights[:, step, last::-1])
        assert not got[:, step, last + 1 :].any()
