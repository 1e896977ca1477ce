"""`charrnn_cli.train`: a training in Python.

It goes through the same doors as the command and raises the errors of `charrnn_cli.errors`.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from charrnn_cli.api.arguments import (
    Source,
    columns,
    of_type,
    optional,
    path,
    paths,
    setting,
    settings,
    shown,
)
from charrnn_cli.checkpoints.shipped import example_text
from charrnn_cli.errors import UsageError
from charrnn_cli.models.registry import ARCHITECTURES
from charrnn_cli.settings.setting import Setting
from charrnn_cli.settings.table import BEST_BY, SAVE_EVERY, SETTINGS, BestBy, settings_of
from charrnn_cli.text.pair_format import make_format
from charrnn_cli.text.sources import Sources, check_sources

if TYPE_CHECKING:
    from charrnn_cli.training.events import Event


def train(
    text: Source | Sequence[Source] | None = None,
    *,
    glob: str | None = None,
    example: str | None = None,
    val_text: Source | Sequence[Source] | None = None,
    pairs: bool = False,
    source_columns: int | Sequence[int] | None = None,
    target_column: int | None = None,
    feature_columns: int | Sequence[int] | None = None,
    max_length: int | None = None,
    skip_bad_lines: bool = False,
    best_by: BestBy | None = None,
    name: str | None = None,
    checkpoints: Source = "checkpoints",
    resume: str | None = None,
    from_best: bool = False,
    changed_text: bool = False,
    init_from: Source | None = None,
    device: str = "auto",
    threads: int | None = None,
    save_every: float = SAVE_EVERY,
    **wishes: Any,
) -> "Iterator[Event]":
    """Train a model on a text, or on a file of `pairs`; yield `Stepped`, `Evaluated`, `Finished`.

    `text` is a file, a folder or several of them; `val_text` is held out instead of a part of it.
    `wishes` are the other options of `charrnn train` with underscores, such as `hidden_size`;
    what is left out is planned as the command plans it. Nothing is done until the first event is
    asked for. A loop that is left saves the run first: `resume` continues it.

    Raises UsageError for an argument that is unknown, makes no sense or is outside its limits;
    TextError for a text that cannot be read or is too short; CheckpointError for a `resume` or
    `init_from` that is missing, damaged or does not fit; WriteError if the run's folder cannot be
    written; RunInUseError while another process trains into it; DivergedError if a loss is no
    longer a number; MemoryLimitError if model and batch do not fit into memory.
    """
    given = _checked(wishes)
    if example is not None:
        if text is not None:
            raise UsageError("example: stands for a text: leave text out.")
        text = example_text(of_type("example", example, str))
    sources, val_sources = paths("text", text), paths("val_text", val_text)
    optional("glob", glob, str)
    check_sources(Sources(sources + val_sources, glob))
    reading = {
        "source_columns": columns("source_columns", source_columns),
        "target_column": optional("target_column", target_column, int),
        "feature_columns": columns("feature_columns", feature_columns),
        "max_length": optional("max_length", max_length, int),
    }
    pairs, skip_bad_lines = (
        of_type("pairs", pairs, bool),
        of_type("skip_bad_lines", skip_bad_lines, bool),
    )
    how = _of_pairs(pairs, reading, val_sources, skip_bad_lines, best_by)
    from charrnn_cli.training.early_checks import check_request, check_runs
    from charrnn_cli.training.request import PairsRequest, Request

    request = Request(
        sources=sources,
        val_sources=() if pairs else val_sources,
        glob=glob,
        pairs=None if how is None else PairsRequest(**how),
        given=given,
        checkpoints=Path(path("checkpoints", checkpoints)),
        started=time.monotonic(),
        name=optional("name", name, str),
        resume=optional("resume", resume, str),
        from_best=of_type("from_best", from_best, bool),
        changed_text=of_type("changed_text", changed_text, bool),
        init_from=None if init_from is None else path("init_from", init_from),
        device=of_type("device", device, str),
        **settings(threads=threads, save_every=save_every),
    )
    check_request(request)
    check_runs(request)
    from charrnn_cli.training.setup import open_training  # imports PyTorch

    with open_training(request) as training:
        left = False
        events = training.trainer.steps(lambda: left)
        try:
            for event in events:  # noqa: UP028 - `yield from` would close them when left
                yield event
        except (GeneratorExit, KeyboardInterrupt):
            left = True
            for _ in events:  # saves, and ends without another step
                pass
            raise


def _of_pairs(
    pairs: bool,
    reading: Mapping[str, Any],
    val_sources: tuple[str, ...],
    skip_bad_lines: bool,
    best_by: BestBy | None,
) -> dict[str, Any] | None:
    """The fields of a `PairsRequest`; None for a text. Raises UsageError."""
    if not pairs:
        wishes = {**reading, "skip_bad_lines": skip_bad_lines or None, "best_by": best_by}
        for name, wish in wishes.items():
            if wish is not None:
                raise UsageError(f"{name}: is for pairs. Add pairs=True.")
        return None
    if len(val_sources) > 1:
        raise UsageError("val_text: give one file of held-out pairs.")
    if best_by not in (None, *BEST_BY):
        raise UsageError(f"best_by {shown(best_by)}: must be one of {', '.join(BEST_BY)}.")
    return {
        "format": make_format(**reading),
        "val_source": next(iter(val_sources), None),
        "skip_bad_lines": skip_bad_lines,
        "best_by": best_by or BEST_BY[0],
    }


def _checked(wishes: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that were given, each of its setting's type. Raises UsageError for one that is
    unknown or has a value that is not allowed."""
    known = *settings_of("model", model=ARCHITECTURES), *settings_of("training")
    rows: dict[str, Setting] = {row.key: row for row in (*known, SETTINGS["precision"])}
    given = {}
    for key, value in wishes.items():
        if key not in rows:
            raise UsageError(f"{key}: is no setting of a training. There are {', '.join(rows)}.")
        if value is None or value == "auto":
            continue
        given[key] = setting(rows[key], value)
    return given
