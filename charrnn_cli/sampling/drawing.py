"""Drawing characters: the distribution after the filters, one draw, and the loop around it."""

import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from charrnn_cli.models.decoder import Decoder
from charrnn_cli.settings.configs import SamplingConfig

Floats: TypeAlias = npt.NDArray[np.floating[Any]]
Ids = npt.NDArray[np.integer[Any]]

BLOCK = 256  # Random numbers are drawn in blocks of this many per stream.
STEPS_AT_ONCE = 8  # Streams in threads are drawn so many characters at a time.
MIN_TEMPERATURE = 1e-30  # Below it, a division in float32 would overflow and give 0 / 0 later.


def probabilities(logits: Floats, config: SamplingConfig) -> Floats:
    """Return the distribution (…, V), float64, from which the next character is drawn.

    The filters apply in this order: temperature, top-k, top-p (nucleus; Holtzman et al. 2020),
    min-p (Nguyen et al. 2024); each acts on the normalised result of the one before. Of characters
    with equal probability, those with the lower code point are kept. Temperature 0 puts all
    probability on the first of the most likely characters.
    """
    kept = unnormalised(logits, config)
    normalised: Floats = kept / kept.sum(-1, keepdims=True)
    return normalised


def unnormalised(logits: Floats, config: SamplingConfig) -> Floats:
    """Return the unnormalised probabilities (…, V), float64: `probabilities` times a constant."""
    shifted = logits - np.maximum.reduce(logits, axis=-1, keepdims=True)
    if config.temperature == 0:
        certain: Floats = np.zeros(logits.shape)
        np.put_along_axis(certain, logits.argmax(-1)[..., None], 1.0, -1)
        return certain
    if config.temperature != 1:
        shifted = shifted / max(config.temperature, MIN_TEMPERATURE)
    kept: Floats = np.exp(shifted, dtype=np.float64)
    if config.top_k is not None and config.top_k < logits.shape[-1]:
        kept = _keep_top_k(kept, config.top_k)
    if config.top_p is not None and config.top_p < 1:
        kept = _keep_top_p(kept, config.top_p)
    if config.min_p is not None:
        kept = np.where(kept >= config.min_p * kept.max(-1, keepdims=True), kept, 0.0)
    return kept


def _keep_top_k(probabilities: Floats, k: int) -> Floats:
    least = np.partition(probabilities, -k, axis=-1)[..., -k, None]
    kept = np.where(probabilities >= least, probabilities, 0.0)
    one = kept.ndim == 1
    most = np.count_nonzero(kept) if one else (kept > 0).sum(-1).max()
    if most > k:  # a tie: keep the first ones
        tied = probabilities == least
        room = k - (probabilities > least).sum(-1, keepdims=True)
        kept = np.where(tied & (tied.cumsum(-1) > room), 0.0, kept)
    return kept


def _keep_top_p(probabilities: Floats, p: float) -> Floats:
    order = np.argsort(-probabilities, axis=-1, kind="stable")
    # A plain index is faster, but sorts one stream only.
    one = probabilities.ndim == 1
    ranked = probabilities[order] if one else np.take_along_axis(probabilities, order, -1)
    before = ranked.cumsum(-1) - ranked  # the sum over the more likely characters
    ranked = np.where(before < p * probabilities.sum(-1, keepdims=True), ranked, 0.0)
    kept = np.empty_like(probabilities)
    if one:
        kept[order] = ranked
    else:
        np.put_along_axis(kept, order, ranked, -1)
    return kept


def draw(probabilities: Floats, uniform: Any) -> Any:
    """Return the id that a uniform random number in [0, 1) selects.

    The probabilities may be unnormalised: (V,) and a number give an int, (B, V) and numbers (B,)
    give ids (B,).
    """
    cumulative = np.add.accumulate(probabilities, axis=-1)  # `cumsum` takes longer to call
    if cumulative.ndim == 1:
        return int(cumulative.searchsorted(uniform * cumulative[-1], side="right"))
    return (cumulative <= (uniform * cumulative[:, -1])[:, None]).sum(-1)


def generate(
    decoder: Decoder,
    prompt: Sequence[int] | Ids,
    config: SamplingConfig,
    random_seed: int,
    streams: int | None = None,
    first_stream: int = 0,
) -> Iterator[Any]:
    """Read the prompt, then draw characters without end: yields an int, or ids (B,) for B streams.

    Stream i draws its random numbers from (random_seed, first_stream + i) alone: it does not depend
    on how many streams there are. Raises ValueError for an empty prompt.
    """
    steps = generate_with_logits(decoder, prompt, config, random_seed, streams, first_stream)
    return (ids for ids, _ in steps)


def generate_with_logits(
    decoder: Decoder,
    prompt: Sequence[int] | Ids,
    config: SamplingConfig,
    random_seed: int,
    streams: int | None = None,
    first_stream: int = 0,
) -> Iterator[tuple[Any, Floats]]:
    """Yield what `generate` yields, each with the logits (V,) or (B, V) that it was drawn from.

    The array of logits may be overwritten by the next step.
    """
    if not len(prompt):
        raise ValueError("the prompt is empty")
    ids = np.asarray(prompt, dtype=np.int64)
    logits = decoder.prefill(ids if streams is None else ids[:, None].repeat(streams, axis=1))
    numbers = range(first_stream, first_stream + (streams or 1))
    rngs = [np.random.default_rng((random_seed, number)) for number in numbers]
    while True:
        block = np.stack([rng.random(BLOCK) for rng in rngs], axis=1)  # (BLOCK, B)
        for uniform in block[:, 0].tolist() if streams is None else block:
            chosen = draw(unnormalised(logits, config), uniform)
            yield chosen, logits
            logits = decoder.step(chosen)


def generate_with_bits(
    decoder: Decoder,
    prompt: Sequence[int] | Ids,
    config: SamplingConfig,
    random_seed: int,
    streams: int | None = None,
    first_stream: int = 0,
    *,
    measure: bool,
) -> Iterator[tuple[Any, Any]]:
    """Yield what `generate` yields, each with its `surprisal` if that is to be measured, else with
    None."""
    steps = generate_with_logits(decoder, prompt, config, random_seed, streams, first_stream)
    return ((ids, surprisal(logits, ids) if measure else None) for ids, logits in steps)


def generate_in_threads(
    decoders: Sequence[Decoder],
    prompt: Sequence[int] | Ids,
    config: SamplingConfig,
    random_seed: int,
    streams: Sequence[int],
    first_stream: int = 0,
    *,
    measure: bool = False,
) -> Iterator[tuple[Ids, Floats | None]]:
    """Yield what `generate_with_bits` yields, for streams that are divided among decoders: each
    reads, draws and measures as many as `streams` says, in a thread of its own.

    The threads are up to twice `STEPS_AT_ONCE` characters ahead of what was yielded.
    """
    firsts = itertools.accumulate(streams, initial=first_stream)
    parts = [
        generate_with_bits(decoder, prompt, config, random_seed, count, first, measure=measure)
        for decoder, count, first in zip(decoders, streams, firsts, strict=False)
    ]
    with ThreadPoolExecutor(len(parts)) as pool:
        ahead = [pool.submit(_next_steps, part) for part in parts]
        while True:
            drawn = [one.result() for one in ahead]
            ahead = [pool.submit(_next_steps, part) for part in parts]
            for steps in zip(*drawn, strict=True):
                ids, bits = zip(*steps, strict=True)
                yield np.concatenate(ids), np.concatenate(bits) if measure else None


def _next_steps(steps: Iterator[tuple[Ids, Any]]) -> list[tuple[Ids, Any]]:
    """The next `STEPS_AT_ONCE` steps of some streams."""
    return list(itertools.islice(steps, STEPS_AT_ONCE))


def surprisal(logits: Floats, ids: Any) -> Any:
    """Return the surprisal in bits of ids under the model itself, at temperature 1, unfiltered.

    Logits (V,) and an int give a float, (B, V) and ids (B,) give (B,), float64.
    """
    shifted = logits.astype(np.float64) - logits.max(-1, keepdims=True)
    chosen = np.take_along_axis(shifted, np.asarray(ids)[..., None], -1)[..., 0]
    return (np.log(np.exp(shifted).sum(-1)) - chosen) / np.log(2)
