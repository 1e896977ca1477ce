"""What meets a terminal: text that cannot command it, streams, JSON and tables."""

import contextlib
import io
import json
import unicodedata

import pytest
from factories import fuzz
from hypothesis import given
from hypothesis import strategies as st

from charrnn_cli.errors import WriteError
from charrnn_cli.terminal.console import TextOut, print_json, print_table, say, visible

ODD = "žluť 馬 🐎\n\t\x1b[31m\u202e\x9b"  # its last three are a terminal's commands


class Terminal(io.TextIOWrapper):
    """A stream that says it is a terminal, whatever its encoding."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="ascii")

    def isatty(self) -> bool:
        return True

    @property
    def shown(self) -> str:
        return self.buffer.getvalue().decode("utf-8")


# safe text


@pytest.mark.parametrize(
    ("character", "escape"),
    [
        ("\0", "\\x00"),
        ("\a", "\\x07"),
        ("\b", "\\x08"),
        ("\r", "\\r"),
        ("\x1b", "\\x1b"),
        ("\x7f", "\\x7f"),
        ("\x85", "\\x85"),
        ("\x9b", "\\x9b"),  # C1: starts a command without an escape character
        ("\u200b", "\\u200b"),
        ("\u202e", "\\u202e"),  # turns the direction of what follows
        ("\u2028", "\\u2028"),
        ("\u2066", "\\u2066"),
        ("\ufeff", "\\ufeff"),
        ("\U000e0041", "\\U000e0041"),
        ("\ud800", "\\ud800"),
        ("\udcff", "\\udcff"),
    ],
)
def test_what_could_command_a_terminal_becomes_an_escape(character, escape):
    assert visible(f"a{character}b") == f"a{escape}b"


@pytest.mark.parametrize("text", ["a\nb\tc", "é e\u0301 ß", "馬 ひ ع", "🐎", "[/b] \\x1b", ""])
def test_harmless_text_stays_as_it_is(text):
    assert visible(text) == text


@fuzz
@given(st.text(st.characters(codec=None)))
def test_nothing_visible_is_a_command_and_all_of_it_can_be_encoded(text):
    shown = visible(text)
    assert {unicodedata.category(c) for c in shown if c not in "\n\t\u200c\u200d"}.isdisjoint(
        {"Cc", "Cf"}
    )
    shown.encode("utf-8")


def test_a_message_is_one_safe_line_on_stderr(capsys):
    say("\x1b]0;title\x07 in poems.txt")
    assert capsys.readouterr() == ("", "\\x1b]0;title\\x07 in poems.txt\n")


# generated text


def test_a_file_gets_exact_utf8(tmp_path):
    path = tmp_path / "out.txt"
    with TextOut(path) as out:
        for character in ODD:
            out.write(character)
    assert path.read_bytes() == ODD.encode("utf-8")


def test_a_file_is_written_over(tmp_path):
    path = tmp_path / "out.txt"
    path.write_text("a long old content")
    with TextOut(path) as out:
        out.write("new")
    assert path.read_text() == "new"


def test_a_file_gets_exact_utf8_from_a_terminal_too(tmp_path):
    terminal = Terminal()
    with contextlib.redirect_stdout(terminal), TextOut(tmp_path / "out.txt") as out:
        out.write(ODD)
    assert terminal.shown == ""
    assert (tmp_path / "out.txt").read_bytes() == ODD.encode("utf-8")


def test_what_was_written_before_an_interruption_is_kept(tmp_path):
    path = tmp_path / "out.txt"
    with contextlib.suppress(KeyboardInterrupt), TextOut(path) as out:
        for _ in range(1000):
            out.write("so far ")
        raise KeyboardInterrupt
    assert path.read_text() == "so far " * 1000


def test_text_appears_as_it_is_made(tmp_path):
    path = tmp_path / "out.txt"
    with TextOut(path) as out:
        out.write("From")
        assert path.read_text() == "From"


@pytest.mark.parametrize("where", [".", "nowhere/out.txt"])
def test_a_file_that_cannot_be_made_is_named(tmp_path, where):
    with pytest.raises(WriteError, match="cannot be written") as caught:
        TextOut(tmp_path / where)
    assert str(caught.value).startswith(f"{tmp_path / where}: ")


def test_a_pipe_gets_exact_utf8(capsysbinary):
    with TextOut(None) as out:
        out.write(ODD)
    assert capsysbinary.readouterr().out == ODD.encode("utf-8")


def test_a_terminal_gets_what_is_safe_and_a_line_end():
    terminal = Terminal()
    with contextlib.redirect_stdout(terminal), TextOut(None) as out:
        out.write(ODD)
    assert terminal.shown == "žluť 馬 🐎\n\t\\x1b[31m\\u202e\\x9b\n"


@pytest.mark.parametrize("text", ["", "a line\n"])
def test_a_terminal_gets_no_empty_line(text):
    terminal = Terminal()
    with contextlib.redirect_stdout(terminal), TextOut(None) as out:
        out.write(text)
    assert terminal.shown == text


# JSON and tables


def test_json_is_one_line_of_ascii(capsys):
    print_json({"text": ODD})
    shown = capsys.readouterr().out
    assert shown.isascii()
    assert shown.count("\n") == 1
    assert json.loads(shown) == {"text": ODD}


def test_a_table_reads_nothing_as_markup_and_lets_no_command_by(capsys):
    print_table([("[b]name[/b]", "[red]x[/nothing] \x1b[31m\u202e")])
    assert capsys.readouterr().out == "[b]name[/b]  [red]x[/nothing] \\x1b[31m\\u202e\n"


def test_a_table_has_its_values_under_one_another(capsys):
    print_table([("a", "1"), ("long", "2")])
    assert capsys.readouterr().out == "a     1\nlong  2\n"


def test_a_long_value_stays_on_one_line_off_a_terminal(capsys):
    print_table([("file", "x" * 900)])
    assert capsys.readouterr().out == f"file  {'x' * 900}\n"
