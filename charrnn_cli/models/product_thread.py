"""A thread that computes matrix products beside the one that asks for them."""

import threading
import weakref
from queue import SimpleQueue
from typing import TypeAlias

import numpy as np

from charrnn_cli.models.decoder import Floats

Product: TypeAlias = tuple[Floats, Floats, Floats]


class ProductThread:
    """Computes products one after another, in the order in which they were asked for.

    It ends with this object, or with the process.
    """

    def __init__(self) -> None:
        self._asked: SimpleQueue[Product | None] = SimpleQueue()
        self._done: SimpleQueue[None] = SimpleQueue()
        arguments = self._asked, self._done
        threading.Thread(target=_compute, args=arguments, daemon=True).start()
        weakref.finalize(self, self._asked.put, None)

    def ask(self, weight: Floats, inputs: Floats, outputs: Floats) -> None:
        """Compute `weight @ inputs` into `outputs`, none of which may change until `wait`."""
        self._asked.put((weight, inputs, outputs))

    def wait(self) -> None:
        """Wait for the first of the products for which nobody has waited."""
        self._done.get()


def _compute(asked: "SimpleQueue[Product | None]", done: "SimpleQueue[None]") -> None:
    while (product := asked.get()) is not None:
        weight, inputs, outputs = product
        np.dot(weight, inputs, out=outputs)
        done.put(None)
