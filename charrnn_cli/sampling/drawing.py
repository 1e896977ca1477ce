"""Writing text: which characters may follow, drawing one, and the loop around it."""

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from charrnn_cli.config import SamplingConfig
from charrnn_cli.models.base import Decoder

Floats: TypeAlias = npt.NDArray[np.floating[Any]]
Ids = npt.NDArray[np.integer[Any]]

BLOCK = 256  # random numbers drawn at a time and stream


def probabilities(logits: Floats, config: SamplingConfig) -> Floats:
    """The distribution (…, V) that the next character is drawn from; float64, sums to 1.

    In this order: temperature, top-k, top-p (nucleus; Holtzman et al. 2020), min-p (Nguyen et al.
    2024); each filter acts on what the one before it left, as a distribution. Where characters tie,
    those of lower code point are kept. Temperature 0 gives the first most likely character all.
    """
    kept = weights(logits, config)
    chances: Floats = kept / kept.sum(-1, keepdims=True)
    return chances


def weights(logits: Floats, config: SamplingConfig) -> Floats:
    """What `probabilities` gives but for a factor, which drawing needs not."""
    shifted = logits - np.maximum.reduce(logits, axis=-1, keepdims=True)
    if config.temperature == 0:
        certain: Floats = np.zeros(logits.shape)
        np.put_along_axis(certain, logits.argmax(-1)[..., None], 1.0, -1)
        return certain
    if config.temperature != 1:
        shifted = shifted / max(config.temperature, 1e-30)  # float32 knows little below: 0 / 0
    kept: Floats = np.exp(shifted, dtype=np.float64)
    if config.top_k is not None and config.top_k < logits.shape[-1]:
        kept = _keep_top_k(kept, config.top_k)
    if config.top_p is not None and config.top_p < 1:
        kept = _keep_top_p(kept, config.top_p)
    if config.min_p is not None:
        kept = np.where(kept >= config.min_p * kept.max(-1, keepdims=True), kept, 0.0)
    return kept


def _keep_top_k(weights: Floats, k: int) -> Floats:
    least = np.partition(weights, -k, axis=-1)[..., -k, None]
    kept = np.where(weights >= least, weights, 0.0)
    if np.count_nonzero(kept) > k * (kept.size // kept.shape[-1]):  # some tie: keep the first ones
        level = weights == least
        room = k - (weights > least).sum(-1, keepdims=True)
        kept = np.where(level & (level.cumsum(-1) > room), 0.0, kept)
    return kept


def _keep_top_p(weights: Floats, p: float) -> Floats:
    order = np.argsort(-weights, axis=-1, kind="stable")
    ranked = np.take_along_axis(weights, order, -1)
    before = ranked.cumsum(-1) - ranked  # what the more likely ones reach without this one
    ranked = np.where(before < p * weights.sum(-1, keepdims=True), ranked, 0.0)
    kept = np.empty_like(weights)
    np.put_along_axis(kept, order, ranked, -1)
    return kept


def draw(weights: Floats, uniform: Any) -> Any:
    """The id that a uniform number in [0, 1) picks, each with a chance in proportion to its weight:
    weights (V,) and a number give an int, (B, V) and (B,) give ids (B,)."""
    reached = weights.cumsum(-1)
    if reached.ndim == 1:
        return int(reached.searchsorted(uniform * reached[-1], side="right"))
    return (reached <= (uniform * reached[:, -1])[:, None]).sum(-1)


def generate(
    decoder: Decoder,
    prompt: Sequence[int] | Ids,
    config: SamplingConfig,
    random_seed: int,
    streams: int | None = None,
) -> Iterator[Any]:
    """Read the prompt, then draw characters for ever: yields an int, or ids (B,) for B streams.

    Stream i draws its random numbers from (random_seed, i) alone: it does not depend on how many
    streams there are. Raises ValueError for an empty prompt.
    """
    if not len(prompt):
        raise ValueError("the prompt is empty")
    ids = np.asarray(prompt, dtype=np.int64)
    logits = decoder.prefill(ids if streams is None else ids[:, None].repeat(streams, axis=1))
    rngs = [np.random.default_rng((random_seed, i)) for i in range(streams or 1)]
    while True:
        block = np.stack([rng.random(BLOCK) for rng in rngs], axis=1)  # (BLOCK, B)
        for uniform in block[:, 0].tolist() if streams is None else block:
            chosen = draw(weights(logits, config), uniform)
            yield chosen
            logits = decoder.step(chosen)


def surprise(decoder: Decoder, prompt: Sequence[int] | Ids, ids: Ids) -> Floats:
    """Bits (T,) that each of ids (T,), written after the prompt, costs under the model itself:
    at temperature 1 and without filters. `decoder` is a new one, of one stream."""
    logits = decoder.prefill(np.asarray(prompt, dtype=np.int64))
    bits = np.empty(len(ids))
    for place, index in enumerate(ids.tolist()):
        shifted = logits.astype(np.float64) - logits.max()
        bits[place] = (np.log(np.exp(shifted).sum()) - shifted[index]) / np.log(2)
        logits = decoder.step(index)
    return bits
