"""`charrnn train`: parses its options, calls the core."""

import os
import time

from charrnn_cli.commands.options import Values, takes
from charrnn_cli.errors import ExitCode
from charrnn_cli.models.registry import ARCHITECTURES
from charrnn_cli.settings import SETTINGS, Setting, settings_of
from charrnn_cli.terminal.signals import default_interrupt
from charrnn_cli.text.reader import check_place

EXAMPLE = "Example: charrnn train poems.txt --minutes 3 --model lstm"
OPTIONS = (
    Setting(
        name="text",
        type=str,
        argument=True,
        stored_as="source",
        help="A UTF-8 text file, or - for stdin.",
    ),
    *settings_of("model", model=ARCHITECTURES),
    *settings_of("training"),
    Setting(name="name", type=str, help="The run's name [that of the text]."),
    SETTINGS["checkpoints"],
    Setting(
        name="resume",
        type=str,
        metavar="[RUN]",
        bare="text",
        help="Continue a run where it stopped [the newest]; TEXT may be left out.",
    ),
    Setting(
        name="from_best",
        type=bool,
        default=False,
        help="Resume from best if last is damaged or missing.",
    ),
    Setting(
        name="changed_text",
        type=bool,
        default=False,
        help="Resume although the text has changed.",
    ),
    SETTINGS["save_every"],
    Setting(
        name="init_from",
        type=str,
        metavar="CHECKPOINT",
        help="Start from this model's weights.",
    ),
    *settings_of("hardware"),
    Setting(
        name="no_preview",
        type=bool,
        default=False,
        group="output",
        help="Draw no samples during the training: none on a terminal, none for the run's folder.",
    ),
    Setting(
        name="tensorboard",
        type=bool,
        default=False,
        group="output",
        help="Write the evaluations for TensorBoard as well.",
    ),
    Setting(
        name="json",
        type=bool,
        default=False,
        group="output",
        stored_as="as_json",
        help="The result as one JSON object on stdout.",
    ),
    Setting(
        name="quiet",
        type=bool,
        default=False,
        group="output",
        flags=("-q",),
        help="Show no plan, progress or result.",
    ),
)


@takes(*OPTIONS)
def train(
    model: Values, training: Values, request: Values, hardware: Values, output: Values
) -> ExitCode:
    """Train a model on a text. No option is needed.

    Writes checkpoints/NAME/best.safetensors, last.safetensors and metrics.jsonl. Ctrl-C saves
    everything; --resume continues from there. For several processes or machines:
    torchrun --nproc-per-node N -m charrnn_cli train TEXT
    """
    started = time.monotonic()
    text = request["source"]
    alone = os.environ.get("WORLD_SIZE", "") in ("", "1")
    if text is not None and alone:  # of several processes one reads the text for all
        check_place(text)
    with default_interrupt():
        from charrnn_cli.training.request import Request
        from charrnn_cli.training.train_report import run_training  # these import torch

    settings = model | training | {"precision": hardware.pop("precision")}
    given = {name: value for name, value in settings.items() if value is not None}
    preview = not output.pop("no_preview")
    return run_training(
        Request(given=given, started=started, **request, **hardware), preview=preview, **output
    )
