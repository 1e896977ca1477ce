"""Train, sample, score and inspect character-level language models."""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["__version__", "load", "train"]

if TYPE_CHECKING:
    from charrnn_cli.api.trained_model import load
    from charrnn_cli.api.training import train


def __getattr__(name: str) -> Any:
    """`load` and `train` on first use, so that importing the package imports nothing else."""
    if name == "load":
        from charrnn_cli.api.trained_model import load

        return load
    if name == "train":
        from charrnn_cli.api.training import train

        return train
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """What a notebook offers to complete."""
    return [*__all__]
