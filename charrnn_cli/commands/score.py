"""`charrnn score`: parses its options, calls the core, prints what came back."""

import itertools
import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from charrnn_cli.commands.options import Values, takes
from charrnn_cli.commands.pair_options import COLUMN_OPTIONS, columns_given
from charrnn_cli.errors import UsageError
from charrnn_cli.settings.setting import Setting
from charrnn_cli.settings.table import SETTINGS
from charrnn_cli.terminal.thread_limit import import_numpy

EXAMPLE = "Example: charrnn score sonnets poems.txt"
OPTIONS = (
    Setting(
        name="text",
        type=str,
        argument=True,
        required=True,
        several=True,
        metavar="[MODEL]... TEXT...",
        stored_as="sources",
        help="UTF-8 text files, each read as a document of its own, or a file of pairs for a "
        "model of pairs; - for stdin. Names of models may stand before them.",
    ),
    Setting(
        name="checkpoint",
        type=str,
        several=True,
        stored_as="models",
        metavar="CHECKPOINT",
        help="A run's name or folder, or a checkpoint file [the newest run]. "
        "Several: compare which fits best.",
    ),
    Setting(
        name="show",
        type=str,
        metavar="[LINES]",
        bare="number",
        help="Show this many lines of the text, or all, coloured by surprisal "
        "[what a screen holds, on a terminal].",
    ),
    Setting(
        name="lines",
        type=str,
        metavar="[N]",
        bare="number",
        help="List the N most and least surprising lines [10].",
    ),
    Setting(
        name="adapt",
        type=bool,
        default=False,
        help="Let the model learn as it reads, and report the gain.",
    ),
    Setting(
        name="with_ngram",
        type=bool,
        default=False,
        help="Also report the model mixed with an n-gram model of the text read so far.",
    ),
    Setting(
        name="json",
        type=bool,
        default=False,
        stored_as="as_json",
        help="One JSON object on stdout.",
    ),
    Setting(
        name="tsv",
        type=bool,
        default=False,
        stored_as="as_tsv",
        help="One row per line on stdout.",
    ),
    Setting(
        name="plot",
        type=Path,
        help="Draw the coloured text into this file: .png, .svg or .pdf.",
    ),
    Setting(
        name="quiet",
        type=bool,
        default=False,
        flags=("-q",),
        help="Show no progress or notes.",
    ),
    *COLUMN_OPTIONS,
    Setting(
        name="symbols",
        type=str,
        group="pairs",
        metavar="TEXT",
        help="Text between the symbols of a target, such as ' ': also report the symbol error "
        "rate of pairs.",
    ),
    SETTINGS["checkpoints"],
    SETTINGS["device"],
)


@takes(*OPTIONS)
def score(request: Values, pairs: Values, hardware: Values) -> None:
    """Measure how surprising a text is to a model: bits per character, in all and line by line; or
    how many sources a model of pairs turns into their targets."""
    import_numpy(one_thread=True)
    from charrnn_cli.scoring.pair_report import PairColumns
    from charrnn_cli.scoring.report import ScoreRequest, run_score

    leading, texts = models_first(request.pop("sources"), request["checkpoints"])
    models = (*leading, *(request.pop("models") or ())) or (None,)
    asked = PairColumns(columns_given(pairs), pairs["skip_bad_lines"], pairs["symbols"])
    run_score(ScoreRequest(sources=tuple(texts), models=models, pairs=asked, **request, **hardware))


def models_first(words: Sequence[str], checkpoints: Path) -> tuple[list[str], list[str]]:
    """The models named before the texts, and the texts. What names a file as well is a text.
    Raises UsageError where a model stands alone or last."""
    from charrnn_cli.checkpoints.finding import names_model
    from charrnn_cli.checkpoints.shipped import known_names
    from charrnn_cli.formatting import did_you_mean

    models = list(itertools.takewhile(lambda word: names_model(word, checkpoints), words))
    texts = list(words[len(models) :])
    last = words[-1]
    if names_model(last, checkpoints):
        model, text = (last, "TEXT") if not texts else (last, texts[0])
        raise UsageError(
            f"{last}: is a model, not a text. Name it before the text: "
            f"{shlex.join(('charrnn', 'score', model, text))}"
        )
    if len(texts) > 1:
        for word in texts:
            if word != "-" and not os.path.exists(word):
                hint = did_you_mean(word, known_names(checkpoints)) or "Name a text file."
                raise UsageError(
                    f"{word}: is neither a file nor the name of a run or model. {hint}"
                )
    return models, texts
