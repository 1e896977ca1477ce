"""`charrnn info`: parses its options, calls the core, prints what came back."""

from pathlib import Path
from typing import Annotated

import typer

from charrnn_cli.app import CHECKPOINTS, CheckpointArgument, CheckpointsFolder, app, reports_errors
from charrnn_cli.console import print_json, print_table


@app.command(epilog="Example: charrnn info sonnets --json")
@reports_errors
def info(
    checkpoint: CheckpointArgument = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    units: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="Show which hidden units follow what in a text (- for stdin): the position in the "
            "line, quotes, brackets, indentation and more.",
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(help="Draw a picture into this .png, .svg or .pdf, too (needs matplotlib)."),
    ] = None,
    checkpoints: CheckpointsFolder = CHECKPOINTS,
) -> None:
    """Show what is in a checkpoint: model, vocabulary, text, training so far, held-out loss."""
    from charrnn_cli.inspection import inspect, table_rows
    from charrnn_cli.runs import find_checkpoint

    file = find_checkpoint(checkpoint, checkpoints)
    if units is not None:
        from charrnn_cli.unit_view import show_units

        show_units(file, units, as_json, plot)
        return
    facts = inspect(file)
    if as_json:
        print_json(facts)
    else:
        print_table(table_rows(facts))
