"""`charrnn train`: parses its options, calls the core."""

import os
import time
from collections.abc import Iterable
from dataclasses import replace

from charrnn_cli.checkpoints.shipped import example_text
from charrnn_cli.commands.options import Values, takes
from charrnn_cli.commands.pair_options import PAIR_OPTIONS, check_pair_options, pairs_as_asked
from charrnn_cli.errors import ExitCode, UsageError
from charrnn_cli.models.registry import ARCHITECTURES
from charrnn_cli.settings.setting import Setting
from charrnn_cli.settings.table import SETTINGS, settings_of
from charrnn_cli.terminal.console import say_on_terminal
from charrnn_cli.terminal.signals import default_interrupt
from charrnn_cli.terminal.thread_limit import check_threads, import_numpy
from charrnn_cli.text.sources import Sources, check_sources

EXAMPLE = "Example: charrnn train poems.txt --minutes 3 --model lstm"
# --help lists what most people need first. A setting that is in no panel here goes to that of its
# group.
PANELS = {
    "The text": (
        "example", "glob", "lines", "val_text", "val_fraction", "min_count", "normalize",
    ),
    "Pairs": ("pairs", "best_by", "max_length"),
    "How long": ("epochs", "minutes", "patience"),
    "The run": (
        "name", "checkpoints", "resume", "init_from", "from_best", "changed_text", "save_every",
    ),
}  # fmt: skip
GROUP_PANELS = {
    "model": "The model", "pairs": "Pairs", "request": "The run",
    "training": "Settings of the training", "hardware": "The machine", "output": "Output",
}  # fmt: skip
ORDER = (
    "The text", "How long", "The model", "The run", "Pairs", "Output", "Settings of the training",
    "The machine",
)  # fmt: skip


def in_panels(settings: Iterable[Setting]) -> tuple[Setting, ...]:
    """The settings, each with its panel, in the order of the panels; arguments come first."""
    chosen = {name: panel for panel, names in PANELS.items() for name in names}
    placed = [
        replace(s, panel=chosen.get(s.name, GROUP_PANELS.get(s.group, "The run"))) for s in settings
    ]
    return tuple(sorted(placed, key=lambda s: -1 if s.argument else ORDER.index(s.panel)))


_ROWS = (
    Setting(
        name="text",
        type=str,
        argument=True,
        several=True,
        stored_as="sources",
        help="UTF-8 text files, folders of them, or - for stdin.",
    ),
    Setting(
        name="glob",
        type=str,
        metavar="PATTERN",
        help="Of folders, read only files with such names, as '*.md' [all text files].",
    ),
    Setting(
        name="example",
        type=str,
        metavar="NAME",
        group="example",
        help="Train on a text that comes with charrnn: sonnets.",
    ),
    *settings_of("model", model=ARCHITECTURES),
    *settings_of("training"),
    *PAIR_OPTIONS,
    Setting(
        name="val_text",
        type=str,
        several=True,
        stored_as="val_sources",
        metavar="FILE",
        help="Measure the held-out loss on this text, and train on all of TEXT. May be repeated.",
    ),
    Setting(name="name", type=str, help="The run's name [that of the text]."),
    SETTINGS["checkpoints"],
    Setting(
        name="resume",
        type=str,
        metavar="[RUN]",
        bare="text",
        completes="run",
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
        completes="run",
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
        name="verbose",
        type=bool,
        default=False,
        group="output",
        flags=("-v",),
        help="Show every setting of the plan.",
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
OPTIONS = in_panels(_ROWS)


@takes(*OPTIONS)
def train(
    model: Values,
    training: Values,
    pairs: Values,
    request: Values,
    hardware: Values,
    output: Values,
    example: Values,
) -> ExitCode:
    """Train a model on a text, or on pairs of a source and a target. No option is needed: the size
    of the text and the time allowed choose a plan, which sets all that is marked [by the plan].

    Writes checkpoints/NAME/best.safetensors, last.safetensors, middle.safetensors and
    metrics.jsonl. Ctrl-C saves everything; --resume continues from there. With many more epochs or
    minutes it continues from the middle of a run, where its learning rate was still high.

    \b
    For several processes or machines:
    torchrun --nproc-per-node N -m charrnn_cli train TEXT
    """  # noqa: D301
    started = time.monotonic()
    check_pair_options(pairs)
    for name in ("sources", "val_sources"):
        request[name] = tuple(request[name] or ())
    if example["example"] is not None:
        if request["sources"]:
            raise UsageError("--example stands for a text: leave TEXT out.")
        request["sources"] = (example_text(example["example"]),)
    if pairs["pairs"] and len(request["val_sources"]) > 1:
        raise UsageError("--val-text: give one file of held-out pairs.")
    alone = os.environ.get("WORLD_SIZE", "") in ("", "1")
    if alone:  # of several processes one reads for all
        check_sources(Sources(request["sources"] + request["val_sources"], request["glob"]))
    import_numpy(one_thread=True)  # for the evaluations of pairs
    check_threads()
    from charrnn_cli.training.early_checks import check_request, check_runs
    from charrnn_cli.training.request import PairsRequest, Request
    from charrnn_cli.training.tensorboard import check_tensorboard

    settings = model | training | {"precision": hardware.pop("precision")}
    given = {name: value for name, value in settings.items() if value is not None}
    preview = not output.pop("no_preview")
    of_pairs = None
    if pairs["pairs"]:
        val_source = next(iter(request.pop("val_sources")), None)
        of_pairs = PairsRequest(val_source=val_source, **pairs_as_asked(pairs))
    asked = Request(
        given=given,
        started=started,
        pairs=of_pairs,
        **request,
        **hardware,
    )
    if alone:  # several processes check it together, and one of them reports it
        check_request(asked)
        check_runs(asked)
        if output["tensorboard"]:
            check_tensorboard()
    if alone and not output["quiet"]:
        say_on_terminal("Starting: PyTorch is loaded, the text read, the speed measured.")
    with default_interrupt():
        from charrnn_cli.training.train_report import run_training  # imports torch

    return run_training(asked, preview=preview, **output)
