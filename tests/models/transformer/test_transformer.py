"""GPT-2 and Llama: what PyTorch computes, what NumPy computes, and how far they look back."""

import math
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from charrnn_cli.errors import UsageError
from charrnn_cli.models.registry import build_decoder, build_model
from charrnn_cli.models.torch_decoder import TorchDecoder
from charrnn_cli.models.transformer.config import TransformerConfig
from charrnn_cli.models.weights import trained_model
from charrnn_cli.text.dataset import Batch

torch.set_num_threads(1)

EVERY_MODEL = pytest.mark.parametrize("name", ["gpt2", "llama"])
CPU = torch.device("cpu")
VOCABULARY = 11


def make_config(name, *, layers=2, units=24, heads=3, context=16, dropout=0.0):
    return TransformerConfig(name, VOCABULARY, units, layers, dropout, heads, context)


def make_weights(config, scale=0.3):
    """Random weights with opinions; norms near one."""
    rng = np.random.default_rng(5)
    return {
        name: (rng.normal(0, scale, shape) + (len(shape) == 1 and "norm" in name)).astype(
            np.float32
        )
        for name, shape in config.parameter_shapes().items()
    }


def random_ids(length, streams=2):
    return np.random.default_rng(6).integers(0, VOCABULARY, (length, streams))


def torch_logits(model, ids):
    with torch.no_grad():
        logits, state = model(Batch(torch.from_numpy(ids), None), model.initial_state(1))
    assert state == {}
    return logits.numpy()


@EVERY_MODEL
def test_parameters_are_those_that_the_config_names(name):
    model = build_model(make_config(name))
    shapes = {key: tuple(parameter.shape) for key, parameter in model.named_parameters()}
    assert shapes == model.config.parameter_shapes()


@EVERY_MODEL
def test_all_that_is_saved_of_a_model_is_its_parameters(name):
    model = build_model(make_config(name))
    assert set(model.state_dict()) == set(dict(model.named_parameters()))


def test_the_smallest_gpt2_has_as_many_weights_as_published():
    config = TransformerConfig("gpt2", 50_257, 768, 12, 0.1, 12, 1024)
    assert config.parameters == 124_439_808


@EVERY_MODEL
def test_a_character_does_not_see_those_after_it(name):
    config = make_config(name)
    model = trained_model(config, make_weights(config), CPU)
    ids = random_ids(config.context)
    changed = ids.copy()
    changed[9:] = (changed[9:] + 1) % VOCABULARY
    before, after = torch_logits(model, ids), torch_logits(model, changed)
    np.testing.assert_allclose(after[:9], before[:9], atol=1e-5)
    assert not np.allclose(after[9], before[9], atol=1e-2)


@EVERY_MODEL
def test_batch_rows_do_not_mix(name):
    config = make_config(name)
    model = trained_model(config, make_weights(config), CPU)
    ids = random_ids(config.context)
    changed = ids.copy()
    changed[:, 0] = (changed[:, 0] + 1) % VOCABULARY
    before, after = torch_logits(model, ids), torch_logits(model, changed)
    np.testing.assert_allclose(after[:, 1], before[:, 1], atol=1e-5)


@EVERY_MODEL
def test_the_order_of_characters_counts(name):
    config = make_config(name)
    model = trained_model(config, make_weights(config), CPU)
    ids = random_ids(config.context)
    swapped = ids.copy()
    swapped[[0, 1]] = swapped[[1, 0]]
    assert (ids[0] != ids[1]).any()
    last = torch_logits(model, ids)[-1], torch_logits(model, swapped)[-1]
    assert not np.allclose(*last, atol=1e-3)


@EVERY_MODEL
def test_gradients_reach_every_parameter(name):
    model = build_model(make_config(name))
    ids = torch.from_numpy(random_ids(16))
    logits, _ = model(Batch(ids, None), {})
    nn.functional.cross_entropy(logits.flatten(0, 1), ids.flatten()).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


@EVERY_MODEL
def test_a_new_model_is_as_uncertain_as_dice(name):
    torch.manual_seed(0)
    model = build_model(make_config(name, units=48))
    ids = random_ids(16)
    logits, targets = torch_logits(model, ids), (ids + 3) % VOCABULARY
    loss = nn.functional.cross_entropy(
        torch.from_numpy(logits).flatten(0, 1), torch.from_numpy(targets).flatten()
    )
    assert loss.item() == pytest.approx(math.log(VOCABULARY), abs=0.2)


@EVERY_MODEL
def test_dropout_acts_while_training_only(name):
    model = build_model(make_config(name, dropout=0.5))
    batch = Batch(torch.from_numpy(random_ids(16)), None)
    torch.manual_seed(0)
    assert not torch.equal(model.train()(batch, {})[0], model(batch, {})[0])
    assert torch.equal(model.eval()(batch, {})[0], model(batch, {})[0])


# decoders


@pytest.mark.slow
@EVERY_MODEL
@pytest.mark.parametrize(("heads", "context"), [(3, 16), (1, 7), (2, 2), (12, 64)])
def test_numpy_and_pytorch_agree_over_1000_characters_beyond_the_context(name, heads, context):
    config = make_config(name, heads=heads, context=context)
    weights, ids = make_weights(config, 0.1), random_ids(1000 + context)
    expected = TorchDecoder(trained_model(config, weights, CPU), 2).logits(ids)
    got = build_decoder(config, weights, 2).logits(ids)
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-4)


@EVERY_MODEL
@pytest.mark.parametrize("streams", [None, 1, 3])
def test_characters_one_by_one_give_what_all_at_once_do(name, streams):
    config = make_config(name)
    weights, ids = make_weights(config), random_ids(60, streams or 1)
    rows = ids[:, 0] if streams is None else ids
    at_once = build_decoder(config, weights, streams).logits(rows)
    decoder = build_decoder(config, weights, streams)
    one_by_one = np.stack([decoder.step(row).copy() for row in rows])
    np.testing.assert_allclose(one_by_one, at_once, rtol=0, atol=1e-4)


@EVERY_MODEL
def test_pytorchs_decoder_one_by_one_gives_what_all_at_once_does(name):
    config = make_config(name)
    model, ids = trained_model(config, make_weights(config), CPU), random_ids(60, 1)[:, 0]
    decoder = TorchDecoder(model)
    one_by_one = np.stack([decoder.step(int(i)) for i in ids])
    np.testing.assert_allclose(one_by_one, TorchDecoder(model).logits(ids), rtol=0, atol=1e-4)


@EVERY_MODEL
def test_a_prompt_is_read_as_its_characters_are(name):
    config = make_config(name)
    weights, ids = make_weights(config), random_ids(45, 1)[:, 0]
    whole = build_decoder(config, weights).logits(ids)
    after = build_decoder(config, weights).prefill(ids)
    np.testing.assert_allclose(after, whole[-1], rtol=0, atol=1e-4)


@EVERY_MODEL
def test_numpy_and_pytorch_agree_where_exponentials_of_scores_overflow(name):
    config = make_config(name)
    weights = make_weights(config, 0.1)
    for key in weights:
        if key.endswith(("query_norm.weight", "key_norm.weight")):
            weights[key] *= 10
        elif key.endswith("qkv.weight") and name == "gpt2":
            weights[key] *= 20
    ids = random_ids(40)
    expected = TorchDecoder(trained_model(config, weights, CPU), 2).logits(ids)
    got = build_decoder(config, weights, 2).logits(ids)
    np.testing.assert_allclose(got, expected, rtol=0, atol=2e-3)


@EVERY_MODEL
def test_a_stream_among_many_gives_what_it_gives_alone(name):
    config = make_config(name)
    weights, ids = make_weights(config), random_ids(40, 300)
    together = build_decoder(config, weights, 300).logits(ids)
    alone = build_decoder(config, weights).logits(ids[:, 299])
    np.testing.assert_allclose(together[:, 299], alone, rtol=0, atol=1e-4)


@EVERY_MODEL
@pytest.mark.parametrize("streams", [None, 2])
def test_a_decoder_holds_no_more_after_30_windows_than_after_2(name, streams):
    config = make_config(name)
    decoder = build_decoder(config, make_weights(config), streams)
    sizes = []
    for _ in range(30):
        for row in random_ids(config.context // 2, streams or 1):
            decoder.step(int(row[0]) if streams is None else row)
        sizes.append(len(pickle.dumps(decoder)))
    assert len(set(sizes[2:])) == 1


@pytest.mark.slow
@EVERY_MODEL
def test_each_character_is_predicted_from_half_a_context_at_least(name):
    config = make_config(name)
    weights, ids = make_weights(config), random_ids(64, 1)[:, 0]
    for place in range(config.context, 63):
        changed = ids.copy()
        far, near = place - config.context, place - config.context // 2
        changed[: far + 1] = (changed[: far + 1] + 1) % VOCABULARY
        logits = [build_decoder(config, weights).logits(i)[place] for i in (ids, changed)]
        np.testing.assert_allclose(*logits, rtol=0, atol=1e-5)  # further back nothing counts
        changed[near] = (changed[near] + 1) % VOCABULARY
        other = build_decoder(config, weights).logits(changed)[place]
        assert not np.allclose(other, logits[0], atol=1e-6)


@EVERY_MODEL
def test_a_decoder_begins_a_new_text(name):
    config = make_config(name)
    weights, ids = make_weights(config), random_ids(30)
    decoder = build_decoder(config, weights, 2)
    first = decoder.logits(ids)
    decoder.set_state(None)
    np.testing.assert_array_equal(decoder.logits(ids), first)


@EVERY_MODEL
def test_attention_is_a_distribution_over_the_characters_so_far(name):
    config = make_config(name)
    decoder = build_decoder(config, make_weights(config))
    attention = decoder.attention(random_ids(10, 1)[:, 0])
    assert attention.shape == (2, 3, 10, 10)
    np.testing.assert_allclose(attention.sum(-1), 1, atol=1e-5)
    assert not np.triu(attention, 1).any()


# what is refused


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"heads": 5}, "--num-heads 5: must divide --hidden-size 24."),
        ({"heads": 8}, "--num-heads 8: leaves 3 units a head"),
        ({"context": 1}, "--context 1: must be at least 2"),
        ({"heads": 0}, "--num-heads 0: must be at least 1"),
    ],
)
def test_sizes_that_make_no_model_are_refused(sizes, message):
    with pytest.raises(UsageError, match=message):
        make_config("llama", **sizes)
