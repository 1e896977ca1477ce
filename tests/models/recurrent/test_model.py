"""The model: its parameters, what it computes, how it begins, and weights from another text."""

import numpy as np
import pytest
import torch
from factories import make_checkpoint
from torch import nn

from charrnn_cli.models.recurrent.config import CELLS, RecurrentConfig
from charrnn_cli.models.recurrent.model import RecurrentModel
from charrnn_cli.models.weights import load_known_weights, load_weights
from charrnn_cli.text.dataset import Batch
from charrnn_cli.text.vocabulary import Vocabulary

torch.set_num_threads(1)

EVERY_MODEL = pytest.mark.parametrize("name", CELLS)
State = dict[str, torch.Tensor]
PYTORCH = {"gru": nn.GRU, "lstm": nn.LSTM, "rnn": nn.RNN}


def make_model(name: str, num_layers: int = 2, dropout: float = 0.0) -> RecurrentModel:
    """A model of 7 characters and 5 units a layer, all of whose parameters are random."""
    generator = torch.Generator().manual_seed(1)
    model = RecurrentModel(RecurrentConfig(name, 7, 5, num_layers, dropout))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.5, generator=generator)
    return model


def random_ids(length: int = 12, batch_size: int = 3) -> torch.Tensor:
    return torch.randint(0, 7, (length, batch_size), generator=torch.Generator().manual_seed(2))


def random_state(model: RecurrentModel, batch_size: int = 3) -> State:
    generator = torch.Generator().manual_seed(3)
    zeros = model.initial_state(batch_size)
    return {name: torch.randn(s.shape, generator=generator) for name, s in zeros.items()}


def read(model: RecurrentModel, ids: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
    """The model's logits (T, B, V) after ids (T, B), and its state then."""
    return model(Batch(ids, None), state)


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
def test_logits_are_of_each_character_of_each_batch_row(name):
    model = make_model(name)
    logits, _ = read(model, random_ids(12, 3), model.initial_state(3))
    assert logits.shape == (12, 3, 7)


@EVERY_MODEL
@pytest.mark.parametrize("num_layers", [1, 3])
def test_states_are_those_that_the_config_names(name, num_layers):
    model = make_model(name, num_layers)
    before = model.initial_state(4)
    _, after = read(model, random_ids(12, 4), before)
    for state in (before, after):
        shapes = {key: tuple(values.shape) for key, values in state.items()}
        assert shapes == model.config.state_shapes(4)
        assert list(shapes) == list(map(str, range(num_layers * (2 if name == "lstm" else 1))))


@EVERY_MODEL
@pytest.mark.parametrize("num_layers", [1, 2])
def test_logits_and_state_equal_those_of_pytorchs_own_module(name, num_layers):
    model = make_model(name, num_layers)
    ids, state = random_ids(), random_state(model)
    count = model.config.cell.states
    # theirs: (layers, B, H), for an LSTM a pair of such
    stacked = [torch.stack(list(state.values())[i::count]) for i in range(count)]
    their_state = tuple(stacked) if name == "lstm" else stacked[0]
    outputs, their_state = as_pytorch_module(model)(
        nn.functional.one_hot(ids, 7).float(), their_state
    )
    theirs = nn.functional.linear(outputs, model.head.weight, model.head.bias)

    logits, state = read(model, ids, state)

    torch.testing.assert_close(logits, theirs, atol=1e-5, rtol=0)
    for index, expected in enumerate(their_state if name == "lstm" else (their_state,)):
        got = torch.stack(list(state.values())[index::count])
        torch.testing.assert_close(got, expected, atol=1e-5, rtol=0)


@EVERY_MODEL
def test_gradients_reach_every_parameter(name):
    model = make_model(name)
    logits, _ = read(model, random_ids(), model.initial_state(3))
    logits.square().sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in model.parameters())


@EVERY_MODEL
def test_two_windows_with_the_state_carried_equal_one_long_window(name):
    model = make_model(name)
    ids, state = random_ids(12), random_state(model)
    whole, whole_state = read(model, ids, state)
    first, between = read(model, ids[:5], state)
    second, end = read(model, ids[5:], between)
    torch.testing.assert_close(torch.cat([first, second]), whole, atol=1e-5, rtol=0)
    torch.testing.assert_close(end, whole_state, atol=1e-5, rtol=0)


@EVERY_MODEL
def test_the_state_before_any_character_is_zero(name):
    assert not any(values.any() for values in make_model(name).initial_state(3).values())


@EVERY_MODEL
def test_batch_rows_do_not_mix(name):
    model = make_model(name)
    ids = random_ids(12, 3)
    changed = ids.clone()
    changed[:, 0] = (changed[:, 0] + 1) % 7
    before, _ = read(model, ids, model.initial_state(3))
    after, _ = read(model, changed, model.initial_state(3))
    torch.testing.assert_close(before[:, 1:], after[:, 1:])


@pytest.mark.parametrize("num_layers", [1, 2])
def test_dropout_acts_while_training(num_layers):
    model = make_model("gru", num_layers, dropout=0.5).train()
    ids, state = random_ids(), model.initial_state(3)
    torch.manual_seed(0)
    assert not torch.equal(read(model, ids, state)[0], read(model, ids, state)[0])


def test_dropout_leaves_the_state_of_its_own_layer_alone():
    model = make_model("gru", num_layers=1, dropout=0.5)
    ids, state = random_ids(), random_state(model)
    _, training = read(model.train(), ids, state)
    torch.testing.assert_close(training, read(model.eval(), ids, state)[1])


def test_dropout_is_off_outside_training():
    with_dropout, without = make_model("gru", dropout=0.5).eval(), make_model("gru")
    ids, state = random_ids(), random_state(without)
    torch.testing.assert_close(read(with_dropout, ids, state)[0], read(without, ids, state)[0])


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
    counts = load_known_weights(model, vocabulary, source.weights, source.vocabulary)
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
