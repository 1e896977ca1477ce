"""Models of pairs: their parameters, and that neither padding nor the future counts."""

import numpy as np
import pytest
import torch
from pairs import EVERY_MODEL, batch_of, make_pair_config, make_pair_weights, random_pairs
from torch import nn

from charrnn_cli.errors import UsageError
from charrnn_cli.models.registry import build_model, make_config, presets
from charrnn_cli.models.weights import trained_model
from charrnn_cli.text.dataset import IGNORE

torch.set_num_threads(1)
CPU = torch.device("cpu")


def trained(name, **sizes):
    config = make_pair_config(name, **sizes)
    return trained_model(config, make_pair_weights(config), CPU)


def logits_of(model, batch):
    with torch.no_grad():
        logits, state = model(batch, {})
    assert state == {}
    return logits.numpy()


@EVERY_MODEL
@pytest.mark.parametrize("layers", [1, 2])
def test_parameters_are_those_that_the_config_names(name, layers):
    model = build_model(make_pair_config(name, layers=layers))
    shapes = {key: tuple(parameter.shape) for key, parameter in model.named_parameters()}
    assert shapes == model.config.parameter_shapes()
    assert set(model.state_dict()) == set(shapes)


@EVERY_MODEL
def test_the_parts_that_info_shows_hold_every_parameter(name):
    config = make_pair_config(name)
    assert sum(part.parameters for part in config.layers()) == config.parameters


@EVERY_MODEL
def test_axes_of_both_vocabularies_have_their_sizes(name):
    config = make_pair_config(name)
    shapes = config.parameter_shapes()
    for axes, size in (
        (config.vocabulary_axes(), config.vocabulary_size),
        (config.source_vocabulary_axes(), config.source_vocabulary_size),
    ):
        assert {shapes[name][axis] for name, axis in axes.items()} == {size}
    # and no other parameter depends on a vocabulary
    other = make_pair_config(name, vocabulary_size=29, source_vocabulary_size=31)
    changed = {n for n, shape in other.parameter_shapes().items() if shape != shapes[n]}
    assert changed == config.vocabulary_axes().keys() | config.source_vocabulary_axes().keys()


@EVERY_MODEL
def test_a_rows_logits_are_the_same_alone_and_in_a_padded_batch(name):
    model, pairs = trained(name), random_pairs(6)
    together = logits_of(model, batch_of(model.config, pairs))
    for row, pair in enumerate(pairs):
        alone = logits_of(model, batch_of(model.config, [pair]))[:, 0]
        np.testing.assert_allclose(together[: len(alone), row], alone, atol=1e-5)


@EVERY_MODEL
def test_every_character_of_the_source_counts(name):
    model = trained(name)
    ((source, target),) = random_pairs(1)
    before = logits_of(model, batch_of(model.config, [(source, target)]))
    for place in range(len(source)):
        changed = [*source[:place], (source[place] + 1) % 9, *source[place + 1 :]]
        after = logits_of(model, batch_of(model.config, [(changed, target)]))
        assert not np.allclose(after, before, atol=1e-4)


def test_symbols_that_are_attended_to_reach_the_output_beside_the_recurrent_layers():
    config = make_pair_config("attention")
    kept = ("attention.symbols.weight", "head.weight")
    weights = {n: w * (n in kept) for n, w in make_pair_weights(config).items()}
    model = trained_model(config, weights, CPU)
    # all else is zero: attention is the same for every symbol, and the recurrent layers give zero
    sources = [1, 1, 1], [2, 2, 2]
    one, two = (logits_of(model, batch_of(config, [(source, [3, 4])])) for source in sources)
    assert np.abs(one - two).max() > 0.01


def test_positions_that_are_added_reach_the_target():
    # with embeddings of zero nothing else differs from place to place
    config = make_pair_config("transformer", layers=1)
    weights = make_pair_weights(config)
    weights |= {n: 0 * w for n, w in weights.items() if n in ("source.weight", "target.weight")}
    model = trained_model(config, weights, CPU)
    logits = logits_of(model, batch_of(config, [([1, 1], [2, 2, 2])]))
    assert np.abs(np.diff(logits, axis=0)).max(-1).min() > 0.01


def test_a_new_transformer_keeps_its_symbols_in_the_stream():
    weights = dict(build_model(make_pair_config("transformer", units=96)).named_parameters())
    deviations = {
        name: float(weights[name].detach().std()) for name in weights if "norm" not in name
    }
    assert deviations["source.weight"] == pytest.approx(1, rel=0.1)
    assert deviations["target.weight"] == pytest.approx(1, rel=0.1)
    assert deviations["encoder.0.attention.qkv.weight"] == pytest.approx(96**-0.5, rel=0.1)
    assert deviations["decoder.1.feed_forward.down.weight"] == pytest.approx(384**-0.5 / 2, rel=0.1)


@EVERY_MODEL
def test_a_character_does_not_see_those_of_the_target_after_it(name):
    model, pairs = trained(name), random_pairs(3)
    batch = batch_of(model.config, pairs)
    changed = batch.inputs.clone()
    changed[2:] = (changed[2:] + 1) % model.config.vocabulary_size
    before, after = logits_of(model, batch), logits_of(model, batch._replace(inputs=changed))
    np.testing.assert_allclose(after[:2], before[:2], atol=1e-5)
    assert not np.allclose(after[2], before[2], atol=1e-3)


@EVERY_MODEL
def test_gradients_reach_every_parameter(name):
    model = build_model(make_pair_config(name))
    batch = batch_of(model.config, random_pairs(4))
    logits, _ = model(batch, {})
    nn.functional.cross_entropy(
        logits.flatten(0, 1), batch.targets.flatten(), ignore_index=IGNORE
    ).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


@EVERY_MODEL
def test_dropout_acts_while_training_only(name):
    model = build_model(make_pair_config(name, dropout=0.5))
    batch = batch_of(model.config, random_pairs(4))
    torch.manual_seed(0)
    assert not torch.equal(model.train()(batch, {})[0], model(batch, {})[0])
    assert torch.equal(model.eval()(batch, {})[0], model(batch, {})[0])


@EVERY_MODEL
def test_every_preset_makes_a_model(name):
    for preset in presets(name):
        config = make_config(name, 30, preset.sizes, {}, source_vocabulary_size=40)
        assert (config.vocabulary_size, config.source_vocabulary_size) == (30, 40)


@pytest.mark.parametrize(
    ("name", "sizes", "message"),
    [
        ("attention", {"units": 7}, "--hidden-size 7: must be even"),
        ("transformer", {"heads": 5}, "--num-heads 5: must divide --hidden-size 24"),
        ("transformer", {"heads": 8}, "--num-heads 8: must divide --hidden-size 24"),
    ],
)
def test_sizes_that_make_no_model_are_refused(name, sizes, message):
    with pytest.raises(UsageError, match=message):
        make_pair_config(name, **sizes)


def test_a_model_of_pairs_without_pairs_is_refused():
    sizes = presets("attention")[0].sizes
    with pytest.raises(UsageError, match=r"--model attention: learns from pairs.*Add --pairs"):
        make_config("attention", 30, sizes, {})
    with pytest.raises(UsageError, match="--model gru: does not learn from pairs"):
        make_config("gru", 30, sizes, {}, source_vocabulary_size=30)
