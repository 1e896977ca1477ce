"""The command line: what it offers before any command; each command is in a module of its own."""

from typing import Annotated

import typer

from charrnn_cli.commands.app import app, show_version

# isort: off
# each adds its command to the app; --help lists them in this order
from charrnn_cli.commands import train as train_command  # noqa: F401
from charrnn_cli.commands import sample as sample_command  # noqa: F401
from charrnn_cli.commands import info as info_command  # noqa: F401
from charrnn_cli.commands import score as score_command  # noqa: F401
# isort: on


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option("--version", callback=show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Train a character-level recurrent network on any text, and write new text with it."""
