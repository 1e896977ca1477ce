"""`charrnn runs`: lists, compares, renames and deletes runs; parses, calls the core, prints."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

from charrnn_cli.commands.options import Values, takes
from charrnn_cli.environment import environment
from charrnn_cli.errors import CheckpointError, UsageError
from charrnn_cli.formatting import did_you_mean
from charrnn_cli.settings.setting import Setting
from charrnn_cli.settings.table import SETTINGS
from charrnn_cli.terminal.console import (
    ask,
    print_columns,
    print_drawing,
    print_json,
    say_wrapped,
    text_width,
)
from charrnn_cli.terminal.thread_limit import import_numpy

EXAMPLE = "Example: charrnn runs rename sonnets shakespeare"
OPTIONS = (
    Setting(
        name="action",
        type=str,
        argument=True,
        help="list, compare, rename or delete [list].",
    ),
    Setting(
        name="runs",
        type=str,
        metavar="[RUN]...",
        argument=True,
        several=True,
        completes="run",
        help="Names of runs: those to compare [all] or to delete; to rename, the old name and the "
        "new one.",
    ),
    Setting(name="sort", type=str, help="Order of the list: time, loss or name [time]."),
    Setting(
        name="plot",
        type=Path,
        help="Draw the curves of compare into this file: .png, .svg or .pdf.",
    ),
    Setting(name="yes", type=bool, default=False, flags=("-y",), help="Delete without asking."),
    Setting(
        name="json",
        type=bool,
        default=False,
        stored_as="as_json",
        help="The list or the comparison as one JSON object on stdout.",
    ),
    SETTINGS["checkpoints"],
)
# The action for which each option is, with the option as it is typed.
ONLY_FOR = {
    "sort": ("--sort", ("list",)),
    "plot": ("--plot", ("compare",)),
    "yes": ("--yes", ("delete",)),
    "as_json": ("--json", ("list", "compare")),
}


@takes(*OPTIONS)
def runs(request: Values) -> None:
    """List runs, compare their loss curves, rename or delete them.

    \b
    charrnn runs                  the list
    charrnn runs compare RUN RUN  their curves in one drawing
    charrnn runs rename OLD NEW
    charrnn runs delete RUN
    """  # noqa: D301
    asked = SimpleNamespace(**request)
    asked.runs = list(asked.runs or ())
    action = asked.action or "list"
    if action not in ACTIONS:
        hint = did_you_mean(action, ACTIONS, OTHER_ACTIONS) or f"There are: {', '.join(ACTIONS)}."
        raise UsageError(f"charrnn runs: no action {action!r}. {hint}")
    for name, (option, actions) in ONLY_FOR.items():
        if getattr(asked, name) and action not in actions:
            raise UsageError(f"{option} is for charrnn runs {actions[0]}: leave it out.")
    import_numpy()
    ACTIONS[action](asked)


def show_list(asked: SimpleNamespace) -> None:
    """List the runs of a folder, as a table or as one JSON object."""
    from charrnn_cli.checkpoints.runs import HOW_TO_TRAIN
    from charrnn_cli.inspection.runs_table import DISPENSABLE, HEADINGS, list_facts, listing_rows

    if asked.runs:
        raise UsageError(f"charrnn runs list: lists all. One run: charrnn info {asked.runs[0]}")
    found = list_facts(asked.checkpoints, asked.sort or "time")
    if asked.as_json:
        print_json({"checkpoints": str(asked.checkpoints), "runs": found})
        return
    if not found:
        say_wrapped(f"no checkpoint in {asked.checkpoints} yet. {HOW_TO_TRAIN}")
        return
    print_columns(HEADINGS, listing_rows(found), DISPENSABLE)
    for facts in found:
        if facts["error"]:
            say_wrapped(facts["error"])


def compare(asked: SimpleNamespace) -> None:
    """Show the loss curves of several runs in one drawing, and their best losses."""
    from charrnn_cli.checkpoints.finding import find_named
    from charrnn_cli.checkpoints.runs import list_runs
    from charrnn_cli.inspection.comparison import (
        DISPENSABLE,
        HEADINGS,
        comparison_notes,
        comparison_rows,
        curve_facts,
        curves_of,
        readable_facts,
    )
    from charrnn_cli.terminal.ascii_plots import ASCII, CHARACTERS, UNICODE
    from charrnn_cli.terminal.curves import MAX_CURVES, draw_in_characters, draw_picture
    from charrnn_cli.terminal.text_image import check_picture

    if asked.plot is not None:
        check_picture(asked.plot)
    chosen = [find_named(name, asked.checkpoints) for name in dict.fromkeys(asked.runs)]
    facts = [curve_facts(run) for run in chosen] or readable_facts(list_runs(asked.checkpoints))
    curves = curves_of(facts)
    if not curves:
        raise CheckpointError(
            f"no run in {asked.checkpoints} with an evaluation to compare. "
            "Train one: charrnn train TEXT"
        )
    notes = comparison_notes(facts)
    if asked.plot is not None:
        draw_picture(asked.plot, curves, "epochs", "held-out loss, nats per character")
    if asked.as_json:
        print_json({"checkpoints": str(asked.checkpoints), "runs": facts})
    else:
        print_columns(HEADINGS, comparison_rows(facts), DISPENSABLE)
        lines = [curve for curve in curves if len(curve.x) > 1]
        if len(lines) > MAX_CURVES:
            notes.append(f"the drawing shows the first {MAX_CURVES} of {len(lines)} curves")
        if lines:
            signs = UNICODE if environment().stdout.can_show(CHARACTERS) else ASCII
            drawn = draw_in_characters(lines[:MAX_CURVES], "epochs", text_width(), signs)
            print_drawing("Held-out loss, nats per character", drawn)
    for note in notes:
        say_wrapped(f"Note: {note}.")


def rename(asked: SimpleNamespace) -> None:
    """Give a run another name."""
    from charrnn_cli.checkpoints.finding import find_named
    from charrnn_cli.checkpoints.naming import rename_run

    if len(asked.runs) != 2:
        raise UsageError("charrnn runs rename: give two names: charrnn runs rename OLD NEW")
    old, new = asked.runs
    renamed = rename_run(find_named(old, asked.checkpoints), new)
    say_wrapped(f"{old} is now {renamed.name}: {renamed.folder}")


def delete(asked: SimpleNamespace) -> None:
    """Delete runs, after asking for each unless that is not wanted."""
    from charrnn_cli.checkpoints.finding import find_named
    from charrnn_cli.checkpoints.removing import delete_run, files_of

    if not asked.runs:
        raise UsageError("charrnn runs delete: name the runs: charrnn runs delete RUN")
    chosen = [find_named(name, asked.checkpoints) for name in dict.fromkeys(asked.runs)]
    stdin = environment().stdin
    if not asked.yes and (stdin is None or not stdin.isatty()):
        raise UsageError(
            "charrnn runs delete: asks before it deletes, and nobody can answer here. Add --yes."
        )
    for run in chosen:
        size = sum(path.stat().st_size for path in files_of(run) if path.exists())
        if not asked.yes and not ask(f"Delete {run.folder} ({size / 1e6:.1f} MB)?"):
            say_wrapped(f"{run.name} is kept.")
            continue
        left = delete_run(run)
        if left:
            say_wrapped(
                f"{run.name} is deleted. Its folder stays with files that charrnn did not write: "
                f"{', '.join(left[:5])}{', ...' if len(left) > 5 else ''}"
            )
        else:
            say_wrapped(f"{run.name} is deleted.")


ACTIONS: dict[str, Callable[[SimpleNamespace], None]] = {
    "list": show_list,
    "compare": compare,
    "rename": rename,
    "delete": delete,
}
OTHER_ACTIONS = {
    "ls": "list", "show": "charrnn info", "mv": "rename", "move": "rename", "rm": "delete",
    "remove": "delete", "plot": "compare", "diff": "compare", "train": "charrnn train",
}  # fmt: skip
