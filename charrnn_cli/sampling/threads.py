"""How many threads write samples; without NumPy, whose own threads are set as it is imported."""

from charrnn_cli.environment import available_cores

STREAMS_PER_THREAD = 16  # A thread writes at least so many samples side by side.


def threads_for(streams: int) -> int:
    """How many threads write so many samples side by side: each has a core, and enough of them that
    products gain from being made together."""
    return max(1, min(available_cores(), streams // STREAMS_PER_THREAD))
