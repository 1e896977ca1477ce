"""`charrnn train`: parses its options, calls the core."""

import os
import time

from charrnn_cli.commands.numpy_threads import use_one_thread
from charrnn_cli.commands.options import Values, takes
from charrnn_cli.commands.pair_options import PAIR_OPTIONS, check_pair_options, pairs_as_asked
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
    *PAIR_OPTIONS,
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
        help="Show no samples during the training on a terminal.",
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
    model: Values,
    training: Values,
    pairs: Values,
    request: Values,
    hardware: Values,
    output: Values,
) -> ExitCode:
    """Train a model on a text, or on pairs of a source and a target. No option is needed.

    Writes checkpoints/NAME/best.safetensors, last.safetensors and metrics.jsonl. Ctrl-C saves
    everything; --resume continues from there. For several processes or machines:
    torchrun --nproc-per-node N -m charrnn_cli train TEXT
    """
    started = time.monotonic()
    use_one_thread()  # for the evaluations of pairs; PyTorch has its own
    check_pair_options(pairs)
    text = request["source"]
    alone = os.environ.get("WORLD_SIZE", "") in ("", "1")
    for source in (text, *(pairs["val_sources"] or ())):
        if source is not None and alone:  # of several processes one reads the text for all
            check_place(source)
    with default_interrupt():
        from charrnn_cli.training.request import PairsRequest, Request
        from charrnn_cli.training.train_report import run_training  # these import torch

    settings = model | training | {"precision": hardware.pop("precision")}
    given = {name: value for name, value in settings.items() if value is not None}
    preview = not output.pop("no_preview")
    asked = Request(
        given=given,
        started=started,
        pairs=PairsRequest(**pairs_as_asked(pairs)) if pairs["pairs"] else None,
        **request,
        **hardware,
    )
    return run_training(asked, preview=preview, **output)
