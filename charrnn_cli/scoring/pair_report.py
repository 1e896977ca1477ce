"""What `charrnn score` prints of a model of pairs."""

import importlib
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from charrnn_cli.checkpoints.checkpoint import load, peek
from charrnn_cli.checkpoints.finding import find_checkpoint
from charrnn_cli.checkpoints.runs import Run
from charrnn_cli.errors import UsageError
from charrnn_cli.formatting import bits_per_char
from charrnn_cli.scoring.pair_scorer import PairScorer, PairTotals, ScoredPair, worst
from charrnn_cli.terminal.bars import ReadingBar
from charrnn_cli.terminal.console import TextOut, print_json, print_table, say
from charrnn_cli.text.pair_file import read_pairs
from charrnn_cli.text.pair_format import PairFormat
from charrnn_cli.text.pairs import Pairs

MAX_LENGTH = 1 << 16  # Pairs are scored whole: only what no model could read is cut.
BLEU_WORDS = 4  # the longest sequence of words that BLEU counts
INSTALL = "needs sacrebleu: pip install sacrebleu"
HEADINGS = (
    "line", "exact", "edits", "symbol_edits", "bits", "bits_per_char", "source", "target", "output",
)  # fmt: skip


@dataclass(frozen=True)
class PairColumns:
    """The options of `charrnn score` that are for pairs alone: the columns that are named, by the
    fields of `PairFormat`; and the text between symbols, None without --symbols. Raises UsageError
    for an empty one."""

    columns: tuple[tuple[str, Any], ...] = ()
    skip_bad_lines: bool = False
    symbols: str | None = None

    def __post_init__(self) -> None:
        if self.symbols == "":
            raise UsageError(
                "--symbols: is empty. Give the text between symbols, such as ' '; or leave it out: "
                "errors character by character are shown anyway."
            )

    def given(self) -> str | None:
        """The first of these options that was given."""
        if self.columns:
            return "--" + self.columns[0][0].replace("_", "-")
        if self.skip_bad_lines:
            return "--skip-bad-lines"
        return None if self.symbols is None else "--symbols"


@dataclass(frozen=True)
class PairScoreRequest:
    """What the user asked for. `lines` is how many of the worst pairs are listed, None for none."""

    source: str
    models: tuple[str | None, ...]
    checkpoints: Path
    pairs: PairColumns
    lines: int | None
    as_json: bool
    as_tsv: bool
    quiet: bool


def is_of_pairs(which: str | None, checkpoints: Path) -> bool:
    """Whether a checkpoint holds a model of pairs. Raises CheckpointError."""
    return peek(find_checkpoint(which, checkpoints)).pairs is not None


def score_pairs(request: PairScoreRequest) -> None:
    """Score pairs under models of pairs, and print what the request asks for. Raises
    CharRNNError."""
    scorers = [_open(which, request.checkpoints) for which in request.models]
    formats = {_format(scorer.info.format, request.pairs.columns) for scorer in scorers}
    if len(formats) > 1:
        raise UsageError(
            "--checkpoint: these models read other columns of a file. Name the columns, or score "
            "with one at a time."
        )
    with ReadingBar(request.quiet) as reading:
        pairs = read_pairs(
            request.source, formats.pop(), skip_bad=request.pairs.skip_bad_lines, watch=reading.move
        )
    if not request.quiet:
        for note in pairs.notes:
            say(f"Note: {note}.")
    rows: list[tuple[str, str]] = []
    for scorer in scorers:
        totals, listed = PairTotals(request.pairs.symbols), []
        with TextOut(None) as out:
            if request.as_tsv:
                out.write("\t".join(HEADINGS) + "\n")
            for pair in scorer.score(pairs.numbered(), request.pairs.symbols):
                totals.add(pair)
                listed += [pair] if request.lines is not None else []
                if request.as_tsv:
                    out.write(_row(pair))
        found = worst(listed, totals, request.lines or 0)
        if request.as_json:
            print_json(facts(pairs, scorer, totals, None if request.lines is None else found))
        elif len(scorers) > 1:
            rows.append((scorer.name, _in_short(totals)))
        elif not request.as_tsv:
            _print_worst(found)
            print_table(table_rows(pairs, scorer, totals))
    if rows:
        print_table(rows)


def facts(
    pairs: Pairs, scorer: PairScorer, totals: PairTotals, found: list[ScoredPair] | None
) -> dict[str, Any]:
    """The result for scripts, as JSON can hold it; `found` are the worst pairs, if asked for."""
    chrf, bleu = chrf_and_bleu(totals) or (None, None)
    value: dict[str, Any] = {
        "text": pairs.name,
        "checkpoint": str(scorer.file),
        "pairs": totals.pairs,
        "exact": totals.exact,
        "exact_matches": totals.exact_matches,
        "character_error_rate": totals.character_error_rate,
        "symbol_error_rate": totals.symbol_error_rate,
        "chrf": chrf,
        "bleu": bleu,
        "loss": totals.loss,
        "bits_per_char": totals.bits_per_char,
        "bits": totals.bits,
        "scored": totals.predicted,
        "unknown": totals.unknown,
        "val_loss": scorer.checkpoint.val_loss,
        "trained_on": _trained_on(pairs, scorer),
    }
    if found is not None:
        value["worst"] = [
            {
                "line": pair.number,
                "source": pair.source,
                "target": pair.target,
                "output": pair.output,
                "edits": pair.edits,
                "bits": pair.bits,
                "bits_per_char": pair.bits_per_char,
            }
            for pair in found
        ]
    return value


def table_rows(pairs: Pairs, scorer: PairScorer, totals: PairTotals) -> list[tuple[str, str]]:
    """The result for people, as rows of a table."""
    rows = [
        ("pairs", f"{pairs.name}, {totals.pairs:,} pair{'s' * (totals.pairs != 1)}"),
        ("model", str(scorer.file)),
        ("exact matches", f"{totals.exact_matches:.1%} ({totals.exact:,} of {totals.pairs:,})"),
        ("character error rate", f"{totals.character_error_rate:.2%}"),
    ]
    if totals.symbol_error_rate is not None:
        rows.append(("symbol error rate", f"{totals.symbol_error_rate:.2%}"))
    translation = chrf_and_bleu(totals)
    if translation is None:
        rows.append(("chrF, BLEU", INSTALL))
    else:
        chrf, bleu = translation
        shown = "too short for it" if bleu is None else f"{bleu:.1f}"
        rows.append(("chrF, BLEU", f"{chrf:.1f}, {shown}"))
    rows.append(("loss", f"{totals.loss:.4f} nats, {totals.bits_per_char:.3f} bits/char"))
    val_loss = scorer.checkpoint.val_loss
    if _trained_on(pairs, scorer):
        rows.append(("careful", "it was trained on most of these very pairs"))
    elif val_loss is not None:
        held_out = f"{val_loss:.4f} nats, {bits_per_char(val_loss):.3f} bits/char"
        rows.append(("for comparison", f"{held_out} on its own held-out pairs"))
    if totals.unknown:
        symbols = f"{totals.unknown:,} symbol{'s' * (totals.unknown > 1)}"
        rows.append(("unknown", f"{symbols}, read as U+FFFD or left out"))
    return rows


def chrf_and_bleu(totals: PairTotals) -> tuple[float, float | None] | None:
    """The chrF (Popović 2015) and BLEU (Papineni et al. 2002) of all outputs, from 0 to 100, by the
    sacrebleu library; None if that is not installed. BLEU, which counts sequences of four words, is
    None where no target has so many."""
    try:
        metrics: Any = importlib.import_module("sacrebleu.metrics")
    except ImportError:
        return None
    logging.getLogger("sacrebleu").setLevel(logging.ERROR)
    outputs, targets = totals.outputs, [totals.targets]
    long_enough = any(len(target.split()) >= BLEU_WORDS for target in totals.targets)
    return (
        float(metrics.CHRF().corpus_score(outputs, targets).score),
        float(metrics.BLEU().corpus_score(outputs, targets).score) if long_enough else None,
    )


def _open(which: str | None, checkpoints: Path) -> PairScorer:
    file = find_checkpoint(which, checkpoints)
    checkpoint = load(file)
    name = which or Run(file.parent).name
    if checkpoint.pairs is None:
        raise UsageError(
            f"{name}: is a language model, and the first is not. Score one kind at a time."
        )
    return PairScorer(name, file, checkpoint)


def _format(model: PairFormat, columns: tuple[tuple[str, Any], ...]) -> PairFormat:
    """The columns that the model was trained on, with those that the user names instead."""
    return replace(model, max_length=MAX_LENGTH, **dict(columns))


def _trained_on(pairs: Pairs, scorer: PairScorer) -> bool:
    return pairs.sha256 == scorer.checkpoint.corpus.sha256


def _row(pair: ScoredPair) -> str:
    """A pair as a row of the table for scripts."""
    cells = (
        str(pair.number),
        str(int(pair.exact)),
        str(pair.edits),
        "" if pair.symbol_edits is None else str(pair.symbol_edits),
        f"{pair.bits:.4f}",
        f"{pair.bits_per_char:.4f}",
        *(_escaped(text) for text in (pair.source, pair.target, pair.output)),
    )
    return "\t".join(cells) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\r", "\\r")


def _in_short(totals: PairTotals) -> str:
    return (
        f"{totals.exact_matches:.1%} exact matches, {totals.character_error_rate:.2%} character "
        f"errors, loss {totals.loss:.4f} nats"
    )


def _print_worst(found: list[ScoredPair]) -> None:
    """The worst pairs, a line each."""
    if not found:
        return
    with TextOut(None) as out:
        out.write("Wrong pairs, the most surprising targets first: line, bits/char\n")
        for pair in found:
            out.write(
                f"{pair.number:>8,}  {pair.bits_per_char:6.2f}  {pair.source} → {pair.output}   "
                f"(target: {pair.target})\n"
            )
        out.write("\n")
