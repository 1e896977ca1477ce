"""Decoders of pairs in NumPy: the logits of PyTorch, beams, and attention."""

import numpy as np
import pytest
import torch
from pairs import EVERY_MODEL, batch_of, make_pair_config, make_pair_weights, pad, random_pairs

from charrnn_cli.models.registry import build_pair_decoder
from charrnn_cli.models.weights import trained_model
from charrnn_cli.text.dataset import IGNORE

torch.set_num_threads(1)


def made(name, **sizes):
    """A configuration, random weights and a decoder with them."""
    config = make_pair_config(name, **sizes)
    weights = make_pair_weights(config)
    return config, weights, build_pair_decoder(config, weights)


def sources_of(config, count=3):
    return pad([[*source, config.source_end] for source, _ in random_pairs(count)], IGNORE)


@EVERY_MODEL
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_numpy_and_pytorch_agree_in_a_padded_batch(name, layers):
    config, weights, decoder = made(name, layers=layers)
    batch = batch_of(config, random_pairs(7, longest=40))
    with torch.no_grad():
        expected, _ = trained_model(config, weights, torch.device("cpu"))(batch, {})
    got = decoder.logits(batch.source.numpy(), batch.inputs.numpy())
    np.testing.assert_allclose(got, expected.numpy(), rtol=0, atol=1e-4)


def test_numpy_and_pytorch_agree_on_a_transformer_that_adds_no_positions():
    config, weights, decoder = made("transformer", adds_positions=False)
    batch = batch_of(config, random_pairs(7, longest=40))
    with torch.no_grad():
        expected, _ = trained_model(config, weights, torch.device("cpu"))(batch, {})
    got = decoder.logits(batch.source.numpy(), batch.inputs.numpy())
    np.testing.assert_allclose(got, expected.numpy(), rtol=0, atol=1e-4)


def test_a_transformer_that_adds_no_positions_gives_what_the_first_ones_gave():
    config, _, decoder = made("transformer", adds_positions=False)
    batch = batch_of(config, random_pairs(2))
    got = decoder.logits(batch.source.numpy(), batch.inputs.numpy())[-1, :, :4]
    # printed by the decoder of commit 8821b72, before there was `adds_positions`
    expected = [
        [0.848866, 1.317336, -0.980351, 2.532629],
        [-0.283347, -1.031711, 0.370750, 3.064147],
    ]
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-4)


@EVERY_MODEL
def test_beams_read_what_targets_of_their_own_would(name):
    config, _, decoder = made(name)
    source, rng = sources_of(config), np.random.default_rng(3)
    ids = rng.integers(0, config.vocabulary_size, (20, 3, 2))  # (T, B, K)
    decoder.encode(source, beams=2)
    together = np.stack([decoder.step(row) for row in ids])
    for beam in range(2):
        alone = decoder.logits(source, ids[:, :, beam])
        np.testing.assert_allclose(together[:, :, beam], alone, rtol=0, atol=1e-5)


@EVERY_MODEL
def test_a_beam_that_follows_another_continues_it(name):
    config, _, decoder = made(name)
    source = sources_of(config)
    decoder.encode(source, beams=2)
    decoder.step(np.array([[1, 2], [3, 4], [5, 6]]))
    decoder.follow(np.array([[1, 1], [0, 1], [0, 0]]))
    after = decoder.step(np.array([[7, 8], [7, 8], [7, 8]]))
    for row, beam, first, second in [(0, 0, 2, 7), (0, 1, 2, 8), (1, 1, 4, 8), (2, 1, 5, 8)]:
        inputs = np.full((2, 3), 0)
        inputs[:, row] = first, second
        expected = decoder.logits(source, inputs)[-1, row]
        np.testing.assert_allclose(after[row, beam], expected, rtol=0, atol=1e-5)


@EVERY_MODEL
def test_sources_that_are_kept_go_on(name):
    config, _, decoder = made(name)
    source, inputs = sources_of(config), np.array([[1, 2, 3], [4, 5, 6]])
    expected = decoder.logits(source, inputs)
    decoder.encode(source)
    decoder.step(inputs[0][:, None])
    decoder.keep(np.array([0, 2]))
    after = decoder.step(inputs[1][[0, 2], None])[:, 0]
    np.testing.assert_allclose(after, expected[1][[0, 2]], rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["attention", "transformer"])
def test_attention_is_a_distribution_over_the_source_without_its_padding(name):
    config, _, decoder = made(name)
    source = sources_of(config)
    decoder.encode(source, beams=2)
    decoder.step(np.full((3, 2), config.end))
    assert decoder.attention.shape == (3, 2, len(source))
    np.testing.assert_allclose(decoder.attention.sum(-1), 1, atol=1e-5)
    assert not decoder.attention.transpose(2, 0, 1)[source == IGNORE].any()


def test_a_model_without_attention_shows_none():
    config, _, decoder = made("seq2seq")
    decoder.logits(sources_of(config), np.full((1, 3), config.end))
    assert decoder.attention is None
