"""Drawings made of characters: a model, its loss curve, its loss beside baselines.

Each function takes the width in columns and the signs to draw with, `UNICODE` or `ASCII`, and
returns lines.
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
CHARACTERS = "".join(UNICODE.values())  # a stream that can show these can show UNICODE

NO_BREAK_SPACE = "\u00a0"  # textwrap breaks no line here
CURVE_ROWS = 8  # height of the loss curve
CURVE_COLUMNS = 64  # largest width of the loss curve: a wider one would be too flat
DIAGRAM_COLUMNS = 60  # largest width of the drawing of a model
BAR_COLUMNS = 40  # length of the longest bar


def draw_model(
    parts: Sequence[Mapping[str, Any]],
    dropout: float,
    width: int,
    signs: Mapping[str, str],
    input_kind: str = "one-hot",
) -> list[str]:
    """A model from its input to its output: sizes, tensors and parameters of each part.

    `parts` are those of `inspection.facts.inspect`; equal layers are drawn once. `dropout` is that
    between the parts, `input_kind` how the first one reads a character.
    """
    arrow, down = signs["arrow"], signs["down"]
    columns = min(width, DIAGRAM_COLUMNS)
    lines = [_justified(f"character, {input_kind}", f"{parts[0]['inputs']:,}", columns)]
    for group in _equal_neighbours(parts):
        between = f" dropout {dropout:g}" if dropout and group[0] is not parts[0] else ""
        lines.append(f"  {down}{between}")
        first, last = group[0], group[-1]
        several = "" if first is last else f" to {last['name'].split()[-1]}, each"
        sizes = f"{first['inputs']:,} {arrow} {first['outputs']:,}"
        parameters = f"{first['parameters']:,}"
        lines.append(_justified(first["name"] + several, f"{sizes}  {parameters:>10}", columns))
        tensors = " ".join(
            f"{tensor} {' x '.join(map(str, shape))},".replace(" ", NO_BREAK_SPACE)
            for tensor, shape in first["tensors"].items()
        )
        prefix = f"  {down}   "
        wrapped = textwrap.wrap(
            tensors[:-1], columns, initial_indent=prefix, subsequent_indent=prefix
        )
        lines += [line.replace(NO_BREAK_SPACE, " ") for line in wrapped]
    lines += [
        f"  {down}",
        _justified("softmax, next character", f"{parts[-1]['outputs']:,}", columns),
    ]
    return lines


def _equal_neighbours(parts: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """The parts in groups of neighbours of one kind whose tensors have the same shapes. The name
    of a part is its kind and its number."""
    groups: list[list[Mapping[str, Any]]] = []
    for part in parts:
        kind = part["name"].rpartition(" ")[0], part["tensors"]
        before = groups[-1][0] if groups else None
        if before and (before["name"].rpartition(" ")[0], before["tensors"]) == kind:
            groups[-1].append(part)
        else:
            groups.append([part])
    return groups


def _justified(left: str, right: str, columns: int) -> str:
    return f"{left}{right:>{max(len(right) + 2, columns - len(left))}}"


def draw_curve(
    history: Sequence[Mapping[str, float]],
    best_step: int | None,
    width: int,
    signs: Mapping[str, str],
) -> list[str]:
    """The losses over the steps, with the best held-out loss marked; no lines for fewer than two
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


def draw_baselines(
    losses: Sequence[tuple[str, float]], width: int, signs: Mapping[str, str]
) -> list[str]:
    """Losses in nats per character by name, each with a bar: the shorter, the better."""
    names = max(len(name) for name, _ in losses)
    lines = [f"{'':{names}}  {'nats':>7}  {'bits/char':>9}"]
    room = min(width - len(lines[0]) - 2, BAR_COLUMNS)
    most = max(loss for _, loss in losses)
    for name, loss in losses:
        bar = _bar(loss / most * room, signs) if room >= 5 else ""
        lines.append(f"{name:{names}}  {loss:7.3f}  {bits_per_char(loss):9.3f}  {bar}".rstrip())
    return lines


def draw_shares(
    shares: Sequence[tuple[str, float]], width: int, signs: Mapping[str, str]
) -> list[str]:
    """Shares from 0 to 1 by name, each with a bar: the longer, the better."""
    names = max(len(name) for name, _ in shares)
    room = min(width - names - 10, BAR_COLUMNS)
    return [
        f"{name:{names}}  {share:6.1%}  {_bar(share * room, signs) if room >= 5 else ''}".rstrip()
        for name, share in shares
    ]


def _bar(length: float, signs: Mapping[str, str]) -> str:
    eighths = signs["eighths"]
    whole, part = divmod(round(length * len(eighths)), len(eighths))
    return signs["bar"] * whole + eighths[part]
