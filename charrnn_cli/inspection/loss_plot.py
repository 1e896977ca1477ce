"""A run's losses and learning rate as a picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from charrnn_cli.errors import UsageError
from charrnn_cli.formatting import bits_per_char
from charrnn_cli.terminal.fonts import drawable
from charrnn_cli.terminal.text_image import check_picture, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME_WIDTH, NAME_HEIGHT = 0.14, 0.05  # of a baseline's name, as shares of the axes' sizes
NAME_PLACES = (0.01, 0.2, 0.4, 0.6, 0.8)  # where such a name may begin, as shares of the width
# colour-blind readers can distinguish blue and orange (Okabe and Ito 2008); line styles differ too
TRAIN, HELD_OUT, BASELINE = "#e69f00", "#0072b2", "#707070"


def draw_curves(path: Path, facts: Mapping[str, Any]) -> None:
    """Draw the history in `facts`, which `facts.inspect` returns, into a PNG, SVG or PDF file.

    Raises UsageError if matplotlib is missing, the file's name has another ending or there is no
    evaluation yet; WriteError if the file cannot be written.
    """
    check_picture(path)
    if not facts["history"]:
        raise UsageError(
            f"--plot: {facts['file']} has no evaluation yet, so there is nothing to draw. "
            "Go on training: --resume"
        )
    save_figure(curves(facts), path)


def curves(facts: Mapping[str, Any]) -> "Figure":
    """The figure: losses above, learning rate below, over the same steps."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 6), layout="constrained")
    losses, rates = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    _draw_losses(losses, facts)
    history = facts["history"]
    measured = [record for record in history if "learning_rate" in record]
    rates.plot(
        [record["step"] for record in measured],
        [record["learning_rate"] for record in measured],
        color="black",
        linewidth=1.2,
        marker="." if len(history) == 1 else None,
    )
    rates.set_ylim(bottom=0)
    rates.set_ylabel("learning rate")
    rates.set_xlabel("step")
    for axes in (losses, rates):
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    losses.set_title(drawable(_title(facts)), fontsize=11, loc="left", parse_math=False)
    figure.legend(loc="outside lower center", ncols=3, frameon=False)  # it covers nothing there
    return figure


def _title(facts: Mapping[str, Any]) -> str:
    path = Path(facts["file"])
    return (
        f"{path.parent.name or path.resolve().parent.name}: {facts['model']} "
        f"{facts['num_layers']} x {facts['hidden_size']}, {facts['parameters']:,} parameters, "
        f"text {facts['corpus']['name']}"
    )


def _draw_losses(axes: "Axes", facts: Mapping[str, Any]) -> None:
    history = facts["history"]
    steps = [record["step"] for record in history]
    point = "." if len(history) == 1 else None  # one point makes no line
    for name, key, colour, style in (
        ("training", "train_loss", TRAIN, "--"),
        ("held-out", "val_loss", HELD_OUT, "-"),
    ):
        losses = [record[key] for record in history]
        axes.plot(steps, losses, style, color=colour, label=name, linewidth=1.6, marker=point)
    best = facts["best_val_loss"]
    if best is not None:
        axes.plot(
            [facts["best_step"]],
            [best],
            "D",
            color=HELD_OUT,
            markeredgecolor="white",
            markersize=8,
            label=f"best {best:.3f} ({bits_per_char(best):.3f} bits/char)",
        )
    axes.margins(x=0.02)
    _draw_baselines(axes, facts)
    axes.set_ylabel("loss, nats per character")
    axes.secondary_yaxis("right", functions=(_bits, _nats)).set_ylabel("bits per character")


def _draw_baselines(axes: "Axes", facts: Mapping[str, Any]) -> None:
    """Draw the losses of the baselines as horizontal lines, each with its name where neither a
    curve nor another name is, if there is such a place."""
    baselines = facts["marks"] or {}
    names = {"uniform": "uniform", "unigram": "unigram", "5-gram": "five_gram"}
    known = {name: baselines[key] for name, key in names.items() if key in baselines}
    for name, loss in known.items():
        axes.axhline(loss, color=BASELINE, linewidth=1, linestyle=":", label=f"_{name}")
    axes.set_ylim(axes.get_ylim())  # the names are placed within these
    taken: list[tuple[float, float]] = []
    for name, loss in known.items():
        left, below = _free_place(axes, facts, loss, list(known.values()), taken)
        taken.append((left, _height(axes, loss) - below * NAME_HEIGHT))
        axes.annotate(
            f"{name} {loss:.3f}",
            (left, loss),
            xycoords=("axes fraction", "data"),
            xytext=(0, -3 if below else 2),
            textcoords="offset points",
            verticalalignment="top" if below else "bottom",
            fontsize=8,
            color=BASELINE,
        )


def _free_place(
    axes: "Axes",
    facts: Mapping[str, Any],
    loss: float,
    lines: Sequence[float],
    taken: Sequence[tuple[float, float]],
) -> tuple[float, bool]:
    """Where a baseline's name meets no curve, line or other name: its left end as a share of the
    axes' width, and whether it stands below its line. At the left if there is no such place."""
    import numpy as np

    history = facts["history"]
    steps = [record["step"] for record in history]
    start, end = axes.get_xlim()
    curves = [[record[key] for record in history] for key in ("train_loss", "val_loss")]
    for left in NAME_PLACES:
        at = np.linspace(start, end, 500)
        at = at[(at >= start + (left - 0.01) * (end - start))]
        at = at[at <= start + (left + NAME_WIDTH) * (end - start)]
        heights = [_height(axes, y) for curve in curves for y in np.interp(at, steps, curve)]
        heights += [_height(axes, line) for line in lines if line != loss]
        for below in (False, True):
            bottom = _height(axes, loss) - below * NAME_HEIGHT
            is_free = all(not bottom - 0.01 < h < bottom + NAME_HEIGHT + 0.01 for h in heights)
            is_free &= all(
                abs(left - x) > NAME_WIDTH or abs(bottom - y) > NAME_HEIGHT for x, y in taken
            )
            if is_free and 0 <= bottom <= 1 - NAME_HEIGHT:
                return left, below
    return NAME_PLACES[0], False


def _height(axes: "Axes", loss: float) -> float:
    """Where a loss is, as a share of the axes' height."""
    low, high = axes.get_ylim()
    return float((loss - low) / (high - low))


def _bits(nats: Any) -> Any:
    return bits_per_char(nats)


def _nats(bits: Any) -> Any:
    return bits / bits_per_char(1.0)
