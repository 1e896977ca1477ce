"""`charrnn info`: parses its options, calls the core, prints what came back."""

from typing import Annotated

import typer

from charrnn_cli.app import CHECKPOINTS, CheckpointArgument, CheckpointsFolder, app, reports_errors
from charrnn_cli.console import print_json, print_table


@app.command(epilog="Example: charrnn info sonnets --json")
@reports_errors
def info(
    checkpoint: CheckpointArgument = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    checkpoints: CheckpointsFolder = CHECKPOINTS,
) -> None:
    """Show what is in a checkpoint: model, vocabulary, text, training so far, held-out loss."""
    from charrnn_cli.inspection import inspect, table_rows
    from charrnn_cli.runs import find_checkpoint

    facts = inspect(find_checkpoint(checkpoint, checkpoints))
    if as_json:
        print_json(facts)
    else:
        print_table(table_rows(facts))
