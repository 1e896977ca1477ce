"""Work for a GPU that is launched as a whole, not operation by operation."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

WARM_UP = 3  # calls in which libraries choose their kernels and take their memory


class Replayed:
    """A function on CUDA tensors, recorded as a CUDA graph at its fourth call.

    Launching the hundreds of small operations of a training step takes the processor longer than
    the GPU needs for them; a graph is launched at once. What the function reads and writes has to
    stay where it is in memory, it must not wait for the GPU, and its result is good until the next
    call. Random numbers follow the seed as without a graph.

    It runs on `stream`, never the default one, which cannot be recorded; libraries keep memory for
    each stream, so that work which belongs together should share one. The same goes for `pool`, of
    graphs that leave nothing in it for each other.
    """

    def __init__(self, stream: torch.cuda.Stream, pool: Any = None) -> None:
        self.stream, self.pool = stream, pool
        self.calls = 0
        self.graph: torch.cuda.CUDAGraph | None = None
        self.result: Tensor

    def __call__(self, function: Callable[[], Tensor]) -> Tensor:
        """The result of the function, which is the same at every call: only the first ones, and
        the recording, run it."""
        self.calls += 1
        if self.calls <= WARM_UP:
            return self._beside(function)
        if self.graph is None:
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=self.pool, stream=self.stream):
                self.result = function()  # is recorded, and computes nothing
            self.graph = graph
        self.graph.replay()
        return self.result

    def _beside(self, function: Callable[[], Tensor]) -> Tensor:
        """As PyTorch wants it before recording: what stays of a backward pass is bound to its
        stream."""
        outer = torch.cuda.current_stream(self.stream.device)
        self.stream.wait_stream(outer)
        with torch.cuda.stream(self.stream):
            result = function()
        outer.wait_stream(self.stream)
        result.record_stream(outer)
        return result
