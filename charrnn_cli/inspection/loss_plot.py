"""A run's losses and learning rate as a picture."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from charrnn_cli.errors import UsageError
from charrnn_cli.formatting import bits_per_char
from charrnn_cli.terminal.text_image import check_picture, drawable, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

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
    _draw_baselines(axes, facts["marks"] or {})
    axes.set_ylabel("loss, nats per character")
    axes.legend(loc="upper right", facecolor="white", framealpha=1, edgecolor="none")
    axes.secondary_yaxis("right", functions=(_bits, _nats)).set_ylabel("bits per character")


def _draw_baselines(axes: "Axes", baselines: Mapping[str, float]) -> None:
    """Draw the losses of the baselines as horizontal lines, each with its name at the left."""
    for name, key in (("uniform", "uniform"), ("unigram", "unigram"), ("5-gram", "five_gram")):
        if key in baselines:
            axes.axhline(
                baselines[key], color=BASELINE, linewidth=1, linestyle=":", label=f"_{name}"
            )
            axes.annotate(
                f"{name} {baselines[key]:.3f}",
                (0.01, baselines[key]),
                xycoords=("axes fraction", "data"),
                xytext=(0, 2),
                textcoords="offset points",
                fontsize=8,
                color=BASELINE,
            )


def _bits(nats: Any) -> Any:
    return bits_per_char(nats)


def _nats(bits: Any) -> Any:
    return bits / bits_per_char(1.0)
