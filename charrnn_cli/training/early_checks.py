"""What of a request can be refused before PyTorch is imported, which takes seconds."""

import os
from collections.abc import Sequence

from charrnn_cli.checkpoints.finding import find_checkpoint, find_run
from charrnn_cli.checkpoints.naming import check_free
from charrnn_cli.checkpoints.runs import Run
from charrnn_cli.errors import CheckpointError, TextError, UsageError
from charrnn_cli.models.registry import DEFAULT, DEFAULT_FOR_PAIRS, check_sizes, family_of
from charrnn_cli.settings.table import check
from charrnn_cli.training.distributed.elastic import launched
from charrnn_cli.training.request import Request

CHANGEABLE = frozenset({"epochs", "minutes", "patience"})  # settings that a resume may change


def check_request(request: Request) -> None:
    """Raise UsageError for wishes that exclude each other or lie outside their limits, and
    TextError for pairs in several files. Opens no file."""
    if request.resume is not None and request.init_from is not None:
        raise UsageError("--resume and --init-from exclude each other: use one of them.")
    for name in ("from_best", "changed_text"):
        if getattr(request, name) and request.resume is None:
            raise UsageError(f"--{name.replace('_', '-')} is for --resume. Leave it out.")
    if request.threads is not None:
        check("threads", request.threads)
    check("save_every", request.save_every)
    if request.resume is None:
        _check_new(request)
    else:
        _check_resumed(request)


def check_runs(request: Request) -> None:
    """Raise CheckpointError if the run or model to start from is missing, and UsageError if the
    name of a new run is taken. Changes nothing, and reads no checkpoint.

    Nothing is checked under PyTorch's launcher, which may restart a run under its own name.
    """
    if launched():
        return
    if request.resume is not None:
        resumable = not request.from_best
        run = find_run(request.resume or None, request.checkpoints, resumable=resumable)
        if resumable:
            check_state(run)
    elif request.init_from is not None:
        find_checkpoint(request.init_from, request.checkpoints)
    if request.name is not None:
        check_free(request.checkpoints, request.name)


def check_state(run: Run) -> None:
    """Raise CheckpointError, naming the ways on, if a run has no state to go on with."""
    if not run.last.is_file():
        raise CheckpointError(
            f"run {run.name} holds a model but no training to go on with. Go on from its weights: "
            f"{from_best_command(run)}; or start a new run from them: charrnn train TEXT "
            f"--init-from {run.name}"
        )


def from_best_command(run: Run) -> str:
    """The command that goes on with a run from its best checkpoint."""
    return f"charrnn train TEXT --resume {run.name} --from-best"


def one_file(sources: Sequence[str]) -> str:
    """The file of pairs. Raises TextError unless there is just one."""
    if len(sources) > 1 or os.path.isdir(sources[0]):
        raise TextError(f"{sources[0]}: pairs are read from one file. Join them into one.")
    return sources[0]


def _check_new(request: Request) -> None:
    if not request.sources:
        raise UsageError("name the text to train on: charrnn train TEXT (or - for stdin).")
    given, pairs = request.given, request.pairs
    model = given.get("model")
    if model is not None:
        _check_kind(model, pairs is not None)
    if request.init_from is None:  # else the kind and sizes are those of that model
        default = DEFAULT if pairs is None else DEFAULT_FOR_PAIRS
        check_sizes(model or default, given)
    if "val_fraction" in given:
        check("val_fraction", given["val_fraction"])
        if request.val_sources:
            raise UsageError(
                "--val-fraction: with --val-text nothing else is held out. Leave one of them out."
            )
    if pairs is None:
        return
    if "val_fraction" in given and pairs.val_source is not None:
        raise UsageError("--val-fraction and --val-text exclude each other: use one of them.")
    for name in ("lines", "normalize"):
        if name in given:
            raise UsageError(f"--{name}: is for texts, not for pairs. Leave it out.")
    one_file(request.sources)


def _check_kind(model: str, pairs: bool) -> None:
    """Raise UsageError for a model that does not learn from what is given, pairs or a text."""
    of_pairs = family_of(model).pairs
    if of_pairs and not pairs:
        raise UsageError(
            f"--model {model}: learns from pairs, a source and a target a line. Add --pairs."
        )
    if pairs and not of_pairs:
        raise UsageError(
            f"--model {model}: does not learn from pairs. Leave out --pairs, or take attention, "
            "seq2seq or transformer."
        )


def _check_resumed(request: Request) -> None:
    """Raise UsageError if a request changes what a resumed run keeps."""
    fixed = sorted(set(request.given) - CHANGEABLE)
    if fixed or request.name is not None:
        option = "--" + (fixed[0] if fixed else "name").replace("_", "-")
        raise UsageError(
            f"{option}: a resumed run keeps its settings; only --epochs, --minutes and --patience "
            f"can change. Leave {option} out."
        )
