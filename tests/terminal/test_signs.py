"""Every symbol in a form that can be seen."""

import pytest

from charrnn_cli.terminal.signs import ASCII, sign_of


@pytest.mark.parametrize(
    ("symbol", "label"),
    [("a", "a"), (" ", "␣"), ("\t", "→"), ("\n", "↵"), ("\x1b", "\\x1b"), ("\u0301", "◌\u0301"),
     ("PL", "PL"), ("", "¶")],
)  # fmt: skip
def test_every_symbol_has_a_sign_that_can_be_seen(symbol, label):
    assert sign_of(symbol) == label


def test_there_are_signs_in_ascii():
    assert "".join(sign_of(symbol, ASCII) for symbol in ("\n", "\t", " ", "")) == "$>_$"
