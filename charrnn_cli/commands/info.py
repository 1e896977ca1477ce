"""`charrnn info`: parses its options, calls the core, prints what came back."""

from pathlib import Path
from typing import Annotated

import typer

from charrnn_cli.commands.app import (
    CHECKPOINTS,
    CheckpointArgument,
    CheckpointsFolder,
    app,
    reports_errors,
)
from charrnn_cli.environment import environment
from charrnn_cli.errors import UsageError
from charrnn_cli.terminal.console import (
    print_columns,
    print_drawing,
    print_json,
    print_table,
    say,
    text_width,
)


@app.command(epilog="Example: charrnn info sonnets --json")
@reports_errors
def info(
    checkpoint: CheckpointArgument = None,
    list_all: Annotated[
        bool, typer.Option("--all", help="List the runs of the checkpoints folder.")
    ] = False,
    sort: Annotated[
        str | None, typer.Option("--sort", help="Order of --all: time, loss or name [time].")
    ] = None,
    vocabulary: Annotated[
        bool, typer.Option("--vocabulary", help="List every character that the model knows.")
    ] = False,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            help="Draw the loss curves, or what --units shows, into this PNG, SVG or PDF file.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    units: Annotated[
        str | None,
        typer.Option(
            "--units",
            metavar="TEXT",
            help="Show which hidden units follow what in a text (- for stdin): the position in the "
            "line, quotes, brackets, indentation and more.",
        ),
    ] = None,
    checkpoints: CheckpointsFolder = CHECKPOINTS,
) -> None:
    """Show what is in a checkpoint: model, vocabulary, text, training so far, held-out loss."""
    if list_all:
        for given, name in (
            (checkpoint, "CHECKPOINT"), (plot, "--plot"), (vocabulary, "--vocabulary"),
            (units, "--units"),
        ):  # fmt: skip
            if given:
                raise UsageError(f"--all lists every run: leave {name} out.")
        show_all(checkpoints, sort or "time", as_json)
        return
    if sort is not None:
        raise UsageError("--sort is the order of --all: add that, or leave --sort out.")
    if as_json and vocabulary:
        raise UsageError("--json has the vocabulary anyway: leave --vocabulary out.")
    from charrnn_cli.checkpoints.runs import find_checkpoint
    from charrnn_cli.inspection.facts import inspect

    file = find_checkpoint(checkpoint, checkpoints)
    if units is not None:
        from charrnn_cli.units.view import show_units

        if vocabulary:
            raise UsageError("--units and --vocabulary exclude each other: use one of them.")
        show_units(file, units, as_json, plot)
        return
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
        print_columns(headings, vocabulary_rows(facts["vocabulary"]))
        return
    print_table(table_rows(facts))
    signs = UNICODE if environment().stdout.can_show(CHARACTERS) else ASCII
    for title, lines in drawings(facts, text_width(), signs):
        print_drawing(title, lines)


def show_all(checkpoints: Path, sort: str, as_json: bool) -> None:
    """List the runs of a folder, as a table or as one JSON object."""
    from charrnn_cli.checkpoints.runs import HOW_TO_TRAIN
    from charrnn_cli.inspection.runs_table import DISPENSABLE, HEADINGS, list_facts, listing_rows

    runs = list_facts(checkpoints, sort)
    if as_json:
        print_json({"checkpoints": str(checkpoints), "runs": runs})
        return
    if not runs:
        say(f"no checkpoint in {checkpoints} yet. {HOW_TO_TRAIN}")
        return
    print_columns(HEADINGS, listing_rows(runs), DISPENSABLE)
    for facts in runs:
        if facts["error"]:
            say(facts["error"])
