"""`charrnn train`: parses its options, calls the core."""

import os
import time
from typing import Annotated

import typer

from charrnn_cli.commands.app import (
    CHECKPOINTS,
    CheckpointsFolder,
    DeviceOption,
    OptionalValues,
    app,
    option,
    reports_errors,
)
from charrnn_cli.config import OPTIMIZERS, PRECISIONS, SAVE_EVERY, check_all
from charrnn_cli.models.registry import ARCHITECTURES, family_of
from charrnn_cli.terminal.signals import dying_silently
from charrnn_cli.text.text_file import check_place

PLANNED = "chosen by the text's size and the time allowed"


@app.command(cls=OptionalValues, epilog="Example: charrnn train poems.txt --minutes 3 --model lstm")
@reports_errors
def train(
    text: Annotated[str | None, typer.Argument(help="A UTF-8 text file, or - for stdin.")] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", help=f"Kind of network: {', '.join(ARCHITECTURES)} [gru]."),
    ] = None,
    hidden_size: Annotated[int | None, option("hidden_size", default=PLANNED)] = None,
    num_layers: Annotated[int | None, option("num_layers", default=PLANNED)] = None,
    dropout: Annotated[float | None, option("dropout", default=PLANNED)] = None,
    epochs: Annotated[float | None, option("epochs", default=PLANNED)] = None,
    minutes: Annotated[float | None, option("minutes", default="no limit")] = None,
    batch_size: Annotated[int | None, option("batch_size", default=PLANNED)] = None,
    seq_length: Annotated[int | None, option("seq_length", default=PLANNED)] = None,
    learning_rate: Annotated[float | None, option("learning_rate", default=PLANNED)] = None,
    optimizer: Annotated[
        str | None,
        typer.Option("--optimizer", help=f"{' or '.join(OPTIMIZERS)} [{PLANNED}]."),
    ] = None,
    weight_decay: Annotated[float | None, option("weight_decay", default=PLANNED)] = None,
    grad_clip: Annotated[float | None, option("grad_clip", default="1")] = None,
    val_fraction: Annotated[float | None, option("val_fraction", default="0.1")] = None,
    patience: Annotated[int | None, option("patience", default="two fifths of them")] = None,
    min_count: Annotated[int | None, option("min_count", default="1")] = None,
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
    from_best: Annotated[
        bool,
        typer.Option("--from-best", help="Resume from best, should last be damaged or missing."),
    ] = False,
    changed_text: Annotated[
        bool, typer.Option("--changed-text", help="Resume though the text is another by now.")
    ] = False,
    save_every: Annotated[float, option("save_every")] = SAVE_EVERY,
    init_from: Annotated[
        str | None,
        typer.Option("--init-from", metavar="CHECKPOINT", help="Start from this model's weights."),
    ] = None,
    device: DeviceOption = "auto",
    precision: Annotated[
        str | None,
        typer.Option(
            "--precision",
            help=f"Of the matrix products: auto, {', '.join(PRECISIONS)} [auto: bfloat16 where the "
            "processor computes in it].",
        ),
    ] = None,
    threads: Annotated[
        int | None, option("threads", default="all cores, or one if that is faster")
    ] = None,
    no_preview: Annotated[
        bool, typer.Option("--no-preview", help="Show no samples in between on a terminal.")
    ] = False,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write the evaluations for TensorBoard as well.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="The result as one JSON object on stdout.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Show no plan, progress or result.")
    ] = False,
) -> None:
    """Train a model on a text. No option is needed.

    Writes checkpoints/NAME/best.safetensors, last.safetensors and metrics.jsonl. Ctrl-C saves
    everything; --resume goes on from there. For several processes or machines:
    torchrun --nproc-per-node N -m charrnn_cli train TEXT
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
        "optimizer": optimizer,
        "weight_decay": weight_decay,
        "grad_clip": grad_clip,
        "val_fraction": val_fraction,
        "patience": patience,
        "min_count": min_count,
        "random_seed": random_seed,
        "precision": None if precision == "auto" else precision,
    }
    given = {setting: value for setting, value in settings.items() if value is not None}
    if model is not None:
        family_of(model)  # refuses an unknown one
    check_all(given)
    if text is not None and os.environ.get("WORLD_SIZE", "") in ("", "1"):  # else one reads for all
        check_place(text)
    with dying_silently():
        from charrnn_cli.training.request import Request
        from charrnn_cli.training.train_report import run_training  # these import torch

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
        save_every=save_every,
        from_best=from_best,
        changed_text=changed_text,
    )
    raise typer.Exit(
        run_training(
            request,
            quiet=quiet,
            preview=not no_preview,
            tensorboard=tensorboard,
            as_json=as_json,
        )
    )
