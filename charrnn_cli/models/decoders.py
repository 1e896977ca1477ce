"""Decoders for a device: in NumPy on a CPU, in PyTorch elsewhere."""

from collections.abc import Callable, Mapping
from functools import partial

from charrnn_cli.models.base import ModelConfig
from charrnn_cli.models.decoder import Array, Decoder
from charrnn_cli.models.registry import build_decoder

OpenDecoder = Callable[[int | None], Decoder]
"""Builds a decoder for a number of streams; None is one stream without a batch axis."""


def decoders_on(config: ModelConfig, weights: Mapping[str, Array], device: str) -> OpenDecoder:
    """A function that builds a model's decoders for a `--device`.

    On a CPU they do not import PyTorch, which takes longer than reading most texts. Raises
    UsageError for a device that this machine does not have.
    """
    if in_numpy(device):
        return partial(build_decoder, config, weights)
    from charrnn_cli.models.device import choose_device
    from charrnn_cli.models.torch_decoder import TorchDecoder
    from charrnn_cli.models.weights import trained_model

    return partial(TorchDecoder, trained_model(config, weights, choose_device(device)))


def in_numpy(device: str) -> bool:
    """Whether the decoders for a `--device` compute in NumPy."""
    return device in ("auto", "cpu")
