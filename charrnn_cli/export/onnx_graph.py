"""Building an ONNX graph node by node."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from charrnn_cli.checkpoints.checkpoint import Array
from charrnn_cli.errors import UsageError

OPSET = 17  # Of ONNX 1.12 (2022): what onnxruntime 1.12 and later run.
IR_VERSION = 8  # The file format of the same release.

Axes = Sequence[str | int]


class Graph:
    """A graph under construction; values are known by their names."""

    def __init__(self) -> None:
        try:
            import onnx
        except ImportError:
            raise UsageError(
                "--onnx needs the package onnx. Install it with pip install onnx."
            ) from None
        self.onnx = onnx
        self._nodes: list[Any] = []
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []
        self._constants: dict[str, Any] = {}
        self._numbers = itertools.count()

    def input(self, name: str, axes: Axes, kind: type = np.float32) -> str:
        """Declare an input; an axis is a size, or the name of one that may differ by call."""
        self._inputs.append(self._described(name, axes, kind))
        return name

    def output(self, value: str, name: str, axes: Axes) -> None:
        """Declare a value as an output (float32) of this name."""
        self._nodes.append(self.onnx.helper.make_node("Identity", [value], [name]))
        self._outputs.append(self._described(name, axes, np.float32))

    def constant(self, values: Any, name: str | None = None, kind: type = np.float32) -> str:
        """An array as a value; floats become those of this `kind`. Weights are stored under their
        `name`."""
        array = np.asarray(values)
        if array.dtype.kind == "f":
            array = array.astype(kind)
        if name is None:
            name = f"constant.{array.dtype}.{array.tolist()}" if array.size < 8 else self._fresh()
        if name not in self._constants:
            contiguous = np.ascontiguousarray(array).reshape(array.shape)
            self._constants[name] = self.onnx.numpy_helper.from_array(contiguous, name)
        return name

    def node(self, kind: str, *inputs: Any, outputs: int = 1, **attributes: Any) -> Any:
        """Add an operation; return the name of its result, or a list of several `outputs`.

        An input is a value's name, the empty text for none, or numbers.
        """
        names = [value if isinstance(value, str) else self.constant(value) for value in inputs]
        results = [self._fresh() for _ in range(outputs)]
        self._nodes.append(self.onnx.helper.make_node(kind, names, results, **attributes))
        return results if outputs > 1 else results[0]

    def size(self, value: str, axis: int) -> str:
        """The size of an axis, an int64 of no axes."""
        return str(self.node("Gather", self.node("Shape", value), np.int64(axis)))

    def slice(self, value: str, begin: Any, end: Any, axis: int) -> str:
        """The part of a value from `begin` to `end`, int64 (1,) each, on one axis."""
        return str(self.node("Slice", value, begin, end, np.array([axis])))

    def linear(self, value: str, weight: Array, name: str, bias: Array | None = None) -> str:
        """The product (…, K) of a value (…, W) with a weight (K, W), plus the bias (K,)."""
        product = self.node("MatMul", value, self.constant(weight.T, f"{name}.weight"))
        if bias is None:
            return str(product)
        return str(self.node("Add", product, self.constant(bias, f"{name}.bias")))

    def to_bytes(self, name: str, metadata: Mapping[str, str]) -> bytes:
        """The model as the bytes of a file, checked by the onnx package; the same graph gives the
        same bytes."""
        helper = self.onnx.helper
        graph = helper.make_graph(
            self._nodes, name, self._inputs, self._outputs, list(self._constants.values())
        )
        model = helper.make_model(
            graph,
            producer_name="charrnn",
            ir_version=IR_VERSION,
            opset_imports=[helper.make_opsetid("", OPSET)],
        )
        helper.set_model_props(model, dict(metadata))
        self.onnx.checker.check_model(model, full_check=True)
        data: bytes = model.SerializeToString(deterministic=True)
        return data

    def _described(self, name: str, axes: Axes, kind: type) -> Any:
        element = self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(kind))
        return self.onnx.helper.make_tensor_value_info(name, element, list(axes))

    def _fresh(self) -> str:
        return f"value.{next(self._numbers)}"
