"""Updates recorded as a CUDA graph, with stand-ins for what only a GPU has."""

import contextlib
import gc
from collections.abc import Iterator

import pytest
import torch
from factories import ask_to_train, train

from charrnn_cli.training import cuda_graph
from charrnn_cli.training.events import Noted
from charrnn_cli.training.setup import open_training
from charrnn_cli.training.throughput import measure_speed
from charrnn_cli.training.updates import Updates


class Recorder:
    """PyTorch's CUDA names that a recording needs; it notes what is asked of them."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.device, self.value = "cuda:0", torch.zeros(())

    def wait_stream(self, other: "Recorder") -> None:
        self.said.append("wait")

    def current_stream(self, device: str) -> "Recorder":
        return self

    @contextlib.contextmanager
    def stream(self, stream: "Recorder") -> Iterator[None]:
        yield

    @contextlib.contextmanager
    def graph(self, graph: "Recorder", pool: object, stream: "Recorder") -> Iterator[None]:
        self.said.append("record")
        yield

    def CUDAGraph(self) -> "Recorder":  # noqa: N802
        return self

    def replay(self) -> None:
        self.said.append("replay")


def test_a_function_is_warmed_up_then_recorded_once_then_replayed(monkeypatch):
    cuda, runs = Recorder(), []
    monkeypatch.setattr(torch, "cuda", cuda)
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda *_: None)
    replayed = cuda_graph.GraphedFunction(cuda)
    for _ in range(cuda_graph.WARM_UP_CALLS + 3):
        replayed(lambda: runs.append(1) or cuda.value)
    assert len(runs) == cuda_graph.WARM_UP_CALLS + 1
    assert cuda.said == ["wait"] * 2 * cuda_graph.WARM_UP_CALLS + ["record"] + ["replay"] * 3


class FailingRecorder(Recorder):
    """A GPU on which the recording of a graph fails, after the function was called in it."""

    @contextlib.contextmanager
    def graph(self, graph: "Recorder", pool: object, stream: "Recorder") -> Iterator[None]:
        self.said.append("record")
        yield
        raise RuntimeError("CUDA error: operation not permitted when stream is capturing\nMore")


def test_a_training_whose_graph_cannot_be_recorded_goes_on_with_a_note(rain, tmp_path, monkeypatch):
    _, plain = train(rain, tmp_path / "plain", dropout=0.3)
    with open_training(ask_to_train(rain, tmp_path / "graphs", dropout=0.3)) as training:
        trainer = training.trainer
        cuda = FailingRecorder()
        for name in ("CUDAGraph", "graph", "stream", "current_stream"):
            monkeypatch.setattr(torch.cuda, name, getattr(cuda, name))
        monkeypatch.setattr(torch.Tensor, "record_stream", lambda *_: None)
        trainer.updates.ahead, trainer.updates.graphs = True, {}
        trainer.updates._stream, trainer.updates._pool = cuda, None
        recorded = nothing_computed(monkeypatch, cuda, trainer)
        events = list(trainer.steps())
    notes = [event.text for event in events if isinstance(event, Noted)]
    assert len(notes) == cuda.said.count("record") == len(recorded) == 1
    assert "cannot record an update as a CUDA graph (CUDA error: operation not" in notes[0]
    assert "CHARRNN_CUDA_GRAPH=0" in notes[0]
    assert trainer.run.best.read_bytes() == plain.run.best.read_bytes()
    assert trainer.run.last.read_bytes() == plain.run.last.read_bytes()


def nothing_computed(monkeypatch, cuda, trainer) -> list[bool]:
    """Let what is recorded change nothing, as on a GPU: weights, moments and state are put back."""
    recorded: list[bool] = []
    graph = cuda.graph

    @contextlib.contextmanager
    def put_back(*arguments, **options):
        tensors = [*trainer.model.parameters(), *(t for _, t in trainer.optimizer.tensors())]
        tensors += [*trainer.optimizer.steps, *trainer.updates.state.values()]
        before = [tensor.detach().clone() for tensor in tensors]
        try:
            with graph(*arguments, **options):
                yield
        finally:
            recorded.append(True)
            with torch.no_grad():
                for tensor, values in zip(tensors, before, strict=True):
                    tensor.copy_(values)

    monkeypatch.setattr(torch.cuda, "graph", put_back)
    return recorded


@pytest.mark.slow
def test_measuring_the_speed_leaves_nothing_behind(rain, tmp_path):
    with open_training(ask_to_train(rain, tmp_path)) as training:
        trainer = training.trainer
        gc.collect()
        gc.disable()
        try:
            measure_speed(trainer.model, trainer.config, trainer.train_part)
            left = [thing for thing in gc.get_objects() if type(thing) is Updates]
        finally:
            gc.enable()
    assert left == [trainer.updates]
