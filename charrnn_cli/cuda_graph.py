"""Work for a GPU that is launched as a whole, not operation by operation."""

from collections.abc import Callable

import torch
from torch import Tensor

WARM_UP = 3  # calls in which libraries choose their kernels and take their memory


class Replayed:
    """A function on CUDA tensors, recorded as a CUDA graph at its fourth call.

    Launching the hundreds of small operations of a training step takes the processor longer than
    the GPU needs for them; a graph is launched at once. What the function reads and writes has to
    stay where it is in memory, it must not wait for the GPU, and its result is good until the next
    call. Random numbers follow the seed as without a graph.
    """

    def __init__(self, function: Callable[[], Tensor]) -> None:
        self.function = function
        self.calls = 0
        self.graph: torch.cuda.CUDAGraph | None = None
        self.result: Tensor

    def __call__(self) -> Tensor:
        """The function's result."""
        self.calls += 1
        if self.calls <= WARM_UP:
            return self._on_a_stream_of_its_own()
        if self.graph is None:
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):  # records, and computes nothing
                self.result = self.function()
        self.graph.replay()
        return self.result

    def _on_a_stream_of_its_own(self) -> Tensor:
        """As PyTorch wants it before recording: what stays of a backward pass is bound to its
        stream, and the default one cannot be recorded."""
        stream, own = torch.cuda.current_stream(), torch.cuda.Stream()  # type: ignore[no-untyped-call]
        own.wait_stream(stream)
        with torch.cuda.stream(own):
            result = self.function()
        stream.wait_stream(own)
        result.record_stream(stream)
        return result
