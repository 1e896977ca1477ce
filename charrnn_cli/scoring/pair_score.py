"""The score of pairs as one object."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from charrnn_cli.checkpoints.checkpoint import Checkpoint
from charrnn_cli.errors import TextError
from charrnn_cli.scoring.pair_report import PairColumns, chrf_and_bleu
from charrnn_cli.scoring.pair_scorer import PairScorer, PairTotals, ScoredPair
from charrnn_cli.text.pair_format import PairFormat, described
from charrnn_cli.text.pairs import Pair


@dataclass(frozen=True)
class PairScore:
    """How well a model of pairs turns sources into their targets.

    `pairs` is what it made of each, in their order. The figures are those of `charrnn score`:
    `exact_matches` is a share, the error rates are edits for each character or symbol of the
    targets, `bits_per_char` and `loss` (nats) are of the targets with their ends. `chrf` and `bleu`
    go from 0 to 100. `symbol_error_rate` is None without symbols, `chrf` without sacrebleu, `bleu`
    also where no target has four words.
    """

    pairs: tuple[ScoredPair, ...] = field(repr=False)
    exact_matches: float
    character_error_rate: float
    symbol_error_rate: float | None
    chrf: float | None
    bleu: float | None
    loss: float
    bits_per_char: float


def score_of_pairs(
    pairs: Sequence[tuple[str, str]], file: Path, checkpoint: Checkpoint, symbols: str | None = None
) -> PairScore:
    """Score sources with their targets under the model of pairs in `file`; `symbols` is the text
    between symbols.

    A source is written as for `charrnn translate`. Raises TextError for no pairs and for a source
    or target that is empty or has other columns, UsageError for empty `symbols`.
    """
    separator = PairColumns(symbols=symbols).symbols  # checked there
    if not pairs:
        raise TextError("there are no pairs to score. Give at least one.")
    scorer = PairScorer(file.parent.name, file, checkpoint)
    numbered = [
        (number, _read(number, *pair, scorer.info.format))
        for number, pair in enumerate(pairs, start=1)
    ]
    totals, scored = PairTotals(separator), []
    for one in scorer.score(numbered, separator):
        totals.add(one)
        scored.append(one)
    chrf, bleu = chrf_and_bleu(totals) or (None, None)
    return PairScore(
        pairs=tuple(scored),
        exact_matches=totals.exact_matches,
        character_error_rate=totals.character_error_rate,
        symbol_error_rate=totals.symbol_error_rate,
        chrf=chrf,
        bleu=bleu,
        loss=totals.loss,
        bits_per_char=totals.bits_per_char,
    )


def _read(number: int, source: str, target: str, pair_format: PairFormat) -> Pair:
    read = pair_format.read_source(source)
    if read is None:
        columns = described(sorted((*pair_format.source_columns, *pair_format.feature_columns)))
        raise TextError(
            f"pair {number:,}: the source must have {columns} of lines like those of the model's "
            "training, separated by tabs."
        )
    for side, text in (("source", read.text.replace("\t", "")), ("target", target)):
        if not text:
            raise TextError(f"pair {number:,}: the {side} is empty. Leave the pair out.")
    return Pair(read.features, read.text, target)
