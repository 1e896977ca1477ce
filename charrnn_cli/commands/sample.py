"""`charrnn sample`: parses its options, calls the core, writes the text."""

import os
from pathlib import Path
from typing import Annotated

import typer

from charrnn_cli.commands.app import (
    CHECKPOINTS,
    CheckpointArgument,
    CheckpointsFolder,
    DeviceOption,
    OptionalValues,
    app,
    option,
    reports_errors,
)
from charrnn_cli.config import SamplingConfig
from charrnn_cli.terminal.console import TextOut, say


@app.command(
    cls=OptionalValues,
    epilog="Example: charrnn sample sonnets --seed Shall --length 300 --temperature 0.8",
)
@reports_errors
def sample(
    checkpoint: CheckpointArgument = None,
    seed: Annotated[
        str | None,
        typer.Option("--seed", "--prompt", help="Text to go on from [the beginning of a line]."),
    ] = None,
    seed_file: Annotated[
        str | None,
        typer.Option("--seed-file", help="File with the text to go on from, or - for stdin."),
    ] = None,
    length: Annotated[int, option("length")] = 500,
    temperature: Annotated[float, option("temperature")] = 1.0,
    top_k: Annotated[int | None, option("top_k", default="all")] = None,
    top_p: Annotated[float | None, option("top_p", default="1")] = None,
    min_p: Annotated[float | None, option("min_p", default="0")] = None,
    num_samples: Annotated[int, option("num_samples")] = 1,
    separator: Annotated[str, typer.Option("--separator", help="Line between two samples.")] = "-"
    * 40,
    until: Annotated[
        str | None, typer.Option("--until", help="Stop after this text is written.")
    ] = None,
    random_seed: Annotated[int | None, option("random_seed", default="a new one, told")] = None,
    unknown: Annotated[
        str,
        typer.Option("--unknown", help="Unknown characters of the seed: refuse, skip or replace."),
    ] = "refuse",
    originality: Annotated[
        str | None,
        typer.Option(
            "--originality",
            metavar="[TEXT]",
            help="Tell how much is copied from the text learned [the run's own], on stderr.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per sample.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", help="Write to this file, not to stdout.")
    ] = None,
    checkpoints: CheckpointsFolder = CHECKPOINTS,
    device: DeviceOption = "auto",
) -> None:
    """Write new text: the seed and what follows it, on stdout.

    The filters apply in this order: temperature, top-k, top-p, min-p.
    """
    if num_samples == 1:  # then the products are too small for threads to share
        for library in ("OPENBLAS", "MKL", "VECLIB"):  # which read it when first imported
            os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    from charrnn_cli.sampling.samples import SampleRequest, open_samples

    request = SampleRequest(
        checkpoint=checkpoint,
        checkpoints=checkpoints,
        seed=seed,
        seed_file=seed_file,
        unknown=unknown,
        sampling=SamplingConfig(temperature, top_k, top_p, min_p),
        length=length,
        until=until,
        num_samples=num_samples,
        random_seed=random_seed,
        device=device,
        whole=as_json or originality is not None,
    )
    samples = open_samples(request)
    learned = None
    if originality is not None:
        from charrnn_cli.sampling.originality import compare, learned_text

        learned = learned_text(samples.file, samples.checkpoint, originality or None)
    for note in samples.notes:
        say(note)
    drawing = samples.draw()
    with TextOut(output) as out:
        for piece in drawing.json_lines() if as_json else drawing.text(separator):
            out.write(piece)
    if learned is not None:
        say(compare(drawing.texts, learned).in_words(learned))
