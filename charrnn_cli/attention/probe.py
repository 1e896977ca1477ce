"""Measuring how much of its attention each head gives to the characters that a pattern names.

After the scores for induction heads of Olsson et al. 2022, "In-context Learning and Induction
Heads" (arXiv 2209.11895): the mean attention weight on the positions in question.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from charrnn_cli.attention.patterns import PATTERNS, Pattern, Text, masks
from charrnn_cli.checkpoints.checkpoint import Checkpoint
from charrnn_cli.models.base import ModelConfig
from charrnn_cli.models.registry import build_decoder, untrained_weights
from charrnn_cli.text.rows import windows
from charrnn_cli.text.vocabulary import Ids

MAX_READ = 50_000  # At most so many characters are read: more would change only the third digit.
MIN_READ = 2_000  # A text needs so many characters: half of fewer would be too small a sample.
SPAN = 500  # Heads are chosen on every other stretch of so many characters, measured on the rest.
MAX_WEIGHTS = 1 << 22  # At most so many attention weights of one layer are held in memory.
MIN_PLACES = 50  # A pattern must name something for so many characters of each half of the text.
# A head follows a pattern if it gives it at least so much more of its attention than all controls.
MIN_GAIN = 0.05
LEAST = 1e-12  # A smaller weight counts as 0 in the entropy.

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]
Watch = Callable[[float], object]


@dataclass(frozen=True)
class Finding:
    """How much of its attention a head gives to what a pattern names.

    `layer` and `head` count from 0, as in the checkpoint's tensors. `weight` is the mean, over the
    `places` of the measured half where the pattern names something, of the attention weight on all
    that it names. Three controls are measured at the same places: `even`, what a head has that
    attends to all characters of the context evenly; `by_distance`, what this head would have if
    its attention depended on the distance alone (None for a pattern that is a distance); and
    `untrained`, what the best head of an untrained model has. `chosen_at` is the gain on the other
    half of the text.
    """

    pattern: Pattern
    layer: int
    head: int
    places: int
    weight: float
    even: float
    by_distance: float | None
    untrained: float
    chosen_at: float

    @property
    def gain(self) -> float:
        """The weight minus the largest control."""
        return self.weight - max(self.even, self.by_distance or 0.0, self.untrained)

    @property
    def is_followed(self) -> bool:
        """Whether the head follows the pattern: on both halves it gains at least `MIN_GAIN`."""
        return min(self.gain, self.chosen_at) >= MIN_GAIN


@dataclass(frozen=True)
class Head:
    """One head: its findings, sorted by falling gain, and two measures of all its attention.

    `look_back` is the mean distance, in characters. `spread` is exp(entropy): the number of
    characters over which evenly spread attention has the same mean entropy.
    """

    layer: int
    head: int
    look_back: float
    spread: float
    findings: tuple[Finding, ...]

    @property
    def followed(self) -> tuple[Finding, ...]:
        """The patterns that it follows."""
        return tuple(finding for finding in self.findings if finding.is_followed)


@dataclass(frozen=True)
class Study:
    """The results for a text.

    `best` has the best head for each pattern, chosen on one half of the text and measured on the
    other, and `heads` all heads; both are sorted by falling gain. `left_out` are the patterns that
    name something for too few characters of the text.
    """

    best: tuple[Finding, ...]
    heads: tuple[Head, ...]
    left_out: tuple[Pattern, ...]


def study(checkpoint: Checkpoint, text: str, watch: Watch = lambda share: None) -> Study:
    """Measure how every head of a model follows every pattern in a text.

    The text needs at least `MIN_READ` characters, all in the vocabulary. It is read in windows of
    the model's context. Each character is measured once, with at least half a context before it, as
    in a held-out loss. `watch` is called with the fraction done.
    """
    config = checkpoint.model
    ids = checkpoint.vocabulary.encode(text)
    weights = checkpoint.weights, untrained_weights(config)
    trained, untrained = measure(config, weights, ids, Text(text), watch)
    kept = [at for at in range(len(PATTERNS)) if trained.places[:, at].min() >= MIN_PLACES]
    gains = trained.gains(untrained)  # (2, M, P)
    heads = []
    for number in range(config.attention_heads):
        layer, head = divmod(number, config.attention_heads // config.num_layers)
        findings = [
            Finding(
                PATTERNS[at],
                layer,
                head,
                places=int(trained.places[1, at]),
                weight=float(trained.weight[1, number, at]),
                even=float(trained.even[1, at]),
                by_distance=(
                    None if PATTERNS[at].near else float(trained.by_distance[1, number, at])
                ),
                untrained=float(untrained.best()[1, at]),
                chosen_at=float(gains[0, number, at]),
            )
            for at in kept
        ]
        findings.sort(key=lambda finding: -finding.gain)
        look_back, spread = trained.look_back[1, number], trained.spread[1, number]
        heads.append(Head(layer, head, float(look_back), float(spread), tuple(findings)))
    heads.sort(key=lambda head: -max((f.gain for f in head.findings), default=0.0))
    of_patterns = [
        max((f for h in heads for f in h.findings if f.pattern is PATTERNS[at]), key=_chosen_at)
        for at in kept
    ]
    best = tuple(sorted(of_patterns, key=lambda finding: -finding.gain))
    left_out = tuple(PATTERNS[at] for at in range(len(PATTERNS)) if at not in kept)
    return Study(best, tuple(heads), left_out)


def _chosen_at(finding: Finding) -> float:
    return finding.chosen_at


class Measures(NamedTuple):
    """What the M heads of a model do with P patterns on two halves of a text; see `Finding`."""

    places: Array  # (2, P)
    weight: Array  # (2, M, P)
    even: Array  # (2, P)
    by_distance: Array  # (2, M, P); 0 for patterns that are a distance
    look_back: Array  # (2, M)
    spread: Array  # (2, M)

    def best(self) -> Array:
        """The weight of the head with the largest excess on the first half, on both, (2, P)."""
        excess = self.weight[0] - np.maximum(self.even[0], self.by_distance[0])
        found: Array = self.weight[:, np.argmax(excess, axis=0), np.arange(excess.shape[1])]
        return found

    def gains(self, untrained: "Measures") -> Array:
        """Each head's weight minus the largest control, (2, M, P)."""
        controls = np.maximum(np.maximum(self.even, untrained.best())[:, None], self.by_distance)
        gains: Array = self.weight - controls
        return gains


def measure(
    config: ModelConfig,
    models: tuple[Mapping[str, Array], ...],
    ids: Ids,
    text: Text,
    watch: Watch = lambda share: None,
) -> list[Measures]:
    """The measures of models of one configuration, given by their weights, for a text."""
    decoders = [build_decoder(config, weights) for weights in models]
    heads = config.attention_heads // config.num_layers
    context = min(config.context or len(ids), len(ids))
    shared = _Counts(context)
    sums = [_Sums(config.attention_heads, context) for _ in models]
    most = max(1, MAX_WEIGHTS // (max(heads, len(PATTERNS)) * context))
    for start, before, end in _stretches(len(ids), context):
        for decoder in decoders:
            decoder.set_state(None)
            if before > start:
                decoder.prefill(ids[start:before])
        for begin in range(before, end, most):
            queries = np.arange(begin, min(begin + most, end))
            halves = (queries // SPAN + np.array([[1], [0]])) % 2.0  # (2, K)
            named = np.stack(list(masks(text, queries, start)), dtype=np.float32)  # (P, K, S)
            shared.add(named, halves)
            for decoder, sum_ in zip(decoders, sums, strict=True):
                for layer, weights in enumerate(decoder.read_attention(ids[queries])):
                    sum_.add(slice(layer * heads, (layer + 1) * heads), weights, named, halves)
            watch((int(queries[-1]) + 1) / len(ids))
    return [sum_.measures(shared) for sum_ in sums]


def _stretches(total: int, context: int) -> Iterator[tuple[int, int, int]]:
    """For each window its first character, the first one to be measured, and the end."""
    cut = windows(total, context)
    for row in range(cut.positions.shape[1]):
        own = cut.positions[cut.own[:, row], row]
        yield int(cut.positions[0, row]), int(own[0]), int(own[-1]) + 1


class _Counts:
    """Sums over the characters of a text that do not depend on a model."""

    def __init__(self, context: int) -> None:
        self.characters = np.zeros(2)
        self.places = np.zeros((2, len(PATTERNS)))
        self.even = np.zeros((2, len(PATTERNS)))
        self.distances = np.zeros((2, len(PATTERNS), context))  # how many are named, by distance
        self.reached = np.zeros((2, context))  # characters that have one at each distance

    def add(self, named: Floats, halves: Array) -> None:
        """Count what patterns name (P, K, S) for K characters; `halves` (2, K) has where each is
        counted."""
        steps, size = named.shape[1:]
        seen = np.arange(size - steps, size) + 1  # characters that each can attend to
        self.characters += halves.sum(1)
        self.places += halves @ named.any(-1).T
        self.even += halves @ (named.sum(-1) / seen).T
        self.distances[..., :size] += np.tensordot(halves, by_distance(named), (1, 1))
        self.reached[:, :size] += halves @ (seen[:, None] > np.arange(size))


class _Sums:
    """Sums of the attention weights of one model's heads over the characters of a text."""

    def __init__(self, heads: int, context: int) -> None:
        self.weight = np.zeros((2, heads, len(PATTERNS)))
        self.profile = np.zeros((2, heads, context))  # by distance
        self.entropy = np.zeros((2, heads))

    def add(self, heads: slice, weights: Floats, named: Floats, halves: Array) -> None:
        """Add one layer's weights (N, K, S); `named` and `halves` as in `_Counts.add`."""
        on_named = weights.swapaxes(0, 1) @ named.transpose(1, 2, 0)  # (K, N, P)
        self.weight[:, heads] += np.tensordot(halves, on_named, 1)
        self.profile[:, heads, : weights.shape[2]] += np.tensordot(
            halves, by_distance(weights), (1, 1)
        )
        entropy = -np.einsum("nks,nks->nk", weights, np.log(np.maximum(weights, LEAST)))
        self.entropy[:, heads] += halves @ entropy.T

    def measures(self, counts: _Counts) -> Measures:
        """The means."""
        characters = np.maximum(counts.characters, 1)[:, None]
        places = np.maximum(counts.places, 1)
        expected = self.profile / np.maximum(counts.reached, 1)[:, None]  # (2, M, D)
        by_distance = expected @ counts.distances.swapaxes(1, 2) / places[:, None]
        by_distance[..., [pattern.near for pattern in PATTERNS]] = 0
        return Measures(
            counts.places,
            self.weight / places[:, None],
            counts.even / places,
            by_distance,
            self.profile @ np.arange(self.profile.shape[2]) / characters,
            np.exp(self.entropy / characters),
        )


def by_distance(weights: Floats) -> Floats:
    """Weights (N, K, S) of K characters, the last of S, sorted by distance: (N, K, S), where the
    last axis is how far back, from 0, and nothing lies before the first."""
    heads, steps, size = weights.shape
    # reversed rows, each one longer than the next: read in rows of the shorter length they slant
    padded = np.zeros((heads, steps, size + steps), np.float32)
    padded[..., :size] = weights[..., ::-1]
    slanted = padded.reshape(heads, -1)[:, : steps * (size + steps - 1)]
    return slanted.reshape(heads, steps, size + steps - 1)[..., steps - 1 :]
