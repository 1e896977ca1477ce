"""Updates: made one by one, or ahead of what is read, as a GPU is given them.

There is no GPU here. What works ahead is run on the CPU; that nothing in it waits for a GPU, or
mixes its tensors with the CPU's, is run on PyTorch's `meta` device: it has shapes and no values.
"""

import itertools
import math

import pytest
import torch
from factories import ask_to_train, make_train_config, train

from charrnn_cli.checkpoints.checkpoint import load
from charrnn_cli.errors import DivergedError
from charrnn_cli.models.recurrent.config import CELLS, RecurrentConfig
from charrnn_cli.models.recurrent.model import RecurrentModel
from charrnn_cli.text.dataset import IGNORE, Batch
from charrnn_cli.training import updates as module
from charrnn_cli.training.events import Evaluated, Stepped
from charrnn_cli.training.optimizer import Optimizer
from charrnn_cli.training.setup import open_training
from charrnn_cli.training.trainer import Trainer
from charrnn_cli.training.updates import MAX_AHEAD, NotFiniteError, Updates

torch.set_num_threads(1)

SHAPE = 6, 4  # T, B
VOCABULARY = 9
INTERVAL = RecurrentConfig.muon_interval


def make_updates(cell: str = "gru", device: str = "cpu", **wishes) -> Updates:
    torch.manual_seed(1)
    model = RecurrentModel(RecurrentConfig(cell, VOCABULARY, 8, 2, 0.3)).train().to(device)
    config = make_train_config(batch_size=SHAPE[1], seq_length=SHAPE[0])
    return Updates(model, Optimizer(model, config), config, SHAPE[1], **wishes)


def make(updates: Updates, steps: range) -> list[float]:
    """So many updates, each from ids that depend on the step alone; the losses that are read."""
    device, losses = updates.rate.device, []
    for step in steps:
        generator = torch.Generator().manual_seed(step)
        ids = torch.randint(VOCABULARY, (2, *SHAPE), generator=generator).to(device)
        losses += updates.step(Batch(*ids), 0.01, step)
    return losses


@pytest.mark.parametrize("cell", CELLS)
def test_updates_made_ahead_are_the_same(cell):
    one_by_one, ahead = make_updates(cell), make_updates(cell, ahead=True)
    losses = make(one_by_one, range(2 * INTERVAL + 1))
    assert make(ahead, range(2 * INTERVAL + 1)) + ahead.read_losses() == losses
    assert ahead.grad_norm == one_by_one.grad_norm
    pairs = zip(ahead.model.parameters(), one_by_one.model.parameters(), strict=True)
    assert all(torch.equal(*pair) for pair in pairs)
    assert ahead.state.keys() == one_by_one.state.keys()
    assert all(torch.equal(ahead.state[name], s) for name, s in one_by_one.state.items())


def test_on_the_cpu_each_loss_is_read_at_once():
    updates = make_updates()
    assert [len(make(updates, range(step, step + 1))) for step in range(3)] == [1, 1, 1]


def test_losses_of_updates_made_ahead_are_read_after_a_while(monkeypatch):
    monkeypatch.setattr(module, "MAX_WAIT", math.inf)
    updates = make_updates(ahead=True)
    assert len(make(updates, range(1))) == 1  # measures how long one takes
    assert make(updates, range(1, MAX_AHEAD)) == []
    assert len(make(updates, range(MAX_AHEAD, MAX_AHEAD + 1))) == MAX_AHEAD
    assert updates.read_losses() == []


def test_updates_that_take_long_are_not_made_ahead(monkeypatch):
    monkeypatch.setattr(module, "MAX_WAIT", 0.0)
    updates = make_updates(ahead=True)
    assert [len(make(updates, range(step, step + 1))) for step in range(3)] == [1, 1, 1]


def test_a_state_is_taken_up_and_dropped():
    updates = make_updates()
    make(updates, range(1))
    state = {name: torch.full_like(values, 0.5) for name, values in updates.state.items()}
    updates.set_state(state)
    assert all(torch.equal(updates.state[name], values) for name, values in state.items())
    updates.set_state()
    assert not any(values.any() for values in updates.state.values())


@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_the_state_after_an_update_is_that_after_its_batch_without_a_graph(cell, ahead):
    updates = make_updates(cell, ahead=ahead)
    updates.model.eval()  # no dropout
    ids = torch.randint(VOCABULARY, (2, *SHAPE), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        _, expected = updates.model(Batch(*ids), updates.model.initial_state(SHAPE[1]))
    updates.step(Batch(*ids), 0.01, 0)
    assert updates.state.keys() == expected.keys()
    for name, values in updates.state.items():
        assert not values.requires_grad
        torch.testing.assert_close(values, expected[name])


def test_an_update_made_ahead_that_is_not_finite_is_found_when_it_is_read():
    updates = make_updates(ahead=True)
    make(updates, range(3))
    updates.read_losses()
    with torch.no_grad():
        updates.model.head.bias.fill_(math.nan)
    make(updates, range(3, 5))
    with pytest.raises(NotFiniteError) as caught:
        updates.read_losses()
    assert (caught.value.step, caught.value.weights_unchanged) == (3, False)


def test_an_update_that_is_not_finite_is_left_out_if_its_loss_is_read_at_once():
    updates = make_updates()
    make(updates, range(3))
    updates.model.head.bias.register_hook(lambda gradient: gradient * math.nan)
    before = [parameter.detach().clone() for parameter in updates.model.parameters()]
    with pytest.raises(NotFiniteError) as caught:
        make(updates, range(3, 4))
    assert (caught.value.step, caught.value.weights_unchanged) == (3, True)
    assert all(map(torch.equal, updates.model.parameters(), before))


def test_targets_to_be_ignored_count_for_nothing():
    ids = torch.randint(VOCABULARY, (2, *SHAPE), generator=torch.Generator().manual_seed(0))
    half = SHAPE[0] // 2
    padded = ids[1].clone()
    padded[half:] = IGNORE
    whole, short = make_updates(), make_updates()
    whole.model.eval(), short.model.eval()  # no dropout
    losses = whole.step(Batch(ids[0], padded), 0.01, 0)
    assert losses == pytest.approx(short.step(Batch(*ids[:, :half]), 0.01, 0), abs=1e-5)
    assert whole.grad_norm == pytest.approx(short.grad_norm, rel=1e-4)


@pytest.fixture
def _adamw_on_meta():
    """The only operation of an update that `meta` lacks. It returns nothing."""
    library = torch.library.Library("aten", "IMPL", "Meta")
    library.impl("_fused_adamw_.tensor_lr", lambda *_, **__: None)
    yield
    library._destroy()


@pytest.mark.slow
@pytest.mark.usefixtures("_adamw_on_meta")
@pytest.mark.parametrize("cell", CELLS)
def test_an_update_on_a_gpu_waits_for_nothing(cell):
    updates = make_updates(cell, "meta", ahead=True)
    updates._max_pending = MAX_AHEAD
    make(updates, range(INTERVAL + 1))  # raises if a value is asked for, or devices are mixed
    assert all(parameter.grad.is_meta for parameter in updates.model.parameters())
    with pytest.raises(RuntimeError, match="meta"):
        updates.read_losses()


# in a run


def train_ahead(text, folder, **wishes) -> Trainer:
    with open_training(ask_to_train(text, folder, **wishes)) as training:
        training.trainer.updates.ahead = True
        list(training.trainer.steps())
        return training.trainer


@pytest.mark.slow
@pytest.mark.parametrize("wishes", [{}, {"save_every": 0.0}])
def test_a_run_made_ahead_writes_the_same_files(wishes, rain, tmp_path):
    _, plain = train(rain, tmp_path / "plain", **wishes)
    ahead = train_ahead(rain, tmp_path / "ahead", **wishes)
    assert len(plain.history) > 2
    for ours, theirs in [(ahead.run.best, plain.run.best), (ahead.run.last, plain.run.last)]:
        assert ours.read_bytes() == theirs.read_bytes()


def test_a_run_made_ahead_that_is_stopped_saves_what_it_has_counted(rain, tmp_path):
    _, plain = train(rain, tmp_path / "plain", stop_at=3)
    with open_training(ask_to_train(rain, tmp_path / "ahead")) as training:
        trainer = training.trainer
        trainer.updates.ahead = True
        list(trainer.steps(lambda: trainer.progress.step >= 3))
    assert trainer.run.last.read_bytes() == plain.run.last.read_bytes()


def test_a_run_made_ahead_that_diverges_leaves_its_files_as_they_were(rain, tmp_path):
    with open_training(ask_to_train(rain, tmp_path)) as training:
        trainer = training.trainer
        trainer.updates.ahead = True
        events = trainer.steps()
        while not isinstance(next(events), Evaluated):
            pass
        saved = trainer.run.last.read_bytes()
        with torch.no_grad():
            trainer.model.head.bias.fill_(math.nan)
        with pytest.raises(DivergedError, match=f"step {trainer.progress.step + 1}:"):
            list(itertools.takewhile(lambda event: isinstance(event, Stepped), events))
    assert trainer.run.last.read_bytes() == saved
    assert load(trainer.run.last, training=True).progress.step > 0
