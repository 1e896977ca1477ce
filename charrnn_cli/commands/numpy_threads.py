"""How many threads NumPy computes with."""

import os

LIBRARIES = ("OPENBLAS", "MKL", "VECLIB")  # what NumPy may be built with


def use_one_thread() -> None:
    """Let NumPy compute matrix products on one thread, unless the user has set how many.

    Its products here are too small to gain from more, and threads that wait for each other on a
    busy machine take many times as long. NumPy's library reads these variables when it is first
    imported. They are as they were after that, so PyTorch's threads are what they would have been.
    """
    names = [f"{library}_NUM_THREADS" for library in LIBRARIES]
    unset = [name for name in names if name not in os.environ]
    os.environ.update(dict.fromkeys(unset, "1"))
    import numpy  # noqa: F401

    for name in unset:
        del os.environ[name]
