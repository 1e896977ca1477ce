"""`charrnn translate`: parses its options, calls the core, writes a line for each line."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from charrnn_cli.commands.options import CHECKPOINT, Values, takes
from charrnn_cli.environment import environment
from charrnn_cli.errors import UsageError
from charrnn_cli.settings import SETTINGS, Setting
from charrnn_cli.terminal.console import (
    TextOut,
    open_stdout,
    rendered,
    say,
    shows_colour,
    text_width,
)
from charrnn_cli.terminal.thread_limit import import_numpy

if TYPE_CHECKING:
    from charrnn_cli.sampling.translation import Translation, Translator

EXAMPLE = 'Example: echo "3. Mai 1987" | charrnn translate dates'
MAX_BEAM_SIZE = 100
OPTIONS = (
    CHECKPOINT,
    Setting(
        name="lines", type=str, argument=True, several=True, metavar="LINES…",
        help="Lines to translate [those of stdin].",
    ),
    Setting(name="file", type=str, help="File with the lines to translate, or - for stdin."),
    Setting(
        name="beam_size", type=int, at_least=1, at_most=MAX_BEAM_SIZE,
        default_words="3, or --n-best if that is more",
        help="Candidates kept at each character; 1 takes the most likely character.",
    ),
    Setting(
        name="n_best", type=int, at_least=1, at_most=MAX_BEAM_SIZE, default=1,
        help="Translations of each line, on one line with tabs between them.",
    ),
    Setting(
        name="unknown", type=str, choices=SETTINGS["unknown"].choices, default="refuse",
        help="What to do with unknown characters of a line.",
    ),
    Setting(
        name="batch_size", type=int, at_least=1, at_most=65_536, default=128,
        help="Lines that are translated side by side.",
    ),
    Setting(
        name="json", type=bool, default=False, group="output", stored_as="as_json",
        help="One JSON object per line.",
    ),
    Setting(
        name="attention", type=bool, default=False, group="output",
        help="Show which characters of a line each character of its translation looked at.",
    ),
    Setting(
        name="plot", type=Path, group="output",
        help="Draw that for one line into this PNG, SVG or PDF file.",
    ),
    SETTINGS["checkpoints"],
)  # fmt: skip


@takes(*OPTIONS)
def translate(request: Values, output: Values) -> None:
    """Translate lines with a model of pairs: a line out for each line in, on stdout."""
    lines = tuple(request.pop("lines") or ())
    import_numpy(one_thread=True)
    if output["plot"] is not None:
        from charrnn_cli.terminal.text_image import check_picture

        check_picture(output["plot"])
    for option, given in (("--attention", output["attention"]), ("--plot", output["plot"])):
        if given and output["as_json"]:
            raise UsageError(f"{option} and --json exclude each other: use one of them.")
    from charrnn_cli.sampling.translation import TranslateRequest, open_translator

    translator = open_translator(TranslateRequest(lines=lines, **request))
    if not lines and request["file"] in (None, "-"):
        stdin = environment().stdin
        if stdin is not None and stdin.isatty():
            say("Type lines to translate; Ctrl-D ends.")
    try:
        if output["plot"] is not None:
            draw_attention(translator, output["plot"])
        elif output["attention"]:
            show_attention(translator)
        else:
            write_lines(translator, output["as_json"])
    finally:
        for note in translator.notes:
            say(note)


def write_lines(translator: "Translator", as_json: bool) -> None:
    """Write a line for each line: its translations, or a JSON object."""
    with TextOut(None) as out:
        for group in translator.groups():
            for one in group:
                out.write(json.dumps(to_json(one)) if as_json else as_text(one))
                out.write("\n")
            out.flush()  # who wrote the lines may wait for these before writing more


def as_text(translation: "Translation") -> str:
    """The translations of a line with tabs between them."""
    return "\t".join(target.text for target in translation.targets)


def to_json(translation: "Translation") -> dict[str, Any]:
    """A line and its translations as JSON."""
    best, *others = (
        {"target": target.text, "probability": target.probability} for target in translation.targets
    )
    return {"line": translation.number, "source": translation.line, **best, "alternatives": others}


def show_attention(translator: "Translator") -> None:
    """Write each translation, with a heat map of what its characters looked at below it."""
    from rich.text import Text

    from charrnn_cli.terminal.console import visible
    from charrnn_cli.terminal.heatmap import ATTENTION
    from charrnn_cli.terminal.matrix import matrix_lines
    from charrnn_cli.terminal.signs import sign_of, signs_of_stdout

    colour, signs = shows_colour(), signs_of_stdout()
    with open_stdout() as out:
        for group in translator.groups():
            for one in group:
                lines = [Text(visible(as_text(one)))]
                if len(one.ids):
                    seen = translator.attention(one)
                    lines += matrix_lines(
                        [sign_of(symbol, signs) for symbol in seen.target],
                        [sign_of(symbol, signs) for symbol in seen.source],
                        seen.weights.tolist(), ATTENTION, width=text_width(), colour=colour,
                    )  # fmt: skip
                    lines += [*ATTENTION.legend(colour, text_width()), Text()]
                for line in rendered(lines):
                    out.write(line)
            out.flush()


def draw_attention(translator: "Translator", path: Path) -> None:
    """Draw the heat map of one line into a file. Raises UsageError for more than one line."""
    from charrnn_cli.terminal.matrix_picture import draw_matrix

    found = [one for group in translator.groups() for one in group if len(one.ids)]
    if len(found) != 1:
        raise UsageError(f"--plot: draws one line, and there are {len(found):,}. Give it one.")
    seen = translator.attention(found[0])
    title = f"{translator.file}: {found[0].line} → {found[0].targets[0].text}"
    names = "translation", "looks at"
    draw_matrix(path, seen.target, seen.source, seen.weights.tolist(), title, names)
    with TextOut(None) as out:
        out.write(as_text(found[0]) + "\n")
