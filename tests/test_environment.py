"""The environment object: what a stream can show, and that all output goes through it."""

import io

import pytest
from factories import save_cycle
from terminal import without_styles

from charrnn_cli.__main__ import app
from charrnn_cli.environment import Environment, environment, replaced_by
from charrnn_cli.errors import TextError, WriteError
from charrnn_cli.terminal.bars import ReadingBar
from charrnn_cli.terminal.console import (
    TextOut,
    print_json,
    print_table,
    say,
    shows_colour,
    text_width,
    to_terminal,
)
from charrnn_cli.text.reader import read_text


class Stream(io.TextIOWrapper):
    """A stream in memory that is a terminal if wanted."""

    def __init__(self, terminal=False, encoding="utf-8"):
        super().__init__(io.BytesIO(), encoding=encoding, write_through=True)
        self.terminal = terminal

    def isatty(self):
        return self.terminal

    @property
    def written(self):
        return self.buffer.getvalue().decode()


def make(terminal=False, encoding="utf-8", **variables):
    """An environment of two streams in memory."""
    stdout, stderr = Stream(terminal, encoding), Stream(terminal, encoding)
    return Environment(io.StringIO(), stdout, stderr, variables)


@pytest.fixture
def narrow():
    """A terminal of 40 columns without colours, in place of this process's streams."""
    other = make(terminal=True, COLUMNS="40", TERM="xterm", NO_COLOR="1")
    with replaced_by(other):
        yield other


# what is asked of it


def test_without_a_replacement_it_is_this_process(monkeypatch):
    stdout = Stream()
    monkeypatch.setattr("sys.stdout", stdout)
    assert environment().stdout.file is stdout


def test_a_replacement_ends_with_its_context():
    before, other = environment(), make()
    with replaced_by(other):
        assert environment() is other
    assert environment().stdout.file is before.stdout.file


@pytest.mark.parametrize(
    ("variables", "columns"),
    [({"COLUMNS": "33"}, 33), ({"COLUMNS": "0"}, 100), ({"COLUMNS": "wide"}, 100), ({}, 100)],
)
def test_the_width_is_that_of_columns_else_a_hundred(variables, columns):
    assert make(**variables).stdout.columns() == columns


def test_where_nothing_says_how_wide_it_is_the_caller_does():
    with replaced_by(make()):
        assert text_width(1000) == 1000


@pytest.mark.parametrize(
    ("encoding", "characters", "can"),
    [("utf-8", "馬", True), ("ascii", "é", False), ("ascii", "e", True), ("latin-1", "é", True)],
)
def test_a_stream_can_show_what_its_encoding_has(encoding, characters, can):
    assert make(encoding=encoding).stdout.can_show(characters) == can


@pytest.mark.parametrize(
    ("terminal", "term", "redraws"),
    [(True, "xterm", True), (True, "dumb", False), (False, "xterm", False)],
)
def test_a_line_can_be_redrawn_on_a_terminal_that_is_not_dumb(terminal, term, redraws):
    other = make(terminal, TERM=term)
    assert other.stderr.redraws == redraws
    with replaced_by(other):
        assert ReadingBar(quiet=False).enabled == redraws


@pytest.mark.parametrize(
    ("terminal", "variables", "colour"),
    [
        (True, {"TERM": "xterm-256color"}, True),
        (True, {"TERM": "dumb"}, False),
        (True, {"TERM": "xterm-256color", "NO_COLOR": "1"}, False),
        (False, {"TERM": "xterm-256color"}, False),
    ],
)
def test_colours_are_shown_on_a_terminal_unless_it_or_the_user_has_none(
    terminal, variables, colour
):
    with replaced_by(make(terminal, **variables)):
        assert shows_colour() == colour


def test_a_closed_stream_is_no_terminal_and_shows_ascii():
    stdout = Environment(None, None, None, {}).stdout
    assert (stdout.is_terminal, stdout.encoding, stdout.colours) == (False, "ascii", None)


# what is written goes there


def test_all_output_goes_to_the_replacement(narrow, capfd):
    say("a message")
    print_json({"a": 1})
    with TextOut(None) as out:
        out.write("text\x1b")
    assert narrow.stderr.file.written == "a message\n"
    assert narrow.stdout.file.written == '{"a": 1}\ntext\\x1b\n'
    assert capfd.readouterr() == ("", "")


def test_a_table_and_a_message_keep_to_the_replacements_width(narrow):
    print_table([("name", "word " * 30)])
    assert max(map(len, without_styles(narrow.stdout.file.written).splitlines())) <= 40
    assert max(map(len, to_terminal("word " * 30).splitlines())) <= 39


def test_a_message_is_not_broken_off_a_terminal():
    with replaced_by(make(COLUMNS="40")):
        assert to_terminal("word " * 30) == "word " * 30


def test_a_command_writes_to_the_replacement(narrow, tmp_path):
    save_cycle(tmp_path, "abcd\n")
    with pytest.raises(SystemExit) as end:
        app(["info", "--checkpoints", str(tmp_path)])
    assert end.value.code == 0
    shown = without_styles(narrow.stdout.file.written)
    assert "vocabulary" in shown
    assert max(map(len, shown.splitlines())) <= 40


def test_a_text_is_read_from_the_replacements_stdin():
    stdin = io.TextIOWrapper(io.BytesIO(b"piped"))
    with replaced_by(Environment(stdin, None, None, {})):
        assert read_text("-") == "piped"
    with (
        replaced_by(Environment(None, None, None, {})),
        pytest.raises(TextError, match="stdin: is closed"),
    ):
        read_text("-")


def test_a_closed_stdout_is_an_error_and_a_closed_stderr_is_not():
    with replaced_by(Environment(None, None, None, {})):
        say("lost")
        with pytest.raises(WriteError, match=r"^stdout: cannot be written \(it is closed\)\. W"):
            TextOut(None)


def test_a_full_disk_has_a_remedy_of_its_own():
    with (
        io.TextIOWrapper(io.FileIO("/dev/full", "w")) as full,
        replaced_by(Environment(None, full, None, {})),
        pytest.raises(WriteError, match=r"Make room, or write elsewhere\.$"),
        TextOut(None) as out,
    ):
        out.write("text")
