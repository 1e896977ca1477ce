"""Precision: what lower precision changes and what it leaves, and the loss scale of float16."""

import dataclasses
import json

import pytest
import torch
from factories import files, make_checkpoint, make_train_config, save_checkpoint, train
from stored import header_of, with_header

from charrnn_cli.checkpoints.checkpoint import load
from charrnn_cli.errors import UsageError
from charrnn_cli.models.autocast import (
    LossScale,
    autocast,
    choose_precision,
)
from charrnn_cli.models.recurrent.config import CELLS, RecurrentConfig
from charrnn_cli.models.recurrent.model import RecurrentModel
from charrnn_cli.text.dataset import Batch
from charrnn_cli.training.optimizer import Optimizer

pytestmark = pytest.mark.slow  # lower precision is slow on most processors

torch.set_num_threads(1)

LACKING = ("lstm", "float16")
CPU = torch.device("cpu")
LSTM_REFUSED = "--precision float16: a model of kind lstm cannot compute in it on the CPU"
LOWER = ("bfloat16", "float16")
COMPUTED = [  # on a CPU
    (cell, precision) for cell in CELLS for precision in LOWER if (cell, precision) != LACKING
]


def model_of(cell: str, hidden_size: int = 32) -> RecurrentModel:
    torch.manual_seed(1)
    return RecurrentModel(RecurrentConfig(cell, 11, hidden_size, 2, 0.0))


def gradients(cell: str, precision: str) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """All gradients of a step in one vector, and the state after it."""
    model = model_of(cell)
    ids = torch.randint(11, (7, 4), generator=torch.Generator().manual_seed(2))
    with autocast(precision, CPU):
        logits, state = model(Batch(ids, ids), model.initial_state(4))
        torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids.flatten()).backward()
    return torch.cat([p.grad.flatten() for p in model.parameters()]), state


@pytest.mark.parametrize(("cell", "precision"), COMPUTED)
def test_gradients_are_those_of_float32_but_for_rounding(cell, precision):
    exact, _ = gradients(cell, "float32")
    rounded, _ = gradients(cell, precision)
    assert rounded.dtype == torch.float32
    assert 0 < (rounded - exact).norm() < 0.02 * exact.norm()


@pytest.mark.parametrize("cell", ["gru", "rnn"])  # the LSTM's kernel is PyTorch's own
def test_the_state_is_carried_in_float32(cell):
    _, state = gradients(cell, "bfloat16")
    assert all(values.dtype == torch.float32 for values in state.values())
    assert any((values != values.bfloat16()).any() for values in state.values())


def test_an_update_gate_that_is_open_keeps_the_state_to_the_last_bit():
    model = model_of("gru")
    with torch.no_grad():
        model.layers[0].bias_ih[32:64] = 200.0
    before = torch.randn(4, 32, generator=torch.Generator().manual_seed(4))
    ids = torch.zeros(7, 4, dtype=torch.long)
    with autocast("bfloat16", CPU):
        _, after = model(Batch(ids, None), {"0": before, "1": before})
    assert torch.equal(after["0"], before)


@pytest.mark.parametrize(("cell", "precision"), COMPUTED)
def test_a_resumed_run_ends_with_the_same_bytes(cell, precision, rain, tmp_path):
    wishes = {"model": cell, "precision": precision, "dropout": 0.2}
    _, whole = train(rain, tmp_path / "whole", **wishes)
    _, stopped = train(rain, tmp_path / "parts", stop_at=5, **wishes)
    train(None, tmp_path / "parts", resume="")
    assert load(stopped.run.last).train.precision == precision
    assert files(stopped.run) == files(whole.run)


@pytest.mark.parametrize("precision", LOWER)
def test_lower_precision_learns_as_much(precision, rain, tmp_path):
    best = [
        train(rain, tmp_path / name, precision=name, epochs=3.0)[1].progress.best_val_loss
        for name in ("float32", precision)
    ]
    assert best[0] != best[1]
    assert best[1] == pytest.approx(best[0], abs=0.05)


def test_an_lstm_in_bfloat16_learns_the_same_with_and_without_onednn(rain, tmp_path, monkeypatch):
    """Many CPUs have no LSTM of oneDNN's in bfloat16: there both runs are without."""
    wishes = {"model": "lstm", "precision": "bfloat16", "epochs": 1.0}
    _, as_it_is = train(rain, tmp_path / "as it is", **wishes)
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", False)
    _, without = train(rain, tmp_path / "without", **wishes)
    losses = [
        [record[name] for record in trainer.history for name in ("train_loss", "val_loss")]
        for trainer in (as_it_is, without)
    ]
    assert losses[0] == pytest.approx(losses[1], abs=0.02)


def test_a_step_of_an_lstm_in_bfloat16_leaves_onednn_as_it_was():
    before = torch.backends.mkldnn.enabled
    gradients("lstm", "bfloat16")
    assert torch.backends.mkldnn.enabled == before


def test_muon_makes_matrices_orthogonal_in_bfloat16_too():
    updates = []
    for precision in ("float32", "bfloat16"):
        model = model_of("gru", 64)
        before = model.layers[0].weight_hh.detach().clone()
        for parameter in model.parameters():
            parameter.grad = torch.randn(
                parameter.shape, generator=torch.Generator().manual_seed(3)
            )
        Optimizer(model, make_train_config(precision=precision, weight_decay=0.0)).step(0.01, 0)
        updates.append(model.layers[0].weight_hh.detach() - before)
    assert 0 < (updates[1] - updates[0]).norm() < 0.05 * updates[0].norm()


# the choice


def test_what_the_user_names_is_taken():
    assert choose_precision("float16", CPU, RecurrentConfig("gru", 9, 8, 1, 0.0)) == "float16"


@pytest.mark.parametrize(
    ("instructions", "hidden_size", "chosen"),
    [(True, 256, "bfloat16"), (True, 128, "float32"), (False, 256, "float32")],
)
def test_large_models_take_bfloat16_where_the_cpu_has_it(
    instructions, hidden_size, chosen, monkeypatch
):
    capabilities = {"avx512_bf16": instructions}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert choose_precision("auto", CPU, RecurrentConfig("gru", 9, hidden_size, 1, 0.0)) == chosen


def test_an_older_pytorch_that_cannot_tell_takes_float32(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert choose_precision("auto", CPU, RecurrentConfig("gru", 9, 256, 1, 0.0)) == "float32"


def test_what_pytorch_lacks_is_refused(rain, tmp_path):
    with pytest.raises(UsageError, match=LSTM_REFUSED):
        train(rain, tmp_path, model="lstm", precision="float16")
    assert not list(tmp_path.glob("rain*/"))


def test_an_unknown_precision_is_refused():
    with pytest.raises(
        UsageError, match="--precision half: must be one of auto, float32, bfloat16"
    ):
        make_train_config(precision="half")


def test_a_checkpoint_from_before_the_setting_was_made_in_float32(tmp_path):
    checkpoint = make_checkpoint("rnn", hidden_size=2, num_layers=1)
    header = header_of(checkpoint)
    del header["header_sha256"], header["tensors_sha256"], header["train"]["precision"]
    path = tmp_path / "old.safetensors"
    path.write_bytes(with_header(header))
    assert load(path).train.precision == "float32"


def test_auto_is_float32_on_a_gpu():
    large = RecurrentConfig("gru", 9, 1024, 1, 0.0)
    assert choose_precision("auto", torch.device("cuda"), large) == "float32"


# what is said


def test_the_plan_and_info_name_it(invoke, rain):
    words = ["--precision", "bfloat16", "--epochs", "1", "--hidden-size", "8", "--verbose"]
    result = invoke("train", rain, *words)
    assert "bfloat16; " in result.stderr
    facts = json.loads(invoke("info", "--json").stdout)
    assert facts["training"]["precision"] == "bfloat16"


def test_a_resumed_run_keeps_its_precision(rain, tmp_path):
    train(rain, tmp_path, stop_at=3)
    with pytest.raises(UsageError, match="--precision: a resumed run keeps its settings"):
        train(None, tmp_path, resume="", precision="bfloat16")


def test_the_setting_is_part_of_the_configuration():
    config = make_train_config(precision="bfloat16")
    assert dataclasses.asdict(config)["precision"] == "bfloat16"


def test_resuming_what_pytorch_lacks_is_refused(rain, tmp_path):
    _, stopped = train(rain, tmp_path, stop_at=3, model="lstm")
    last = load(stopped.run.last, training=True)
    state = dict(last.training) | {"loss_scale": LossScale("float16").state()}
    config = dataclasses.replace(last.train, precision="float16")
    save_checkpoint(stopped.run.last, dataclasses.replace(last, train=config, training=state))
    with pytest.raises(UsageError, match=LSTM_REFUSED):
        train(None, tmp_path, resume="")


def test_float16_on_a_processor_is_told_to_be_slow(invoke, rain):
    result = invoke("train", rain, "--precision", "float16", "--epochs", "1", "--hidden-size", "8")
    assert "Note: float16 is slow on a processor" in result.stderr
