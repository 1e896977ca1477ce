"""Characters in a form that can be seen, as labels of heat maps and in lines about a text."""

from typing import NamedTuple

from rich.cells import cell_len

from charrnn_cli.environment import environment
from charrnn_cli.terminal.console import visible
from charrnn_cli.terminal.heatmap import DOTTED_CIRCLE


class Signs(NamedTuple):
    """What stands for the characters that would not be seen, and for the end of a target."""

    newline: str
    tab: str
    space: str
    end: str


UNICODE, ASCII = Signs("↵", "→", "␣", "¶"), Signs("$", ">", "_", "$")


def signs_of_stdout() -> Signs:
    """The signs that stdout can show."""
    return UNICODE if environment().stdout.can_show("".join(UNICODE)) else ASCII


def sign_of(symbol: str, signs: Signs = UNICODE) -> str:
    """A character or another symbol in a form that can be seen, and that a terminal does not take
    for a command. The empty text stands for the end."""
    named = {"\n": signs.newline, "\t": signs.tab, " ": signs.space, "": signs.end}
    shown = named.get(symbol) or visible(symbol)
    return shown if cell_len(shown) else DOTTED_CIRCLE + shown
