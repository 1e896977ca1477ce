"""Drawings made of characters: a model, its loss curve, its loss beside simple marks.

Each takes the columns there are and whether the stream can show more than ASCII, and gives lines.
"""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from charrnn_cli.formatting import bits_per_char

UNICODE = {
    "arrow": "→", "down": "│", "axis": "│", "corner": "└", "floor": "─",
    "train": "·", "held_out": "●", "best": "◆", "bar": "█", "eighths": " ▏▎▍▌▋▊▉",
}  # fmt: skip
ASCII = {
    "arrow": "->", "down": "|", "axis": "|", "corner": "+", "floor": "-",
    "train": ".", "held_out": "o", "best": "@", "bar": "#", "eighths": " ",
}  # fmt: skip
CHARACTERS = "".join(UNICODE.values())  # what a stream must be able to show for UNICODE

UNBROKEN = "\u00a0"  # a blank at which no line is broken
CURVE_ROWS = 8
CURVE_COLUMNS = 64  # at most: wider, it would only be flatter
DIAGRAM_COLUMNS = 60
BAR_COLUMNS = 40


def draw_model(
    parts: Sequence[Mapping[str, Any]], dropout: float, width: int, signs: Mapping[str, str]
) -> list[str]:
    """A model from its input to its output: sizes, tensors and parameters of each part.

    `parts` are those of `inspection.inspect`; layers alike but for their number become one.
    """
    arrow, down = signs["arrow"], signs["down"]
    columns = min(width, DIAGRAM_COLUMNS)
    lines = [_ends("character, one-hot", f"{parts[0]['inputs']:,}", columns)]
    for group in _alike(parts):
        between = f" dropout {dropout:g}" if dropout and group[0] is not parts[0] else ""
        lines.append(f"  {down}{between}")
        first, last = group[0], group[-1]
        several = "" if first is last else f" to {last['name'].split()[-1]}, each"
        sizes = f"{first['inputs']:,} {arrow} {first['outputs']:,}"
        parameters = f"{first['parameters']:,}"
        lines.append(_ends(first["name"] + several, f"{sizes}  {parameters:>10}", columns))
        tensors = " ".join(
            f"{tensor} {' x '.join(map(str, shape))},".replace(" ", UNBROKEN)
            for tensor, shape in first["tensors"].items()
        )
        prefix = f"  {down}   "
        wrapped = textwrap.wrap(
            tensors[:-1], columns, initial_indent=prefix, subsequent_indent=prefix
        )
        lines += [line.replace(UNBROKEN, " ") for line in wrapped]
    lines += [f"  {down}", _ends("softmax, next character", f"{parts[-1]['outputs']:,}", columns)]
    return lines


def _alike(parts: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Neighbours that have the same tensors, together."""
    groups: list[list[Mapping[str, Any]]] = []
    for part in parts:
        if groups and groups[-1][0]["tensors"] == part["tensors"]:
            groups[-1].append(part)
        else:
            groups.append([part])
    return groups


def _ends(left: str, right: str, columns: int) -> str:
    return f"{left}{right:>{max(len(right) + 2, columns - len(left))}}"


def draw_curve(
    history: Sequence[Mapping[str, float]],
    best_step: int | None,
    width: int,
    signs: Mapping[str, str],
) -> list[str]:
    """The losses over the steps, the best held-out one marked; nothing of fewer than two
    evaluations."""
    if len(history) < 2:
        return []
    steps, train, held_out = (
        np.array([record[name] for record in history])
        for name in ("step", "train_loss", "val_loss")
    )
    top, bottom = max(train.max(), held_out.max()), min(train.min(), held_out.min())
    labels = [f"{value:.3f}" for value in np.linspace(top, bottom, CURVE_ROWS)]
    margin = max(map(len, labels))
    columns = max(8, min(width - margin - 2, CURVE_COLUMNS))
    grid = [[" "] * columns for _ in range(CURVE_ROWS)]
    at = np.linspace(steps[0], steps[-1], columns)

    def put(column: int, loss: float, sign: str) -> None:
        row = round((top - loss) / max(top - bottom, 1e-9) * (CURVE_ROWS - 1))
        grid[row][column] = sign

    for losses, sign in ((train, signs["train"]), (held_out, signs["held_out"])):
        for column, loss in enumerate(np.interp(at, steps, losses)):
            put(column, float(loss), sign)
    best = next((record for record in history if record["step"] == best_step), None)
    if best is not None:
        column = round((best["step"] - steps[0]) / (steps[-1] - steps[0]) * (columns - 1))
        put(column, best["val_loss"], signs["best"])
    lines = [
        f"{label:>{margin}} {signs['axis']}{''.join(row)}".rstrip()
        for label, row in zip(labels, grid, strict=True)
    ]
    first, last = f"{steps[0]:,.0f}", f"{steps[-1]:,.0f} steps"
    lines += [
        f"{'':{margin}} {signs['corner']}{signs['floor'] * columns}",
        f"{'':{margin}}  {first}{last:>{columns - len(first)}}",
    ]
    legend = [f"{signs['held_out']} held-out", f"{signs['train']} training"]
    if best is not None:
        legend.append(f"{signs['best']} best {best['val_loss']:.4f} at step {best_step:,}")
    legend.append(f"last {held_out[-1]:.4f}")
    return lines + textwrap.wrap("   ".join(legend), max(width, 20))


def draw_marks(
    losses: Sequence[tuple[str, float]], width: int, signs: Mapping[str, str]
) -> list[str]:
    """Losses in nats, by name, each as a bar: the shorter, the better."""
    names = max(len(name) for name, _ in losses)
    lines = [f"{'':{names}}  {'nats':>7}  {'bits/char':>9}"]
    room = min(width - len(lines[0]) - 2, BAR_COLUMNS)
    most = max(loss for _, loss in losses)
    for name, loss in losses:
        bar = _bar(loss / most * room, signs) if room >= 5 else ""
        lines.append(f"{name:{names}}  {loss:7.3f}  {bits_per_char(loss):9.3f}  {bar}".rstrip())
    return lines


def _bar(length: float, signs: Mapping[str, str]) -> str:
    eighths = signs["eighths"]
    whole, part = divmod(round(length * len(eighths)), len(eighths))
    return signs["bar"] * whole + eighths[part]
