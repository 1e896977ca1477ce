"""From a request for a score to what `charrnn score` prints."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from charrnn_cli.environment import environment
from charrnn_cli.errors import UsageError
from charrnn_cli.scoring.documents import DocumentStreams
from charrnn_cli.scoring.lines import Ranking
from charrnn_cli.scoring.pair_report import (
    PairColumns,
    PairScoreRequest,
    is_of_pairs,
    score_pairs,
)
from charrnn_cli.scoring.scorer import TextScore, open_model
from charrnn_cli.scoring.summary import comparison, facts, table_rows
from charrnn_cli.scoring.views import Coloured, Picture, Table, View, extremes
from charrnn_cli.terminal.bars import ReadingBar
from charrnn_cli.terminal.console import (
    TextOut,
    open_stdout,
    print_json,
    print_table,
    say_wrapped,
    shows_colour,
)
from charrnn_cli.terminal.text_image import check_picture
from charrnn_cli.text.normalization import form_note

LISTED = 10  # Lines of highest and of lowest surprisal that --lines lists without a number.
SHOWN_ROWS = 20  # Rows of the text that a terminal shows without --show.
ALL = 10**12  # A number of lines that no text has: no limit.


@dataclass(frozen=True)
class ScoreRequest:
    """What the user asked for.

    `models` holds the models' names, None for the newest run. `show` and `lines` are numbers of
    lines as text: None if the option was not given, empty if it was given without a number.
    """

    sources: tuple[str, ...]
    models: tuple[str | None, ...]
    checkpoints: Path
    show: str | None
    lines: str | None
    adapt: bool
    with_ngram: bool
    as_json: bool
    as_tsv: bool
    plot: Path | None
    device: str
    quiet: bool
    pairs: PairColumns = field(default_factory=PairColumns)


def run_score(request: ScoreRequest) -> None:
    """Score the text, or pairs if the first model is one of pairs, and print what the request asks
    for. Raises CharRNNError."""
    _check(request)
    if is_of_pairs(request.models[0], request.checkpoints):
        _run_pairs(request)
        return
    if option := request.pairs.given():
        raise UsageError(f"{option}: is for models of pairs. Leave it out.")
    ranking = None if request.lines is None else Ranking(_number("--lines", request.lines, LISTED))
    models = [
        open_model(which, request.checkpoints, request.device, request.adapt, request.with_ngram)
        for which in request.models
    ]
    stream = DocumentStreams(request.sources)
    score = TextScore(stream, models)
    scorer = models[0].scorer
    views = _views(request, f"{Path(stream.name).name} under {models[0].name}")
    # rows for scripts are exact UTF-8 in a pipe, and escaped on a terminal
    written = TextOut(None) if request.as_tsv else open_stdout()
    with ReadingBar(request.quiet) as reading, written as out:
        for lines in score.read():
            if ranking:
                ranking.add(lines)
            shown = "".join(text for line in lines for view in views for text in view.add(line))
            if shown:
                with reading.hidden():
                    out.write(shown)
            reading.move(stream)
        reading.close()
        for view in views:
            out.write("".join(view.finish(scorer)))
        if ranking and not request.as_json:
            out.write("".join(extremes(ranking, scorer, shows_colour())))
    if not request.quiet:
        forms = [form_note(stream.name, scorer.forms)] if scorer.forms else []
        for note in (*stream.notes, *forms):
            say_wrapped(f"Note: {note}.")
    if request.as_json:
        for model in models:
            print_json(facts(score, model, ranking))
    elif len(models) > 1:
        print_table(comparison(score, models))
    elif not request.as_tsv:
        print_table(table_rows(score, models[0]))


def _run_pairs(request: ScoreRequest) -> None:
    """Score pairs. Raises UsageError for an option that is for texts alone."""
    for option, given in (
        ("--show", request.show is not None),
        ("--adapt", request.adapt),
        ("--with-ngram", request.with_ngram),
        ("--plot", request.plot is not None),
        ("--device", request.device not in ("auto", "cpu")),
    ):
        if given:
            raise UsageError(f"{option}: is not for models of pairs. Leave it out.")
    lines = None if request.lines is None else _number("--lines", request.lines, LISTED)
    score_pairs(
        PairScoreRequest(
            source=_one_file(request.sources),
            models=request.models,
            checkpoints=request.checkpoints,
            pairs=request.pairs,
            lines=lines,
            as_json=request.as_json,
            as_tsv=request.as_tsv,
            quiet=request.quiet,
        )
    )


def _one_file(sources: Sequence[str]) -> str:
    """The file of pairs. Raises UsageError unless there is just one."""
    if len(sources) > 1:
        raise UsageError(f"{sources[1]}: pairs are scored one file at a time. Leave it out.")
    return sources[0]


def _check(request: ScoreRequest) -> None:
    """Raise UsageError for options that exclude each other; nothing has been read yet."""
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
    if given["--tsv"] and request.with_ngram:
        raise UsageError(
            "--tsv and --with-ngram exclude each other: a table has lines only, and the mixture is "
            "measured for the whole text."
        )
    if given["--tsv"] and given["--lines"]:
        raise UsageError("--tsv and --lines exclude each other: use one of them.")
    if request.plot is not None:
        check_picture(request.plot)


def _number(option: str, given: str, default: int) -> int:
    """The number of lines that an option was given. Raises UsageError if it is none."""
    if given == "all":
        return ALL
    if given and not (given.isdecimal() and int(given)):
        raise UsageError(f"{option} {given}: must be a number of lines, at least 1, or all.")
    return int(given or default)


def _views(request: ScoreRequest, title: str) -> list[View]:
    """What is shown of the text's lines: a picture has this title."""
    views: list[View] = []
    if request.as_tsv:
        views.append(Table())
    elif request.show is not None:
        most = _number("--show", request.show, ALL)
        views.append(Coloured(max_lines=most, max_rows=ALL, colour=shows_colour()))
    elif environment().stdout.is_terminal and len(request.models) == 1 and not request.as_json:
        views.append(Coloured(max_lines=ALL, max_rows=SHOWN_ROWS, colour=shows_colour()))
    if request.plot is not None:
        views.append(Picture(request.plot, title))
    return views
