"""Finding hidden units that correlate with features of a text.

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

# At most so many characters are read: more would change only the third digit of a correlation.
MAX_READ = 100_000
MIN_READ = 2_000  # A text needs so many characters: half of fewer would be too small a sample.
MAX_STRETCHES = 32  # The text is cut into at most so many stretches, which are read in parallel.
MIN_SPAN = 500  # A stretch has at least so many characters.
# So many characters are read before each stretch, since some features depend on text that far back.
WARM_UP = 1_000
MAX_ACTIVATIONS = 1 << 22  # At most so many activations are held in memory at once.
# A feature must change so many times in each half of the text; else its correlation means little.
MIN_CHANGES = 20
# A unit whose activation has a smaller standard deviation counts as constant.
MIN_DEVIATION = 1e-3

Array = npt.NDArray[Any]
Weights = Mapping[str, Array]
Watch = Callable[[float], object]


@dataclass(frozen=True)
class Finding:
    """The unit that correlates best with a feature.

    The unit is chosen on one half of the text by the absolute value of its Pearson correlation,
    `chosen_at`; `correlation` is measured on the other half. `layer` and `unit` count from 0, as in
    the checkpoint's tensors. `untrained` and `character` are two controls, chosen and measured in
    the same way: the best unit of an untrained model, and the best function of the character just
    read. `mean` and `deviation` describe the unit's activation on the other half.
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
        """The correlation's absolute value minus the larger control's.

        If the correlation has different signs on the two halves, it counts as negative.
        """
        agreed = self.correlation if self.chosen_at > 0 else -self.correlation
        return agreed - max(abs(self.untrained), abs(self.character))


@dataclass(frozen=True)
class Study:
    """The results for a text of N characters.

    `findings` has the best unit for each feature, sorted by falling gain. `left_out` are the
    features that change too rarely in the text. `values` (N,) are those of all features. `measured`
    (N,) is true for the characters of the half on which correlations were measured.
    """

    findings: tuple[Finding, ...]
    left_out: tuple[Feature, ...]
    values: Mapping[Feature, Array]
    measured: Array


def study(checkpoint: Checkpoint, text: str, watch: Watch = lambda share: None) -> Study:
    """Find the unit that correlates best with each feature of a text.

    The text needs at least `MIN_READ` characters, all in the vocabulary. It is cut into stretches:
    units are chosen on every other stretch and measured on the others. `watch` is called with the
    fraction done.
    """
    config, ids = checkpoint.model, checkpoint.vocabulary.encode(text)
    stretches = min(MAX_STRETCHES, len(ids) // MIN_SPAN // 2 * 2)
    span = -(-len(ids) // stretches)
    starts = np.arange(stretches) * span
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
    """Read a stretch of `span` characters from each of `starts` (B,), in parallel.

    Each stretch is read after a warm-up on the characters before it, as far as there are any.
    Yields, block by block, positions in the text (P,) and the activations (U, P) of all units after
    the character at each position: layer by layer, in -1 … 1; for an LSTM, the tanh of its cells.
    """
    decoder = build_decoder(config, weights, len(starts))
    steps = max(1, MAX_ACTIVATIONS // (config.units * len(starts)))
    cut = rows_from(starts, span, min(WARM_UP, int(starts.max())), len(ids))
    for places, before in zip(cut.positions[: cut.start], cut.before, strict=False):
        decoder.read(ids[places])
        decoder.set_state(None, before)  # before the beginning of the text
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
    """The same blocks; calls `watch` with the fraction done of both passes (`number` is 0 or 1)."""
    read = 0
    for positions, units in blocks:
        yield positions, units
        read += len(positions)
        watch((number + read / characters) / 2)


class Comparison(NamedTuple):
    """Pearson's correlation `r` of each feature with each unit on each half (2, F, U), and the
    units' `mean` and standard `deviation` there (2, U)."""

    r: Array
    mean: Array
    deviation: Array


def compare(blocks: Iterable[tuple[Array, Array]], features: Array, halves: Array) -> Comparison:
    """Correlate features (F, N) with units on two `halves` (2, N) of the text.

    `blocks` are positions (P,) and the activations there (U, P). A constant unit has correlation 0.
    """
    number = halves.sum(1)[:, None]  # (2, 1)
    ones = np.ones((1, features.shape[1]), np.float32)
    features = np.concatenate([features, ones])  # the last row sums the activations themselves
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
    r = covariance / (spread * np.maximum(deviation, MIN_DEVIATION)[:, None])
    return Comparison(np.where((deviation > MIN_DEVIATION)[:, None], r, 0.0), mean, deviation)


def strongest(correlations: Array) -> int:
    """The index of the correlation with the largest absolute value; the first of equal ones."""
    return int(np.argmax(np.abs(correlations)))


def _by_character(ids: Ids, features: Array, half: Array) -> Iterator[tuple[Array, Array]]:
    """The best predictor of each feature from the current character, as a block of `compare`.

    The predictors (F, N) are the feature's means on a half, over the places of each character.
    """
    totals = np.stack([np.bincount(ids[half], f[half], int(ids.max()) + 1) for f in features])
    counts = np.bincount(ids[half], minlength=int(ids.max()) + 1)
    yield np.arange(len(ids)), (totals / np.maximum(counts, 1))[:, ids].astype(np.float32)


def _changes(values: Array, half: Array) -> bool:
    """Whether a feature changes often enough in a half of the text."""
    both = half[1:] & half[:-1]
    return int((values[1:] != values[:-1])[both].sum()) >= MIN_CHANGES
