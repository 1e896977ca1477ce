"""What `charrnn score` prints: views of the text while it is read, and the result at the end."""

import itertools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from charrnn_cli.environment import environment
from charrnn_cli.errors import UsageError
from charrnn_cli.formatting import bits_per_char
from charrnn_cli.scoring.ranking import Ranking
from charrnn_cli.scoring.scorer import Line, Scorer
from charrnn_cli.scoring.text_score import Model, TextScore, open_model
from charrnn_cli.scoring.views import Coloured, Picture, Table, View, extremes
from charrnn_cli.terminal.bars import ReadingBar
from charrnn_cli.terminal.console import (
    TextOut,
    open_stdout,
    print_json,
    print_table,
    say,
    shows_colour,
)
from charrnn_cli.terminal.text_image import check_picture
from charrnn_cli.text.reader import TextStream
from charrnn_cli.text.vocabulary import describe

LISTED = 10  # lines, unless a number is given
SHOWN_ROWS = 20  # of the text on a terminal, unless a number of lines is given
NAMED = 5  # unknown characters named in the table
ALL = 10**12  # lines: more than any text has


@dataclass(frozen=True)
class ScoreRequest:
    """What the user asked for. `show` and `lines` are None if they were not, and empty if they were
    without a number."""

    source: str
    models: tuple[str | None, ...]
    checkpoints: Path
    show: str | None
    lines: str | None
    adapt: bool
    as_json: bool
    as_tsv: bool
    plot: Path | None
    device: str
    quiet: bool


def run_score(request: ScoreRequest) -> None:
    """Score the text and print what was asked for. Raises CharRNNError."""
    _check(request)
    ranking = None if request.lines is None else Ranking(_number("--lines", request.lines, LISTED))
    models = [
        open_model(which, request.checkpoints, request.device, request.adapt)
        for which in request.models
    ]
    stream = TextStream(request.source)
    score = TextScore(stream, models)
    views = _views(request, f"{Path(stream.name).name} under {models[0].name}")
    # rows for scripts are exact UTF-8 in a pipe, and escaped on a terminal
    written = TextOut(None) if request.as_tsv else open_stdout()
    with ReadingBar(request.quiet) as reading, written as out:
        for lines in score.read():
            if ranking:
                ranking.add(lines)
            shown = "".join(text for line in lines for view in views for text in view.line(line))
            if shown:
                with reading.hidden():
                    out.write(shown)
            reading.move(stream)
        reading.close()
        for view in views:
            out.write("".join(view.end(models[0].score)))
        if ranking and not request.as_json:
            out.write("".join(extremes(ranking, models[0].score, shows_colour())))
    if not request.quiet:
        for note in stream.notes:
            say(f"Note: {note}.")
    if request.as_json:
        for model in models:
            print_json(facts(score, model, ranking))
    elif len(models) > 1:
        print_table(comparison(score, models))
    elif not request.as_tsv:
        print_table(table_rows(score, models[0]))


def _check(request: ScoreRequest) -> None:
    """Refuse what makes no sense before anything is read. Raises UsageError."""
    given = {
        "--json": request.as_json,
        "--tsv": request.as_tsv,
        "--show": request.show is not None,
        "--lines": request.lines is not None,
        "--plot": request.plot is not None,
    }
    if len(request.models) > 1:
        for option in ("--show", "--lines", "--tsv", "--plot"):
            if given[option]:
                raise UsageError(f"{option} shows one model's view. Give one --checkpoint.")
    for one, other in itertools.combinations(("--json", "--tsv", "--show"), 2):
        if given[one] and given[other]:
            raise UsageError(f"{one} and {other} exclude each other: use one of them.")
    if given["--tsv"] and given["--lines"]:
        raise UsageError("--tsv and --lines exclude each other: use one of them.")
    if request.plot is not None:
        check_picture(request.plot)


def _number(option: str, given: str, otherwise: int) -> int:
    """The number that an option was given, `otherwise` without one."""
    if given == "all":
        return ALL
    if given and not (given.isdecimal() and int(given)):
        raise UsageError(f"{option} {given}: must be a number of lines, at least 1, or all.")
    return int(given or otherwise)


def _views(request: ScoreRequest, title: str) -> list[View]:
    views: list[View] = []
    if request.as_tsv:
        views.append(Table())
    elif request.show is not None:
        most = _number("--show", request.show, ALL)
        views.append(Coloured(most, ALL, shows_colour()))
    elif environment().stdout.is_terminal and len(request.models) == 1 and not request.as_json:
        views.append(Coloured(ALL, SHOWN_ROWS, shows_colour()))
    if request.plot is not None:
        views.append(Picture(request.plot, title))
    return views


def facts(score: TextScore, model: Model, ranking: Ranking | None) -> dict[str, Any]:
    """The result for scripts."""
    total = model.score
    value: dict[str, Any] = {
        "text": score.stream.name,
        "checkpoint": str(model.file),
        "characters": total.characters,
        "lines": score.line_count,
        "bytes": score.stream.bytes_read,
        "scored": total.scored,
        "loss": total.loss,
        "bits_per_char": total.bits_per_char,
        "perplexity": total.perplexity,
        "bits": total.bits,
        "unknown": total.unknown_count,
        "unknown_bits": total.unknown_bits,
        "unknown_cost": total.unknown_cost,
        "unknown_characters": dict(total.unknown.most_common()),
        "known_bits_per_char": total.known_bits_per_char,
        "val_loss": model.checkpoint.val_loss,
        "trained_on": trained_on(score, model),
        "static": None,
        "adapted": None,
    }
    if model.adapted:
        for name, kind in (("static", model.static), ("adapted", model.adapted)):
            value[name] = {"bits_per_char": kind.bits_per_char, "loss": kind.loss}
    if ranking:
        average = total.bits_per_char or 0.0
        value["most_surprising"] = [_line_facts(line) for line in ranking.most(average)]
        value["least_surprising"] = [_line_facts(line) for line in ranking.least(average)]
    return value


def _line_facts(line: Line) -> dict[str, Any]:
    return {
        "line": line.number,
        "characters": line.characters,
        "unknown": line.unknown,
        "bits": line.bits,
        "bits_per_char": line.bits_per_char,
        "text": line.text.removesuffix("\n"),
    }


def trained_on(score: TextScore, model: Model) -> bool:
    """Whether this is the text that the model learned from: its score then tells little."""
    return score.stream.sha256 == model.checkpoint.corpus.sha256


def table_rows(score: TextScore, model: Model) -> list[tuple[str, str]]:
    """The result in words."""
    total, name = model.score, score.stream.name
    size = math.ceil(total.bits / 8)
    share = size / score.stream.bytes_read
    rows = [
        ("text", f"{name}, {_count(total.characters, 'character')} in "
                 f"{_count(score.line_count, 'line')}"),
        ("model", str(model.file)),
        ("surprise", f"{total.bits_per_char:.3f} bits/char"),
        ("loss", f"{total.loss:.4f} nats, perplexity {total.perplexity:.2f}"),
    ]  # fmt: skip
    if model.adapted:
        rows.append(("learning as it reads", _gain(model)))
    if model.checkpoint.val_loss is not None:
        held_out = f"{bits_per_char(model.checkpoint.val_loss):.3f} bits/char"
        if trained_on(score, model):
            rows.append(
                ("careful", f"it was trained on this very text; on what it held out {held_out}")
            )
        else:
            rows.append(("for comparison", f"{held_out} on its own held-out text"))
    folded = ", unknown characters as U+FFFD" if total.folded_count else ""
    compressed = f"{_count(size, 'byte')}, {share:.0%} of the text's{folded}"
    rows.append(("would compress to", compressed))
    rows.append(("unknown", _unknown(total)))
    return rows


def _gain(model: Model) -> str:
    """What learning as it reads gained, in words."""
    static, adapted = model.static.bits_per_char or 0.0, model.score.bits_per_char or 0.0
    change = static - adapted
    word = "gains" if change >= 0 else "loses"
    return f"{word} {abs(change):.3f} bits/char; without it {static:.3f}"


def _unknown(score: Scorer) -> str:
    """The characters that the model does not know, in words."""
    if not score.unknown_count:
        return "no character"
    most = score.unknown.most_common(NAMED)
    names = ", ".join(f"{describe(character)} x {count:,}" for character, count in most)
    more = len(score.unknown) - len(most)
    if score.unknown_cost is None:
        cost = f"read as U+FFFD, {score.unknown_bits:.1f} bits in all"
    else:
        cost = f"{score.unknown_cost:.1f} bits each"
    return (
        f"{_count(score.unknown_count, 'character')}, {cost}: {names}"
        f"{f' and {more:,} other' + 's' * (more > 1) if more else ''}; "
        f"{score.known_bits_per_char or 0:.3f} bits/char without them"
    )


def comparison(score: TextScore, models: list[Model]) -> list[tuple[str, str]]:
    """Models side by side, the one that fits best first."""
    ranked = sorted(models, key=lambda model: model.score.bits)
    return [
        (
            model.name,
            f"{model.score.bits_per_char:.3f} bits/char, perplexity {model.score.perplexity:.2f}, "
            f"{model.score.unknown_count:,} unknown"
            f"{' read as U+FFFD' if model.score.folded_count else ''}"
            f"{', trained on this very text' if trained_on(score, model) else ''}"
            f"{'  fits best' if model is ranked[0] else ''}",
        )
        for model in ranked
    ]


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
