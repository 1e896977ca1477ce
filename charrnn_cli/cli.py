"""The commands: each parses its options, calls the core, and prints what came back."""

import os
import time
from pathlib import Path
from typing import Annotated

import typer

from charrnn_cli.app import OptionalValues, app, option, reports_errors, show_version
from charrnn_cli.config import CELLS, SamplingConfig, check_all
from charrnn_cli.console import TextOut, print_json, print_table, say

CHECKPOINTS = Path("checkpoints")

CheckpointsFolder = Annotated[Path, typer.Option("--checkpoints", help="Folder of the runs.")]
CheckpointArgument = Annotated[
    str | None,
    typer.Argument(help="A run's name or folder, or a checkpoint file [the newest run]."),
]
PLANNED = "chosen by the size of the text"


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option("--version", callback=show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Train a character-level recurrent network on any text, and write new text with it."""


@app.command(cls=OptionalValues, epilog="Example: charrnn train poems.txt --minutes 3 --model lstm")
@reports_errors
def train(
    text: Annotated[str | None, typer.Argument(help="A UTF-8 text file, or - for stdin.")] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", help=f"Kind of network: {', '.join(CELLS)} [gru]."),
    ] = None,
    hidden_size: Annotated[int | None, option("hidden_size", default=PLANNED)] = None,
    num_layers: Annotated[int | None, option("num_layers", default=PLANNED)] = None,
    dropout: Annotated[float | None, option("dropout", default=PLANNED)] = None,
    epochs: Annotated[float | None, option("epochs", default=PLANNED)] = None,
    minutes: Annotated[float | None, option("minutes", default="no limit")] = None,
    batch_size: Annotated[int | None, option("batch_size", default=PLANNED)] = None,
    seq_length: Annotated[int | None, option("seq_length", default=PLANNED)] = None,
    learning_rate: Annotated[float | None, option("learning_rate", default=PLANNED)] = None,
    grad_clip: Annotated[float | None, option("grad_clip", default="1")] = None,
    val_fraction: Annotated[float | None, option("val_fraction", default="0.1")] = None,
    patience: Annotated[int | None, option("patience", default="two fifths of them")] = None,
    random_seed: Annotated[int | None, option("random_seed", default="0")] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="The run's name [that of the text].")
    ] = None,
    checkpoints: CheckpointsFolder = CHECKPOINTS,
    resume: Annotated[
        str | None,
        typer.Option(
            "--resume",
            metavar="[RUN]",
            help="Go on with a run where it stopped [the newest]; TEXT may be left out.",
        ),
    ] = None,
    init_from: Annotated[
        str | None,
        typer.Option("--init-from", metavar="CHECKPOINT", help="Start from this model's weights."),
    ] = None,
    device: Annotated[
        str, typer.Option("--device", help="auto, cpu, cuda, cuda:N or mps.")
    ] = "auto",
    threads: Annotated[int | None, option("threads", default="all cores")] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Show no plan, progress or result.")
    ] = False,
) -> None:
    """Train a model on a text. No option is needed.

    Writes checkpoints/NAME/best.safetensors, last.safetensors and metrics.jsonl. Ctrl-C saves
    everything; --resume goes on from there.
    """
    started = time.monotonic()
    settings = {
        "model": model,
        "hidden_size": hidden_size,
        "num_layers": num_layers,
        "dropout": dropout,
        "epochs": epochs,
        "minutes": minutes,
        "batch_size": batch_size,
        "seq_length": seq_length,
        "learning_rate": learning_rate,
        "grad_clip": grad_clip,
        "val_fraction": val_fraction,
        "patience": patience,
        "random_seed": random_seed,
    }
    given = {setting: value for setting, value in settings.items() if value is not None}
    check_all(given)
    from charrnn_cli.progress import run_training  # these import torch
    from charrnn_cli.start import Request

    request = Request(
        source=text,
        given=given,
        checkpoints=checkpoints,
        started=started,
        name=name,
        resume=resume,
        init_from=init_from,
        device=device,
        threads=threads,
    )
    raise typer.Exit(run_training(request, quiet))


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
        typer.Option("--unknown", help="Unknown characters of the seed: refuse or skip."),
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
    device: Annotated[
        str, typer.Option("--device", help="auto, cpu, cuda, cuda:N or mps.")
    ] = "auto",
) -> None:
    """Write new text: the seed and what follows it, on stdout.

    The filters apply in this order: temperature, top-k, top-p, min-p.
    """
    if num_samples == 1:  # then the products are too small for threads to share
        for library in ("OPENBLAS", "MKL", "VECLIB"):  # which read it when first imported
            os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    from charrnn_cli.writing import SampleRequest, open_samples

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
    learned = None if originality is None else samples.learned_text(originality or None)
    for note in samples.notes:
        say(note)
    with TextOut(output) as out:
        for piece in samples.json_lines() if as_json else samples.text(separator):
            out.write(piece)
    if learned is not None:
        say(samples.originality(learned))


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
