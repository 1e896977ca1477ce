"""TensorBoard's file of a run, read by TensorBoard's own reader."""

import sys

import pytest
from factories import SMALL, metrics_of, one_line_error
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from charrnn_cli.checkpoints.runs import Run
from charrnn_cli.errors import ExitCode, WriteError
from charrnn_cli.training.tensorboard import ScalarLog

FIELDS = ("epoch", "train_loss", "val_loss", "learning_rate", "grad_norm", "chars_per_second")


@pytest.fixture
def run(tmp_path) -> Run:
    """The run that trainings in this folder make."""
    return Run(tmp_path / "checkpoints" / "poems")


def read(run: Run) -> dict[str, list[tuple[int, float]]]:
    """The scalars that TensorBoard finds in a run's folder, as steps and values."""
    reader = EventAccumulator(str(run.folder))
    reader.Reload()
    return {
        name: [(event.step, event.value) for event in reader.Scalars(name)]
        for name in reader.Tags()["scalars"]
    }


def expected(run: Run) -> dict[str, list[tuple[int, float]]]:
    records = metrics_of(run)
    return {
        name: [(record["step"], pytest.approx(record[name], rel=1e-6)) for record in records]
        for name in FIELDS
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    "model", ["gru", *(pytest.param(name, marks=pytest.mark.slow) for name in ("gpt2", "llama"))]
)
def test_tensorboard_gets_the_scalars_of_the_metrics(invoke, text, run, model):
    words = [*SMALL, "--epochs", 3, "--model", model]
    assert invoke("train", text, *words, "--tensorboard").exit_code == 0
    assert read(run) == expected(run)
    assert len(metrics_of(run)) > 2


@pytest.mark.slow
def test_a_resumed_run_has_every_step_once(invoke, text, run):
    invoke("train", text, *SMALL, "--tensorboard")
    reader = EventAccumulator(str(run.folder))  # one that runs all the while
    reader.Reload()
    steps = len(metrics_of(run))
    invoke("train", "--resume", "--epochs", 4, "--tensorboard", "--device", "cpu")
    assert read(run) == expected(run)
    reader.Reload()
    assert [event.step for event in reader.Scalars("val_loss")] == [
        record["step"] for record in metrics_of(run)
    ]
    assert len(metrics_of(run)) > steps


@pytest.mark.slow
def test_a_run_that_gets_tensorboard_late_has_its_beginning_too(invoke, text, run):
    invoke("train", text, *SMALL)
    assert not list(run.folder.glob("events.out.tfevents.*"))
    invoke("train", "--resume", "--epochs", 3, "--tensorboard", "--device", "cpu")
    assert read(run) == expected(run)


def test_without_tensorboard_the_remedy_is_named_and_nothing_trained(
    invoke, text, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    line = one_line_error(invoke("train", text, *SMALL, "--tensorboard"), ExitCode.USAGE)
    assert "pip install tensorboard" in line
    assert not (tmp_path / "checkpoints").exists()


def test_a_file_that_cannot_be_written_is_one_error(tmp_path, monkeypatch):
    run = Run(tmp_path / "run")
    run.folder.mkdir()
    run.append_metrics({"step": 1, "seconds": 0.5, "val_loss": 1.0})

    def full(*values, **more):
        raise OSError(28, "No space left on device")

    with ScalarLog(run) as log:
        log.update()
        run.append_metrics({"step": 2, "seconds": 0.9, "val_loss": 0.9})
        monkeypatch.setattr(log.writer, "add_scalar", full)
        with pytest.raises(WriteError, match=r"No space left.*Make room there"):
            log.update()
