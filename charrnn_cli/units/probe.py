"""Which hidden units follow something that a person can name, and how well.

After Karpathy, Johnson and Fei-Fei 2015, "Visualizing and Understanding Recurrent Networks".
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from charrnn_cli.checkpoints.checkpoint import Checkpoint
from charrnn_cli.models.base import ModelConfig
from charrnn_cli.models.registry import build_decoder, untrained_weights
from charrnn_cli.text.rows import rows_from
from charrnn_cli.text.vocabulary import Ids
from charrnn_cli.units.features import FEATURES, Feature, Text

MAX_READ = 100_000  # characters: more would change the third digit only
MIN_READ = 2_000  # characters: of fewer, half tells little
LANES = 32  # stretches of the text, read side by side for speed
MIN_SPAN = 500  # characters in a stretch
WARM_UP = 1_000  # characters that each lane reads first: some features reach back that far
BLOCK = 1 << 22  # activations held at a time
MIN_CHANGES = 20  # of a feature, in each half of the text: fewer are an anecdote
STILL = 1e-3  # standard deviation: what moves less does not follow anything

Array = npt.NDArray[Any]
Weights = Mapping[str, Array]
Watch = Callable[[float], object]


@dataclass(frozen=True)
class Finding:
    """The unit that follows a feature best: chosen on one half of the text by the size of its
    correlation (Pearson's), `chosen_at`, and measured on the other half: `correlation`.

    `layer` and `unit` count from 0, as in the checkpoint's tensors. `untrained` and `character`
    are what the same choice finds without learning or without memory: the best unit of a model
    before training, the best function of the one character just read. `mean` and `deviation` are
    of the unit's activation on that other half.
    """

    feature: Feature
    layer: int
    unit: int
    chosen_at: float
    correlation: float
    untrained: float
    character: float
    mean: float
    deviation: float

    @property
    def gain(self) -> float:
        """How far the correlation is above both controls, all taken without their signs; where
        the two halves disagree in it, the correlation counts below 0."""
        agreed = self.correlation if self.chosen_at > 0 else -self.correlation
        return agreed - max(abs(self.untrained), abs(self.character))


@dataclass(frozen=True)
class Study:
    """What was found in a text: the best unit of each feature, by falling gain; the features that
    were left out since they change too seldom in it; the values (N,) of all; and which characters
    (N,) are of the half that the correlations were `measured` on."""

    findings: tuple[Finding, ...]
    left_out: tuple[Feature, ...]
    values: Mapping[Feature, Array]
    measured: Array


def study(checkpoint: Checkpoint, text: str, watch: Watch = lambda share: None) -> Study:
    """Find the unit that follows each feature of a text best; `watch` is told the share done.

    The text, of `MIN_READ` characters or more that the model knows, is cut into stretches; units
    are chosen on every other one and measured on those between.
    """
    config, ids = checkpoint.model, checkpoint.vocabulary.encode(text)
    lanes = min(LANES, len(ids) // MIN_SPAN // 2 * 2)
    span = -(-len(ids) // lanes)
    starts = np.arange(lanes) * span
    halves = (np.arange(len(ids)) // span + np.array([[1], [0]])) % 2 == 1  # (2, N)

    asked = Text(text)
    values = {feature: feature.values(asked).astype(np.float32) for feature in FEATURES}
    kept = [f for f in FEATURES if all(_changes(values[f], half) for half in halves)]
    if not kept:
        return Study((), tuple(FEATURES), values, halves[1])
    features = np.stack([(values[f] - values[f].mean()) / values[f].std() for f in kept])
    passes = []
    for number, weights in enumerate((checkpoint.weights, untrained_weights(config))):
        blocks = read_states(config, weights, ids, starts, span)
        passes.append(compare(_watched(blocks, len(ids), number, watch), features, halves))
    trained, untrained = passes
    character = compare(_by_character(ids, features, halves[0]), features, halves).r
    findings = []
    for index, feature in enumerate(kept):
        unit = strongest(trained.r[0, index])
        finding = Finding(
            feature,
            *divmod(unit, config.hidden_size),
            chosen_at=float(trained.r[0, index, unit]),
            correlation=float(trained.r[1, index, unit]),
            untrained=float(untrained.r[1, index, strongest(untrained.r[0, index])]),
            character=float(character[1, index, index]),
            mean=float(trained.mean[1, unit]),
            deviation=float(trained.deviation[1, unit]),
        )
        findings.append(finding)
    findings.sort(key=lambda finding: -finding.gain)
    left_out = tuple(feature for feature in FEATURES if feature not in kept)
    return Study(tuple(findings), left_out, values, halves[1])


def read_states(
    config: ModelConfig, weights: Weights, ids: Ids, starts: Array, span: int
) -> Iterator[tuple[Array, Array]]:
    """Read `span` characters from each of `starts` (B,) on, side by side, each lane after a
    warm-up on the characters before its own, as far as there are any.

    Yields, block by block, positions in the text (P,), and of each the units after its character
    has been read, (U, P): layer by layer, in -1 … 1; of an LSTM the tanh of its cells.
    """
    decoder = build_decoder(config, weights, len(starts))
    steps = max(1, BLOCK // (config.units * len(starts)))
    cut = rows_from(starts, span, min(WARM_UP, int(starts.max())), len(ids))
    for places, before in zip(cut.positions[: cut.start], cut.before, strict=False):
        decoder.read(ids[places])
        decoder.set_state(None, before)  # there is no text before the text
    for begin in range(cut.start, len(cut.positions), steps):
        positions, own = cut.positions[begin : begin + steps], cut.own[begin : begin + steps]
        seen = np.empty((config.units, *positions.shape), np.float32)  # (U, K, B)
        for step, places in enumerate(positions):
            decoder.read(ids[places])
            seen[:, step] = decoder.activations()
        yield positions[own], seen[:, own]


def _watched(
    blocks: Iterable[tuple[Array, Array]], characters: int, number: int, watch: Watch
) -> Iterator[tuple[Array, Array]]:
    """The same blocks; tells the share done of both passes, of which this is `number`."""
    read = 0
    for positions, units in blocks:
        yield positions, units
        read += len(positions)
        watch((number + read / characters) / 2)


class Comparison(NamedTuple):
    """Pearson's correlation `r` of every feature with every unit on each half (2, F, U), and the
    units' `mean` and standard `deviation` there (2, U)."""

    r: Array
    mean: Array
    deviation: Array


def compare(blocks: Iterable[tuple[Array, Array]], features: Array, halves: Array) -> Comparison:
    """Compare features (F, N) with units on `halves` (2, N) of the text. `blocks` are positions
    (P,) and the units there (U, P). A unit that stays as it is has a correlation of 0."""
    number = halves.sum(1)[:, None]  # (2, 1)
    ones = np.ones((1, features.shape[1]), np.float32)
    features = np.concatenate([features, ones])  # the last adds up the units themselves
    products: Any = 0.0  # (2, F + 1, U)
    squares: Any = 0.0  # (2, U)
    for positions, units in blocks:
        inside = halves[:, positions].astype(np.float32)  # (2, P)
        products = products + ((features[:, positions] * inside[:, None]) @ units.T).astype(float)
        squares = squares + (inside @ (units * units).T).astype(float)
    mean = products[:, -1] / number
    deviation = np.sqrt(np.maximum(squares / number - mean**2, 0.0))
    here = np.stack([features[:-1, half].mean(1, dtype=float) for half in halves])[..., None]
    spread = np.stack([features[:-1, half].std(1, dtype=float) for half in halves])[..., None]
    covariance = products[:, :-1] / number[..., None] - here * mean[:, None]
    r = covariance / (spread * np.maximum(deviation, STILL)[:, None])
    return Comparison(np.where((deviation > STILL)[:, None], r, 0.0), mean, deviation)


def strongest(correlations: Array) -> int:
    """The index of the one furthest from 0, the first of equals."""
    return int(np.argmax(np.abs(correlations)))


def _by_character(ids: Ids, features: Array, half: Array) -> Iterator[tuple[Array, Array]]:
    """The functions (F, N) of the character alone that follow each feature best on a half: its mean
    over the places where the character stands. As one block of `compare`."""
    totals = np.stack([np.bincount(ids[half], f[half], int(ids.max()) + 1) for f in features])
    counts = np.bincount(ids[half], minlength=int(ids.max()) + 1)
    yield np.arange(len(ids)), (totals / np.maximum(counts, 1))[:, ids].astype(np.float32)


def _changes(values: Array, half: Array) -> bool:
    """Whether a feature changes often enough in a half of the text."""
    both = half[1:] & half[:-1]
    return int((values[1:] != values[:-1])[both].sum()) >= MIN_CHANGES
