"""`charrnn info`: parses its options, calls the core, prints what came back."""

from pathlib import Path
from types import SimpleNamespace

from charrnn_cli.commands.options import CHECKPOINT, Values, takes
from charrnn_cli.commands.runs import show_list
from charrnn_cli.environment import environment
from charrnn_cli.errors import UsageError
from charrnn_cli.settings.setting import Setting
from charrnn_cli.settings.table import SETTINGS
from charrnn_cli.terminal.console import (
    print_columns,
    print_drawing,
    print_json,
    print_out,
    print_table,
    text_width,
)
from charrnn_cli.terminal.thread_limit import import_numpy

EXAMPLE = "Example: charrnn info sonnets --json"
OPTIONS = (
    CHECKPOINT,
    Setting(
        name="all",
        type=bool,
        default=False,
        stored_as="list_all",
        help="List the runs of the checkpoints folder.",
    ),
    Setting(name="sort", type=str, help="Order of --all: time, loss or name [time]."),
    Setting(
        name="vocabulary",
        type=bool,
        default=False,
        help="List every character that the model knows.",
    ),
    Setting(
        name="plot",
        type=Path,
        help="Draw the loss curves, or what --units or --attention shows, into this PNG, SVG or "
        "PDF file.",
    ),
    Setting(
        name="json",
        type=bool,
        default=False,
        stored_as="as_json",
        help="One JSON object on stdout.",
    ),
    Setting(
        name="units",
        type=str,
        metavar="TEXT",
        help="Show which hidden units follow what in a text (- for stdin): the position in the "
        "line, quotes, brackets, indentation and more.",
    ),
    Setting(
        name="attention",
        type=str,
        metavar="TEXT",
        help="Show which attention heads of a transformer follow what in a text (- for stdin): the "
        "previous character, the line's start, what came after this one before and more.",
    ),
    SETTINGS["checkpoints"],
)


@takes(*OPTIONS)
def info(request: Values) -> None:
    """Show what is in a checkpoint: model, vocabulary, text, training so far, held-out loss."""
    asked = SimpleNamespace(**request)
    import_numpy()
    if asked.list_all:
        for given, name in (
            (asked.checkpoint, "CHECKPOINT"), (asked.plot, "--plot"),
            (asked.vocabulary, "--vocabulary"), (asked.units, "--units"),
            (asked.attention, "--attention"),
        ):  # fmt: skip
            if given:
                raise UsageError(f"--all lists every run: leave {name} out.")
        asked.runs = []
        show_list(asked)
        return
    if asked.sort is not None:
        raise UsageError("--sort is the order of --all: add that, or leave --sort out.")
    if asked.as_json and asked.vocabulary:
        raise UsageError("--json has the vocabulary anyway: leave --vocabulary out.")
    given = [
        option for value, option in (
            (asked.units, "--units"), (asked.attention, "--attention"),
            (asked.vocabulary or None, "--vocabulary"),
        ) if value is not None
    ]  # fmt: skip
    if len(given) > 1:
        raise UsageError(f"{given[0]} and {given[1]} exclude each other: use one of them.")
    from charrnn_cli.checkpoints.finding import find_checkpoint

    file = find_checkpoint(asked.checkpoint, asked.checkpoints)
    if asked.units is not None:
        from charrnn_cli.units.view import show_units

        show_units(file, asked.units, asked.as_json, asked.plot)
        return
    if asked.attention is not None:
        from charrnn_cli.attention.view import show_attention

        show_attention(file, asked.attention, asked.as_json, asked.plot)
        return
    show_checkpoint(file, asked.plot, asked.as_json, asked.vocabulary)


def show_checkpoint(file: Path, plot: Path | None, as_json: bool, vocabulary: bool) -> None:
    """Show the facts of one checkpoint: as a table and drawings, as JSON, or its vocabulary."""
    from charrnn_cli.inspection.facts import inspect

    facts = inspect(file)
    if plot is not None:
        from charrnn_cli.inspection.loss_plot import draw_curves

        draw_curves(plot, facts)
    if as_json:
        print_json(facts)
        return
    from charrnn_cli.inspection.overview import drawings, table_rows, vocabulary_rows
    from charrnn_cli.terminal.ascii_plots import ASCII, CHARACTERS, UNICODE

    if vocabulary:
        headings = ("code point", "character", "name")
        sides = {"": facts["vocabulary"]}
        if "pairs" in facts:
            sides = {"Sources": facts["pairs"]["source_vocabulary"], "Targets": sides[""]}
        for side, characters in sides.items():
            if side:
                print_out(f"{side}:")
            print_columns(headings, vocabulary_rows(characters))
        return
    print_table(table_rows(facts))
    signs = UNICODE if environment().stdout.can_show(CHARACTERS) else ASCII
    for title, lines in drawings(facts, text_width(), signs):
        print_drawing(title, lines)
