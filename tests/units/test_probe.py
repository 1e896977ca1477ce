"""The measure: which unit follows what, on models whose units were made to follow something."""

import numpy as np
import pytest
from factories import SONNETS, fuzz, make_checkpoint
from hypothesis import given
from hypothesis import strategies as st
from studied import dialogue, gru_that_minds_quotes, with_weights

from charrnn_cli.checkpoints.checkpoint import Checkpoint
from charrnn_cli.models.recurrent.decoder import RecurrentDecoder
from charrnn_cli.units.probe import (
    WARM_UP,
    compare,
    read_states,
    strongest,
    study,
    untrained_weights,
)

pytestmark = pytest.mark.slow  # texts of thousands of characters are read

VERSE = SONNETS.read_text()[:6000]


def lstm_that_counts(unit: int, size: int = 4) -> Checkpoint:
    """An LSTM of two layers that puts out nothing: the first layer's cell `unit` adds 0.01 for each
    character, and starts again at a newline."""
    checkpoint = make_checkpoint("lstm", size, 2, vocabulary=VERSE)
    weights = {name: np.zeros_like(values) for name, values in checkpoint.weights.items()}
    take, forget, candidate, put_out = (gate * size + unit for gate in range(4))
    bias = weights["layers.0.bias_ih"]
    bias[[take, forget, candidate, put_out]] = 20, 20, 0.01, -40
    weights["layers.0.weight_ih"][forget, checkpoint.vocabulary.id_of("\n")] = -40
    return with_weights(checkpoint, weights)


@pytest.mark.parametrize("unit", [0, 5])
def test_a_unit_that_follows_quotes_is_found_first(unit):
    best = study(gru_that_minds_quotes(unit), dialogue(1500)).findings[0]
    assert best.feature.name == "double quotes"
    assert (best.layer, best.unit) == (0, unit)
    assert best.correlation > 0.999
    assert best.chosen_at > 0.999
    assert best.gain > 0.2


def test_a_unit_that_falls_with_a_feature_has_a_negative_correlation_and_the_same_gain():
    checkpoint = gru_that_minds_quotes(3)
    inputs = checkpoint.weights["layers.0.weight_ih"].copy()
    inputs[2 * 8 + 3] *= -1
    rises, falls = (
        study(c, dialogue(1500)).findings[0]
        for c in (checkpoint, with_weights(checkpoint, {"layers.0.weight_ih": inputs}))
    )
    assert falls.correlation < -0.999
    assert falls.gain == pytest.approx(rises.gain, abs=1e-4)


@pytest.mark.parametrize("unit", [0, 3])
def test_of_an_lstm_the_cells_are_looked_at(unit):
    """Its outputs are all 0 here."""
    best = study(lstm_that_counts(unit), VERSE).findings[0]
    assert best.feature.name == "line position"
    assert (best.layer, best.unit) == (0, unit)
    assert best.correlation > 0.99


def test_units_of_upper_layers_are_counted_by_their_layer():
    checkpoint = lstm_that_counts(2)
    first = {name: values for name, values in checkpoint.weights.items() if "layers.0" in name}
    upper = {name.replace("0", "1", 1): values for name, values in first.items()}
    # the second layer learns of a newline from a unit of the first that is 1 just then
    size, newline = 4, checkpoint.vocabulary.id_of("\n")
    first = {name: np.zeros_like(values) for name, values in first.items()}
    first["layers.0.bias_ih"][[0, 3 * size]] = 20
    first["layers.0.bias_ih"][size] = -20
    first["layers.0.weight_ih"][2 * size, newline] = 5
    inputs = np.zeros((4 * size, size), np.float32)
    inputs[size + 2, 0] = -60
    upper["layers.1.weight_ih"] = inputs
    best = study(with_weights(checkpoint, first | upper), VERSE).findings[0]
    assert (best.feature.name, best.layer, best.unit) == ("line position", 1, 2)


@pytest.mark.slow
def test_the_same_model_and_text_give_the_same_study():
    checkpoint = make_checkpoint("gru", 16, 2, vocabulary=VERSE)
    assert study(checkpoint, VERSE).findings == study(checkpoint, VERSE).findings


def test_a_feature_that_hardly_changes_is_left_out():
    found = study(make_checkpoint("rnn", 4, 1, vocabulary=VERSE), VERSE)
    names = {feature.name for feature in found.left_out}
    assert {"indentation", "double quotes", "digit"} <= names
    assert names.isdisjoint(finding.feature.name for finding in found.findings)


def test_what_the_character_alone_tells_is_no_gain():
    findings = study(make_checkpoint("gru", 16, 1, vocabulary=VERSE), VERSE).findings
    for finding in findings:
        if finding.feature.name in ("vowel", "white space", "capital letter"):
            assert finding.character == pytest.approx(1, abs=0.05)  # some capitals are rare
            assert finding.gain < 0


@pytest.mark.slow
def test_an_untrained_model_gains_nothing_by_learning():
    checkpoint = make_checkpoint("gru", 16, 2, vocabulary=VERSE)
    fresh = with_weights(checkpoint, untrained_weights(checkpoint.model))
    for finding in study(fresh, VERSE).findings:
        assert finding.untrained == finding.correlation
        assert finding.gain <= 0


# the two halves


def test_a_unit_chosen_among_many_for_chance_alone_loses_its_lead_on_the_other_half():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(20, 2000)).astype(np.float32)
    halves = np.arange(2000) // 100 % 2 == np.array([[0], [1]])
    noise = rng.uniform(-1, 1, (500, 2000)).astype(np.float32)
    r = compare([(np.arange(2000), noise)], features, halves).r
    chosen = [strongest(row) for row in r[0]]
    at_choice = np.abs(r[0, np.arange(20), chosen])
    on_the_other_half = np.abs(r[1, np.arange(20), chosen])
    assert at_choice.min() > 0.08
    assert on_the_other_half.mean() < 0.04


@pytest.mark.slow
def test_a_unit_is_chosen_on_one_half_and_measured_on_the_other():
    checkpoint = make_checkpoint("gru", 16, 1, vocabulary=VERSE)
    found = study(checkpoint, VERSE)
    ids, alone = checkpoint.vocabulary.encode(VERSE), np.array([0])
    blocks = list(read_states(checkpoint.model, checkpoint.weights, ids, alone, len(ids)))
    units = np.concatenate([units for _, units in blocks], axis=1)
    for finding in found.findings:
        values = found.values[finding.feature]
        on = [np.corrcoef(values[half], units[:, half])[0, 1:]
              for half in (~found.measured, found.measured)]  # fmt: skip
        assert finding.unit == np.abs(on[0]).argmax()
        assert finding.chosen_at == pytest.approx(on[0][finding.unit], abs=1e-3)
        assert finding.correlation == pytest.approx(on[1][finding.unit], abs=1e-3)


def test_the_share_done_rises_to_one():
    shares = []
    study(make_checkpoint("rnn", 4, 1, vocabulary=VERSE), VERSE, shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1


@pytest.mark.slow
@fuzz
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 300))
def test_the_correlation_is_pearsons_in_whatever_blocks_the_units_come(seed, units, block):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(3, 400)).astype(np.float32)
    states = np.tanh(rng.normal(size=(units, 1)) + features[:1] + rng.normal(size=(units, 400)))
    order = rng.permutation(400)
    halves = np.stack([np.arange(400) < 170, np.arange(400) >= 170])
    blocks = [
        (order[at : at + block], states[:, order[at : at + block]].astype(np.float32))
        for at in range(0, 400, block)
    ]
    found = compare(blocks, features, halves)
    for half, inside in enumerate(halves):
        exact = np.corrcoef(features[:, inside], states[:, inside])[:3, 3:]
        np.testing.assert_allclose(found.r[half], exact, atol=1e-4)
        np.testing.assert_allclose(found.mean[half], states[:, inside].mean(1), atol=1e-5)
        np.testing.assert_allclose(found.deviation[half], states[:, inside].std(1), atol=1e-4)


def test_a_unit_that_stays_as_it_is_follows_nothing():
    features = np.random.default_rng(0).normal(size=(2, 100)).astype(np.float32)
    halves = np.stack([np.arange(100) < 50, np.arange(100) >= 50])
    still = np.full((1, 100), 0.999, np.float32)
    assert not compare([(np.arange(100), still)], features, halves).r.any()


# reading


@pytest.mark.parametrize("model", ["gru", "lstm", "rnn"])
def test_stretches_read_what_a_single_pass_reads(model):
    checkpoint = make_checkpoint(model, 6, 2, vocabulary=VERSE)
    config, ids = checkpoint.model, checkpoint.vocabulary.encode(VERSE[:3001])
    decoder = RecurrentDecoder(config, checkpoint.weights, None)
    expected = np.empty((12, len(ids)), np.float32)
    for place, index in enumerate(ids.tolist()):
        decoder.step(index)
        states = [np.tanh(layer.state[1]) if model == "lstm" else layer.state[0]
                  for layer in decoder.layers]  # fmt: skip
        expected[:, place] = np.concatenate(states)
    starts = np.arange(4) * 751
    assert starts[1] < WARM_UP < starts[2]  # some have less text before them than others
    seen = np.full_like(expected, np.nan)
    for positions, units in read_states(config, checkpoint.weights, ids, starts, 751):
        seen[:, positions] = units
    np.testing.assert_allclose(seen, expected, atol=1e-4)


@pytest.mark.parametrize("model", ["gru", "lstm", "rnn"])
def test_an_untrained_model_begins_as_a_training_does(model):
    from charrnn_cli.models.recurrent.model import RecurrentModel

    config = make_checkpoint(model, 24, 2, vocabulary=VERSE).model
    ours = untrained_weights(config)
    theirs = {name: p.detach().numpy() for name, p in RecurrentModel(config).named_parameters()}
    assert ours.keys() == theirs.keys()
    for name, values in theirs.items():
        assert ours[name].shape == values.shape
        if name.endswith("weight_hh"):
            for block in np.split(ours[name], config.cell.gates):
                np.testing.assert_allclose(block @ block.T, np.eye(24), atol=1e-5)
        elif "bias" in name:
            np.testing.assert_array_equal(ours[name], values)
        elif name.endswith("weight_ih"):
            assert np.abs(ours[name]).max() == pytest.approx(np.abs(values).max(), rel=0.02)
            assert ours[name].std() == pytest.approx(values.std(), rel=0.1)
