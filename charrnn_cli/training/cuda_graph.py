"""A function on a GPU that is recorded as a CUDA graph and then replayed."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

# A function is recorded after three calls, in which libraries choose kernels and allocate memory.
WARM_UP_CALLS = 3


class RecordingError(Exception):
    """A function could not be recorded as a CUDA graph; nothing of it was computed."""


class GraphedFunction:
    """A function on CUDA tensors, recorded as a CUDA graph at its fourth call.

    Launching the hundreds of small operations of a training step takes longer than computing them;
    a graph is launched at once. The function must read and write fixed memory and must not wait for
    the GPU. Its result is valid until the next call. Random numbers follow the seed as without a
    graph.

    `stream` must not be the default stream, which cannot be recorded. Libraries allocate memory for
    each stream, so functions that belong together should share one. They may share a memory `pool`,
    if no function needs what another has left in it.
    """

    def __init__(self, stream: torch.cuda.Stream, pool: Any = None) -> None:
        self.stream, self.pool = stream, pool
        self.calls = 0
        self.graph: torch.cuda.CUDAGraph | None = None
        self.result: Tensor

    def __call__(self, function: Callable[[], Tensor]) -> Tensor:
        """Run or replay `function`, which must be the same in all calls, and return its result.

        Raises RecordingError if it cannot be recorded.
        """
        self.calls += 1
        if self.calls <= WARM_UP_CALLS:
            return self._on_stream(function)
        if self.graph is None:
            graph = torch.cuda.CUDAGraph()
            try:
                with torch.cuda.graph(graph, pool=self.pool, stream=self.stream):
                    self.result = function()  # recorded, not computed
            except RuntimeError as error:  # of CUDA, such as for too little memory
                raise RecordingError(str(error).splitlines()[0]) from None
            self.graph = graph
        self.graph.replay()
        return self.result

    def _on_stream(self, function: Callable[[], Tensor]) -> Tensor:
        """Run the function on `stream`, which PyTorch requires of calls before a recording."""
        outer = torch.cuda.current_stream(self.stream.device)
        self.stream.wait_stream(outer)
        with torch.cuda.stream(self.stream):
            result = function()
        outer.wait_stream(self.stream)
        result.record_stream(outer)
        return result
