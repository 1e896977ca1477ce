"""The model: its parameters, what it computes, how it begins, and weights from another text."""

import numpy as np
import pytest
import torch
from factories import make_checkpoint
from torch import nn

from charrnn_cli.models.recurrent.config import CELLS, RecurrentConfig
from charrnn_cli.models.recurrent.model import RecurrentModel
from charrnn_cli.models.weights import load_known_weights, load_weights
from charrnn_cli.text.vocabulary import Vocabulary

torch.set_num_threads(1)

EVERY_MODEL = pytest.mark.parametrize("name", CELLS)
PYTORCH = {"gru": nn.GRU, "lstm": nn.LSTM, "rnn": nn.RNN}


def make_model(name: str, num_layers: int = 2, dropout: float = 0.0) -> RecurrentModel:
    """A model of 7 characters and 5 units a layer, all of whose parameters are random."""
    generator = torch.Generator().manual_seed(1)
    model = RecurrentModel(RecurrentConfig(name, 7, 5, num_layers, dropout))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.5, generator=generator)
    return model


def random_ids(length: int = 12, lanes: int = 3) -> torch.Tensor:
    return torch.randint(0, 7, (length, lanes), generator=torch.Generator().manual_seed(2))


def random_hidden(model: RecurrentModel, lanes: int = 3) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(3)
    return tuple(torch.randn(s.shape, generator=generator) for s in model.initial_state(lanes))


def as_pytorch_module(model: RecurrentModel) -> nn.Module:
    """PyTorch's own recurrent network with the model's weights, one-hot input to outputs."""
    config = model.config
    theirs = PYTORCH[config.architecture](
        config.vocabulary_size, config.hidden_size, config.num_layers
    )
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.zero_()  # the second bias, where our cell has only one
        for index, layer in enumerate(model.layers):
            for name, parameter in layer.named_parameters():
                getattr(theirs, f"{name}_l{index}").copy_(parameter)
    return theirs


@EVERY_MODEL
@pytest.mark.parametrize("num_layers", [1, 3])
def test_parameters_are_those_that_the_config_names(name, num_layers):
    model = make_model(name, num_layers)
    shapes = {key: tuple(parameter.shape) for key, parameter in model.named_parameters()}
    assert shapes == model.config.parameter_shapes()


@EVERY_MODEL
def test_all_that_is_saved_of_a_model_is_its_parameters(name):
    model = make_model(name)
    assert set(model.state_dict()) == set(dict(model.named_parameters()))


def test_the_tutorials_own_setting_has_325181_parameters():
    model = RecurrentModel(RecurrentConfig("rnn", 61, 512, 1, 0.5))
    assert sum(parameter.numel() for parameter in model.parameters()) == 325_181


@EVERY_MODEL
def test_logits_have_one_row_a_character_and_lane(name):
    model = make_model(name)
    logits, hidden = model(random_ids(12, 3), model.initial_state(3))
    assert logits.shape == (12, 3, 7)
    assert [state.shape for state in hidden] == [(3, 5)] * (4 if name == "lstm" else 2)


@EVERY_MODEL
@pytest.mark.parametrize("num_layers", [1, 2])
def test_logits_and_state_equal_those_of_pytorchs_own_module(name, num_layers):
    model = make_model(name, num_layers)
    ids, hidden = random_ids(), random_hidden(model)
    # theirs: (layers, B, H), for an LSTM a pair of such
    stacked = [torch.stack(hidden[i :: model.config.cell.states]) for i in range(len(hidden))]
    their_state = tuple(stacked[:2]) if name == "lstm" else stacked[0]
    outputs, their_state = as_pytorch_module(model)(
        nn.functional.one_hot(ids, 7).float(), their_state
    )
    theirs = nn.functional.linear(outputs, model.head.weight, model.head.bias)

    logits, hidden = model(ids, hidden)

    torch.testing.assert_close(logits, theirs, atol=1e-5, rtol=0)
    for index, expected in enumerate(their_state if name == "lstm" else (their_state,)):
        got = torch.stack(hidden[index :: model.config.cell.states])
        torch.testing.assert_close(got, expected, atol=1e-5, rtol=0)


@EVERY_MODEL
def test_gradients_reach_every_parameter(name):
    model = make_model(name)
    logits, _ = model(random_ids(), model.initial_state(3))
    logits.square().sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in model.parameters())


@EVERY_MODEL
def test_two_windows_with_the_state_carried_equal_one_long_window(name):
    model = make_model(name)
    ids, hidden = random_ids(12), random_hidden(model)
    whole, whole_hidden = model(ids, hidden)
    first, between = model(ids[:5], hidden)
    second, end = model(ids[5:], between)
    torch.testing.assert_close(torch.cat([first, second]), whole, atol=1e-5, rtol=0)
    torch.testing.assert_close(end, whole_hidden, atol=1e-5, rtol=0)


@EVERY_MODEL
def test_the_state_before_any_character_is_zero(name):
    assert not any(state.any() for state in make_model(name).initial_state(3))


@EVERY_MODEL
def test_lanes_do_not_mix(name):
    model = make_model(name)
    ids = random_ids(12, 3)
    changed = ids.clone()
    changed[:, 0] = (changed[:, 0] + 1) % 7
    before, _ = model(ids, model.initial_state(3))
    after, _ = model(changed, model.initial_state(3))
    torch.testing.assert_close(before[:, 1:], after[:, 1:])


@pytest.mark.parametrize("num_layers", [1, 2])
def test_dropout_acts_while_training(num_layers):
    model = make_model("gru", num_layers, dropout=0.5).train()
    ids, hidden = random_ids(), model.initial_state(3)
    torch.manual_seed(0)
    assert not torch.equal(model(ids, hidden)[0], model(ids, hidden)[0])


def test_dropout_leaves_the_state_of_its_own_layer_alone():
    model = make_model("gru", num_layers=1, dropout=0.5)
    ids, hidden = random_ids(), random_hidden(model)
    torch.testing.assert_close(model.train()(ids, hidden)[1], model.eval()(ids, hidden)[1])


def test_dropout_is_off_outside_training():
    with_dropout, without = make_model("gru", dropout=0.5).eval(), make_model("gru")
    ids, hidden = random_ids(), random_hidden(without)
    torch.testing.assert_close(with_dropout(ids, hidden)[0], without(ids, hidden)[0])


@EVERY_MODEL
def test_recurrent_blocks_begin_orthogonal(name):
    model = RecurrentModel(RecurrentConfig(name, 7, 8, 2, 0.0))
    for layer in model.layers:
        for block in layer.weight_hh.detach().split(8):
            torch.testing.assert_close(block @ block.T, torch.eye(8), atol=1e-5, rtol=0)


def test_an_lstms_forget_gate_begins_open():
    for layer in RecurrentModel(RecurrentConfig("lstm", 7, 4, 2, 0.0)).layers:
        assert layer.bias_ih.tolist() == [0.0] * 4 + [1.0] * 4 + [0.0] * 8


@pytest.mark.parametrize("name", ["gru", "rnn"])
def test_other_biases_begin_at_zero(name):
    model = RecurrentModel(RecurrentConfig(name, 7, 4, 2, 0.0))
    assert not any(p.any() for key, p in model.named_parameters() if "bias" in key)


def test_weights_begin_the_same_for_the_same_seed():
    models = []
    for _ in range(2):
        torch.manual_seed(5)
        models.append(RecurrentModel(RecurrentConfig("gru", 7, 5, 2, 0.0)))
    ours, theirs = (nn.utils.parameters_to_vector(m.parameters()) for m in models)
    assert torch.equal(ours, theirs)


@EVERY_MODEL
def test_weights_put_in_are_those_that_come_out(name):
    checkpoint = make_checkpoint(name)
    model = RecurrentModel(checkpoint.model)
    load_weights(model, checkpoint.weights)
    for key, parameter in model.named_parameters():
        np.testing.assert_array_equal(parameter.detach().numpy(), checkpoint.weights[key])


def known_weights(name: str, ours: str, theirs: str):
    """A new model of `ours` started from one of `theirs`: before, after, the source, the counts."""
    source = make_checkpoint(name, vocabulary=theirs)
    vocabulary = Vocabulary.of(ours)
    model = RecurrentModel(RecurrentConfig(name, len(vocabulary), 4, 2, 0.0))
    before = {key: p.detach().numpy().copy() for key, p in model.named_parameters()}
    counts = load_known_weights(model, vocabulary, source)
    after = {key: p.detach().numpy() for key, p in model.named_parameters()}
    return before, after, source.weights, counts


@EVERY_MODEL
def test_known_characters_keep_their_weights(name):
    _, after, source, _ = known_weights(name, ours="acdz", theirs="abcx")
    for ours, theirs in [(0, 0), (1, 2)]:  # a and c
        for key, axis in [("layers.0.weight_ih", 1), ("head.weight", 0), ("head.bias", 0)]:
            np.testing.assert_array_equal(
                after[key].take(ours, axis), source[key].take(theirs, axis), err_msg=key
            )


@EVERY_MODEL
def test_new_characters_keep_what_the_model_began_with(name):
    before, after, _, _ = known_weights(name, ours="acdz", theirs="abcx")
    for key, axis in [("layers.0.weight_ih", 1), ("head.weight", 0), ("head.bias", 0)]:
        np.testing.assert_array_equal(
            after[key].take([2, 3], axis), before[key].take([2, 3], axis), err_msg=key
        )


@EVERY_MODEL
def test_hidden_layers_are_taken_whole(name):
    _, after, source, _ = known_weights(name, ours="acdz", theirs="abcx")
    whole = [k for k in source if k.startswith("layers") and k != "layers.0.weight_ih"]
    assert len(whole) == len(source) - 3
    for key in whole:
        np.testing.assert_array_equal(after[key], source[key], err_msg=key)


def test_known_and_new_characters_are_counted():
    *_, counts = known_weights("gru", ours="acdez", theirs="abcx")
    assert counts == (2, 3)


def test_a_text_without_shared_characters_still_takes_the_hidden_layers():
    _, after, source, counts = known_weights("lstm", ours="12", theirs="abc")
    assert counts == (0, 2)
    np.testing.assert_array_equal(after["layers.1.weight_ih"], source["layers.1.weight_ih"])


@EVERY_MODEL
def test_a_detached_state_is_the_same_without_its_graph(name):
    model = make_model(name)
    _, hidden = model(random_ids(), model.initial_state(3))
    cut = detach(hidden)
    assert all(state.requires_grad for state in hidden)
    assert not any(state.requires_grad for state in cut)
    torch.testing.assert_close(cut, tuple(state.detach() for state in hidden))
