"""Sources of different lengths in one batch: where each ends."""

from typing import NamedTuple

import numpy as np

from charrnn_cli.export.onnx_graph import Graph


class Sources(NamedTuple):
    """The input `source`, ids (B, S), of an encoder.

    What stands after a source's END is padding. `mask` (B, S) is 0 where there is none, else minus
    infinity; `lengths` (B,) are int32 and count END.
    """

    ids: str
    mask: str
    lengths: str


def add_sources(graph: Graph, end: int) -> Sources:
    """Declare the input `source`, and find where each source has its END."""
    ids = graph.input("source", ("batch", "source_time"), np.int64)
    ends = graph.node("Equal", ids, np.int64(end))
    ends = graph.node("Cast", ends, to=graph.onnx.TensorProto.INT32)
    before = graph.node("CumSum", ends, np.int64(1), exclusive=1)
    real = graph.node("Equal", before, np.int32(0))
    mask = graph.node("Where", real, np.float32(0), np.float32(-np.inf))
    counted = graph.node("Cast", real, to=graph.onnx.TensorProto.INT32)
    return Sources(ids, mask, graph.node("ReduceSum", counted, np.array([1]), keepdims=0))
