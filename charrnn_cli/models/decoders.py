"""Decoders for a device: NumPy's on a CPU, PyTorch's elsewhere."""

from collections.abc import Callable, Mapping
from functools import partial

from charrnn_cli.models.base import ModelConfig
from charrnn_cli.models.decoder import Array, Decoder
from charrnn_cli.models.registry import build_decoder

OpenDecoder = Callable[[int | None], Decoder]
"""Makes a decoder for so many streams; None: one stream."""


def decoders_on(config: ModelConfig, weights: Mapping[str, Array], device: str) -> OpenDecoder:
    """What makes a model's decoders on a `--device`. On a CPU they need no PyTorch, which takes
    longer to import than most texts to read. Raises UsageError for a device that is not there."""
    if device in ("auto", "cpu"):
        return partial(build_decoder, config, weights)
    from charrnn_cli.models.device import choose_device
    from charrnn_cli.models.torch_decoder import TorchDecoder
    from charrnn_cli.models.weights import trained_model

    return partial(TorchDecoder, trained_model(config, weights, choose_device(device)))
