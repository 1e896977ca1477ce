"""What every decoder does, in NumPy or in PyTorch: step, read, and take and give its state."""

import numpy as np
import pytest
import torch
from factories import make_checkpoint

from charrnn_cli.models.base import ModelConfig
from charrnn_cli.models.decoder import Decoder
from charrnn_cli.models.recurrent.config import CELLS
from charrnn_cli.models.registry import build_decoder
from charrnn_cli.models.torch_decoder import TorchDecoder
from charrnn_cli.models.weights import trained_model

pytestmark = pytest.mark.slow  # every decoder reads hundreds of characters

torch.set_num_threads(1)

EVERY_MODEL = pytest.mark.parametrize("name", CELLS)


def torch_decoder(config: ModelConfig, weights: dict, streams: int | None) -> TorchDecoder:
    return TorchDecoder(trained_model(config, weights, torch.device("cpu")), streams)


BOTH = pytest.mark.parametrize("make", [build_decoder, torch_decoder], ids=["numpy", "torch"])
STREAMS = pytest.mark.parametrize("streams", [None, 1, 3])


def model_and_ids(name: str, streams: int | None) -> tuple[ModelConfig, dict, np.ndarray]:
    """A small model, its weights and ids (T,) for one stream or (T, B)."""
    checkpoint = make_checkpoint(name, hidden_size=12, vocabulary="abcdefghi")
    weights = {key: 0.5 * values for key, values in checkpoint.weights.items()}  # not chaotic
    shape = 300 if streams is None else (300, streams)
    return checkpoint.model, weights, np.random.default_rng(8).integers(0, 9, shape)


def stepped(decoder: Decoder, ids: np.ndarray) -> np.ndarray:
    """The logits after each of the ids, read one by one."""
    return np.stack([decoder.step(row).copy() for row in ids])


def close(values: np.ndarray, expected: np.ndarray) -> None:
    assert values.shape == expected.shape
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-5)


@EVERY_MODEL
@pytest.mark.parametrize("streams", [None, 1, 3])
def test_the_torch_decoder_steps_as_numpys_does(name, streams):
    config, weights, ids = model_and_ids(name, streams)
    ours = build_decoder(config, weights, streams)
    theirs = torch_decoder(config, weights, streams)
    close(stepped(theirs, ids), stepped(ours, ids))


@BOTH
@STREAMS
@EVERY_MODEL
def test_logits_are_those_of_each_step(name, streams, make):
    config, weights, ids = model_and_ids(name, streams)
    expected = stepped(make(config, weights, streams), ids)
    decoder = make(config, weights, streams)
    parts = [decoder.logits(ids[:1]), decoder.logits(ids[1:200]), decoder.logits(ids[200:])]
    close(np.concatenate(parts), expected)


@BOTH
@STREAMS
@EVERY_MODEL
def test_a_prompt_gives_the_logits_of_its_last_step(name, streams, make):
    config, weights, ids = model_and_ids(name, streams)
    expected = stepped(make(config, weights, streams), ids)
    decoder = make(config, weights, streams)
    close(decoder.prefill(ids[:1]), expected[0])
    close(decoder.prefill(ids[1:200]), expected[199])
    close(decoder.step(ids[200]), expected[200])


@BOTH
@STREAMS
@EVERY_MODEL
def test_what_is_read_counts_as_a_step(name, streams, make):
    config, weights, ids = model_and_ids(name, streams)
    expected = stepped(make(config, weights, streams), ids[:3])
    decoder = make(config, weights, streams)
    decoder.read(ids[0])
    decoder.read(ids[1])
    close(decoder.step(ids[2]), expected[2])


@BOTH
@STREAMS
@EVERY_MODEL
def test_the_state_has_the_shapes_that_the_config_names(name, streams, make):
    config, weights, ids = model_and_ids(name, streams)
    decoder = make(config, weights, streams)
    decoder.step(ids[0])
    shapes = {key: values.shape for key, values in decoder.state().items()}
    assert shapes == config.state_shapes(streams or 1)


@BOTH
@STREAMS
@EVERY_MODEL
def test_another_decoder_goes_on_from_a_state(name, streams, make):
    config, weights, ids = model_and_ids(name, streams)
    first, second = (make(config, weights, streams) for _ in range(2))
    expected = stepped(first, ids[:20])
    second.prefill(ids[:10])
    state = second.state()
    third = make(config, weights, streams)
    third.set_state(state)
    close(stepped(third, ids[10:20]), expected[10:])


@pytest.mark.parametrize("streams", [None, 3])
@EVERY_MODEL
def test_a_state_of_one_decoder_serves_the_other(name, streams):
    config, weights, ids = model_and_ids(name, streams)
    ours, theirs = (
        build_decoder(config, weights, streams),
        torch_decoder(config, weights, streams),
    )
    expected = stepped(ours, ids[:20])
    ours.set_state(None)
    ours.prefill(ids[:10])
    theirs.set_state(ours.state())
    close(stepped(theirs, ids[10:20]), expected[10:])


@BOTH
@STREAMS
@EVERY_MODEL
def test_the_state_before_any_character_can_be_put_back(name, streams, make):
    config, weights, ids = model_and_ids(name, streams)
    decoder = make(config, weights, streams)
    expected = stepped(decoder, ids[:10])
    decoder.set_state(None)
    assert not any(values.any() for values in decoder.state().values())
    close(stepped(decoder, ids[:10]), expected)


@BOTH
@EVERY_MODEL
def test_a_state_that_was_given_out_is_a_copy(name, make):
    config, weights, ids = model_and_ids(name, 3)
    decoder = make(config, weights, 3)
    decoder.prefill(ids[:10])
    state = decoder.state()
    before = {key: values.copy() for key, values in state.items()}
    decoder.set_state(None)
    decoder.step(ids[10])
    assert all(np.array_equal(state[key], values) for key, values in before.items())


@BOTH
@EVERY_MODEL
def test_a_state_that_was_put_in_is_left_as_it_was(name, make):
    config, weights, ids = model_and_ids(name, 3)
    decoder = make(config, weights, 3)
    decoder.prefill(ids[:10])
    state = decoder.state()
    before = {key: values.copy() for key, values in state.items()}
    decoder.set_state(state)
    decoder.prefill(ids[10:12])
    assert all(np.array_equal(state[key], values) for key, values in before.items())


@BOTH
@pytest.mark.parametrize(
    "rows", [slice(1, 2), np.array([False, True, False])], ids=["slice", "mask"]
)
@EVERY_MODEL
def test_some_streams_can_be_given_a_state_of_their_own(name, rows, make):
    config, weights, ids = model_and_ids(name, 3)
    one = make(config, weights, 1)
    one.prefill(ids[:10, :1])
    lent = one.state()
    expected = stepped(one, ids[10:20, 1:2])
    decoder = make(config, weights, 3)
    undisturbed = stepped(decoder, ids[:20])
    decoder.set_state(None)
    decoder.prefill(ids[:10])
    decoder.set_state(lent, rows)
    logits = stepped(decoder, ids[10:20])
    close(logits[:, 1:2], expected)
    close(logits[:, [0, 2]], undisturbed[10:, [0, 2]])


@BOTH
@pytest.mark.parametrize(
    "rows", [slice(1, 2), np.array([False, True, False])], ids=["slice", "mask"]
)
@EVERY_MODEL
def test_some_streams_can_begin_anew(name, rows, make):
    config, weights, ids = model_and_ids(name, 3)
    expected = stepped(make(config, weights, 1), ids[10:20, 1:2])
    decoder = make(config, weights, 3)
    undisturbed = stepped(decoder, ids[:20])
    decoder.set_state(None)
    decoder.prefill(ids[:10])
    decoder.set_state(None, rows)
    logits = stepped(decoder, ids[10:20])
    close(logits[:, 1:2], expected)
    close(logits[:, [0, 2]], undisturbed[10:, [0, 2]])
