"""A thread that computes matrix products beside the one that asks for them."""

import threading
import weakref
from queue import SimpleQueue
from typing import TypeAlias

import numpy as np

from charrnn_cli.models.decoder import Floats

Product: TypeAlias = tuple[Floats, Floats, Floats]
Outcome: TypeAlias = Exception | None
"""What computing a product has raised."""


class ProductThread:
    """Computes products one after another, in the order in which they were asked for.

    It ends with this object, or with the process.
    """

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Product | None] = SimpleQueue()
        self._done: SimpleQueue[Outcome] = SimpleQueue()
        self._asked, self._completed = 0, 0  # numbers of products
        arguments = self._jobs, self._done
        threading.Thread(target=_compute, args=arguments, daemon=True).start()
        weakref.finalize(self, self._jobs.put, None)

    def ask(self, weight: Floats, inputs: Floats, outputs: Floats) -> int:
        """Compute `weight @ inputs` into `outputs`, none of which may change until it is done.
        Returns its number, to wait for."""
        self._jobs.put((weight, inputs, outputs))
        self._asked += 1
        return self._asked

    def wait(self, number: int) -> None:
        """Wait until a product is computed, and with it all that were asked for before. Raises
        what computing one of them has raised, such as MemoryError."""
        while self._completed < number:
            error = self._done.get()
            self._completed += 1
            if error is not None:
                raise error


def _compute(jobs: "SimpleQueue[Product | None]", done: "SimpleQueue[Outcome]") -> None:
    while (product := jobs.get()) is not None:
        weight, inputs, outputs = product
        error = None
        try:
            np.dot(weight, inputs, out=outputs)
        except Exception as raised:
            error = raised
        done.put(error)
