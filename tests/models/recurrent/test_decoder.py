"""The decoder in NumPy: its step is the PyTorch model's, for every size and number of streams."""

import gc
import threading

import numpy as np
import pytest
import torch

from charrnn_cli.models.recurrent.config import CELLS, RecurrentConfig
from charrnn_cli.models.recurrent.decoder import RecurrentDecoder
from charrnn_cli.models.recurrent.model import RecurrentModel
from charrnn_cli.models.weights import load_weights
from charrnn_cli.text.dataset import Batch

pytestmark = pytest.mark.slow  # every decoder reads hundreds of characters

torch.set_num_threads(1)

EVERY_MODEL = pytest.mark.parametrize("name", CELLS)
LENGTH = 1000
TOLERANCE = 1e-4


def make_weights(config: RecurrentConfig) -> dict[str, np.ndarray]:
    """Random weights as PyTorch itself would begin with: none so large that rounding grows."""
    rng = np.random.default_rng(7)
    bound = config.hidden_size**-0.5
    return {
        name: rng.uniform(-bound, bound, shape).astype(np.float32)
        for name, shape in config.parameter_shapes().items()
    }


def random_ids(config: RecurrentConfig, streams: int, length: int = LENGTH) -> np.ndarray:
    return np.random.default_rng(8).integers(0, config.vocabulary_size, (length, streams))


@torch.no_grad()
def torch_logits(config: RecurrentConfig, weights: dict, ids: np.ndarray) -> np.ndarray:
    """PyTorch's logits (T, B, V) for ids (T, B), all in one window."""
    model = RecurrentModel(config).eval()
    load_weights(model, weights)
    batch = Batch(torch.from_numpy(ids), None)
    logits, _ = model(batch, model.initial_state(ids.shape[1]))
    return logits.numpy()


def numpy_logits(config: RecurrentConfig, weights: dict, ids: np.ndarray) -> np.ndarray:
    """NumPy's logits (T, B, V) for ids (T, B), a step each."""
    decoder = RecurrentDecoder(config, weights, streams=ids.shape[1])
    return np.stack([decoder.step(row).copy() for row in ids])


@EVERY_MODEL
@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize(("hidden_size", "vocabulary_size"), [(1, 2), (1, 300), (13, 7), (48, 300)])
def test_one_stream_has_pytorchs_logits(name, num_layers, hidden_size, vocabulary_size):
    config = RecurrentConfig(name, vocabulary_size, hidden_size, num_layers, 0.5)
    weights, ids = make_weights(config), random_ids(config, streams=1)
    decoder = RecurrentDecoder(config, weights, streams=None)
    logits = np.stack([decoder.step(index).copy() for index in ids[:, 0].tolist()])
    expected = torch_logits(config, weights, ids)[:, 0]
    assert logits.shape == (LENGTH, vocabulary_size)
    np.testing.assert_allclose(logits, expected, rtol=0, atol=TOLERANCE)


@EVERY_MODEL
@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize(
    ("hidden_size", "vocabulary_size", "streams"), [(1, 300, 2), (13, 7, 1), (24, 40, 5)]
)
def test_several_streams_have_pytorchs_logits(
    name, num_layers, hidden_size, vocabulary_size, streams
):
    config = RecurrentConfig(name, vocabulary_size, hidden_size, num_layers, 0.0)
    weights, ids = make_weights(config), random_ids(config, streams)
    logits = numpy_logits(config, weights, ids)
    expected = torch_logits(config, weights, ids)
    assert logits.shape == (LENGTH, streams, vocabulary_size)
    np.testing.assert_allclose(logits, expected, rtol=0, atol=TOLERANCE)


@EVERY_MODEL
def test_gates_that_are_wide_open_or_shut_agree_too(name):
    config = RecurrentConfig(name, 7, 6, 2, 0.0)
    weights = {key: 20 * values for key, values in make_weights(config).items()}
    ids = random_ids(config, streams=3, length=1)
    np.testing.assert_allclose(
        numpy_logits(config, weights, ids), torch_logits(config, weights, ids), rtol=0, atol=1e-3
    )


@EVERY_MODEL
def test_a_stream_does_not_depend_on_what_the_others_read(name):
    config = RecurrentConfig(name, 9, 12, 2, 0.0)
    weights = make_weights(config)
    ids = random_ids(config, streams=3, length=100)
    others = ids.copy()
    others[:, 1:] = (others[:, 1:] + 1) % 9
    ours, theirs = numpy_logits(config, weights, ids), numpy_logits(config, weights, others)
    np.testing.assert_array_equal(ours[:, 0], theirs[:, 0])
    assert not np.allclose(ours[:, 1], theirs[:, 1])


@EVERY_MODEL
def test_streams_that_read_the_same_give_the_same(name):
    config = RecurrentConfig(name, 9, 12, 2, 0.0)
    ids = random_ids(config, streams=1, length=100).repeat(4, axis=1)
    logits = numpy_logits(config, make_weights(config), ids)
    np.testing.assert_allclose(logits, logits[:, :1].repeat(4, axis=1), rtol=0, atol=1e-6)


@EVERY_MODEL
def test_a_decoder_leaves_the_weights_as_they_were(name):
    config = RecurrentConfig(name, 9, 12, 2, 0.0)
    weights = make_weights(config)
    before = {key: values.copy() for key, values in weights.items()}
    numpy_logits(config, weights, random_ids(config, streams=2, length=20))
    for key, values in before.items():
        np.testing.assert_array_equal(weights[key], values)


@EVERY_MODEL
def test_decoders_of_the_same_weights_share_no_state(name):
    config = RecurrentConfig(name, 9, 12, 2, 0.0)
    weights = make_weights(config)
    first = RecurrentDecoder(config, weights, streams=None)
    expected = first.step(3).copy()
    first.step(4)
    np.testing.assert_array_equal(RecurrentDecoder(config, weights, streams=None).step(3), expected)


@EVERY_MODEL
@pytest.mark.parametrize("num_layers", [1, 3])
def test_a_second_core_changes_no_logits(name, num_layers):
    config = RecurrentConfig(name, 11, 40, num_layers, 0.5)
    weights, ids = make_weights(config), random_ids(config, streams=6, length=200)
    alone, helped = (RecurrentDecoder(config, weights, streams=6) for _ in range(2))
    helped.use_second_core()
    assert helped.thread is not None
    for place, row in enumerate(ids):
        if place in (0, 50, 120):  # also in the middle of a text
            for decoder in (alone, helped):
                decoder.set_state(None, [1, 4])
        np.testing.assert_array_equal(alone.step(row), helped.step(row))


def test_a_second_core_does_not_help_one_stream():
    config = RecurrentConfig("gru", 11, 8, 2, 0.5)
    decoder = RecurrentDecoder(config, make_weights(config), streams=None)
    decoder.use_second_core()
    assert decoder.thread is None


def test_the_thread_of_a_second_core_ends_with_its_decoder():
    config = RecurrentConfig("gru", 11, 8, 2, 0.5)
    decoder = RecurrentDecoder(config, make_weights(config), streams=3)
    before = set(threading.enumerate())
    decoder.use_second_core()
    (thread,) = set(threading.enumerate()) - before
    decoder.step(np.array([1, 2, 3]))
    del decoder
    gc.collect()
    thread.join(timeout=10)
    assert not thread.is_alive()


@pytest.mark.parametrize("streams", [None, 1, 3])
@EVERY_MODEL
def test_activations_are_the_units_of_all_layers(name, streams):
    config = RecurrentConfig(name, 9, 12, 2, 0.0)
    ids = random_ids(config, streams or 1, length=10)
    decoder = RecurrentDecoder(config, make_weights(config), streams)
    decoder.prefill(ids[:, 0] if streams is None else ids)
    units = decoder.activations()
    assert units.shape == ((config.units,) if streams is None else (config.units, streams))
    state = list(decoder.state().values())
    layers = [np.tanh(cells) for cells in state[1::2]] if name == "lstm" else state
    expected = np.concatenate(layers, axis=1).T
    np.testing.assert_array_equal(units.reshape(config.units, -1), expected)
