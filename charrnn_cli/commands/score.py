"""`charrnn score`: parses its options, calls the core, prints what came back."""

import os
from pathlib import Path
from typing import Annotated

import typer

from charrnn_cli.commands.app import (
    CHECKPOINTS,
    CheckpointsFolder,
    DeviceOption,
    OptionalValues,
    app,
    reports_errors,
)


@app.command(cls=OptionalValues, epilog="Example: charrnn score poems.txt --checkpoint sonnets")
@reports_errors
def score(
    text: Annotated[str, typer.Argument(help="A UTF-8 text file, or - for stdin.")],
    checkpoint: Annotated[
        list[str] | None,
        typer.Option(
            "--checkpoint",
            metavar="CHECKPOINT",
            help="A run's name or folder, or a checkpoint file [the newest run]. "
            "Several: tell which fits best.",
        ),
    ] = None,
    show: Annotated[
        str | None,
        typer.Option(
            "--show",
            metavar="[LINES]",
            help="Show so many lines of the text, or all, coloured by surprise "
            "[what a screen holds, on a terminal].",
        ),
    ] = None,
    lines: Annotated[
        str | None,
        typer.Option(
            "--lines", metavar="[N]", help="List the N most and least surprising lines [10]."
        ),
    ] = None,
    adapt: Annotated[
        bool,
        typer.Option("--adapt", help="Let the model learn as it reads, and tell the gain."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    as_tsv: Annotated[bool, typer.Option("--tsv", help="One row per line on stdout.")] = False,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", help="Draw the coloured text into this file: .png, .svg or .pdf."),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Show no progress or notes.")
    ] = False,
    checkpoints: CheckpointsFolder = CHECKPOINTS,
    device: DeviceOption = "auto",
) -> None:
    """Tell how surprising a text is to a model: bits per character, in all and line by line."""
    for library in ("OPENBLAS", "MKL", "VECLIB"):  # which read it when first imported
        # the products are too small for threads to share
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    from charrnn_cli.scoring.report import ScoreRequest, run_score

    run_score(
        ScoreRequest(
            source=text,
            models=tuple(checkpoint or (None,)),
            checkpoints=checkpoints,
            show=show,
            lines=lines,
            adapt=adapt,
            as_json=as_json,
            as_tsv=as_tsv,
            plot=plot,
            device=device,
            quiet=quiet,
        )
    )
