"""`charrnn export`: parses its options, calls the core, says what was written."""

import os
from pathlib import Path

from charrnn_cli.commands.options import CHECKPOINT, Values, takes
from charrnn_cli.errors import UsageError, WriteError
from charrnn_cli.formatting import file_size
from charrnn_cli.settings.setting import Setting
from charrnn_cli.settings.table import SETTINGS
from charrnn_cli.terminal.thread_limit import import_numpy

EXAMPLE = "Example: charrnn export sonnets --html sonnets.html"

# Each is one form that a model can leave the tool in; its writer stands in `export/targets.py`.
TARGETS = (
    Setting(
        name="html",
        type=Path,
        group="targets",
        metavar="FILE",
        help="Write a page that runs the model in any browser, with no server and no network.",
    ),
    Setting(
        name="hf",
        type=Path,
        group="targets",
        metavar="DIR",
        help="Write a folder for Hugging Face's transformers, for gpt2 and llama.",
    ),
    Setting(
        name="onnx",
        type=Path,
        group="targets",
        metavar="FILE",
        help="Write an ONNX file, which runs in programs of many languages; of a model of pairs "
        "two, for its encoder and its decoder.",
    ),
)
OPTIONS = (
    CHECKPOINT,
    *TARGETS,
    Setting(
        name="units",
        type=Path,
        metavar="TEXT",
        help="With --html, for a recurrent model: name the hidden units on the page that follow "
        "what a person can name in this text.",
    ),
    Setting(
        name="example",
        type=str,
        metavar="TEXT",
        help="With --html: the text that the page shows first, one to read or a line to translate.",
    ),
    Setting(
        name="force",
        type=bool,
        default=False,
        help="Replace what is there already.",
    ),
    Setting(
        name="json",
        type=bool,
        default=False,
        stored_as="as_json",
        help="What was written, as one JSON object on stdout.",
    ),
    SETTINGS["checkpoints"],
)


@takes(*OPTIONS)
def export(request: Values, targets: Values) -> None:
    """Take a model elsewhere: write it in a form that needs no charrnn."""
    chosen = {name: path for name, path in targets.items() if path is not None}
    options = ", ".join(setting.option for setting in TARGETS)
    if not chosen:
        raise UsageError(f"nothing says what to write. Add one of: {options}.")
    if len(chosen) > 1:
        given = " and ".join(f"--{name}" for name in chosen)
        raise UsageError(f"{given} exclude each other: use one of them.")
    ((target, path),) = chosen.items()
    if str(path) == "-":
        raise UsageError(f"--{target} -: writes no stdout. Name a file.")
    for name in ("units", "example"):
        if request[name] is not None and target != "html":
            raise UsageError(f"--{name} belongs to --html: leave it out with --{target}.")
    import_numpy(one_thread=True)
    from charrnn_cli.checkpoints.checkpoint import load
    from charrnn_cli.checkpoints.finding import find_checkpoint
    from charrnn_cli.export.targets import WRITERS, Source, paths_of
    from charrnn_cli.terminal.console import print_json, say

    file = find_checkpoint(request["checkpoint"], request["checkpoints"])
    checkpoint = load(file)
    for one in paths_of(target, checkpoint, path):
        check_free(one, request["force"])
    source = Source(checkpoint, file, request["units"], request["example"])
    written = WRITERS[target](source, path)
    sizes = [one.stat().st_size for one in written]
    if request["as_json"]:
        print_json(
            {
                "file": str(file),
                "target": target,
                "model": checkpoint.model.architecture,
                "parameters": checkpoint.model.parameters,
                "written": [
                    {"file": str(one), "bytes": size}
                    for one, size in zip(written, sizes, strict=True)
                ],
            }
        )
        return
    for one, size in zip(written, sizes, strict=True):
        say(f"{one}: written ({file_size(size)})")


def check_free(path: Path, force: bool) -> None:
    """Raise WriteError if something is in the way that nobody asked to replace."""
    if force or not os.path.lexists(path):
        return
    try:
        if path.is_dir() and not any(path.iterdir()):
            return
    except OSError as error:
        raise WriteError(f"{path}: cannot be read ({error.strerror}).") from None
    raise WriteError(f"{path}: exists. Add --force to replace it, or choose another name.")
