"""A training as it is seen: the bar, the lines, the previews; on a terminal and off it."""

import io
import re
from contextlib import redirect_stderr

import pytest
from factories import ask_to_train, files, fuzz, of_kind, train
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from terminal import on_terminal

from charrnn_cli.training import preview
from charrnn_cli.training import train_display as display
from charrnn_cli.training.events import Evaluated, Stepped
from charrnn_cli.training.setup import open_training
from charrnn_cli.training.train_display import TrainingDisplay, fitting, one_line

EVENT = Evaluated(1200, 2.5, 1.432, 1.532, 0.0079, 0.5, 45_231, 63, best=True)


@pytest.fixture
def trainer(rain, tmp_path):
    """A training about to begin."""
    with open_training(ask_to_train(rain, tmp_path / "runs")) as training:
        yield training.trainer


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.fixture
def screen(monkeypatch):
    """A terminal of 120 columns, to be put in place of stderr."""
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    return Screen()


# lines that fit


def test_what_matters_least_is_left_out_where_columns_are_few():
    parts, ranks = ["step 1", "epoch 2", "loss 3"], [2, 1, 3]
    assert fitting(parts, ranks, 23, ", ") == "step 1, epoch 2, loss 3"
    assert fitting(parts, ranks, 22, ", ") == "step 1, loss 3"
    assert fitting(parts, ranks, 13, ", ") == "loss 3"
    assert fitting(parts, ranks, 1, ", ") == "loss 3"


@fuzz
@given(st.text(max_size=120), st.integers(8, 100))
def test_a_preview_is_one_line_of_the_terminal(text, columns):
    line = one_line(text, columns)
    assert line.isprintable() or not set(line) & set("\n\r\t\x1b\x9b")
    assert cell_len(line) < columns


def test_a_preview_shows_line_ends_and_no_commands():
    assert one_line("a\nb\x1b[1m\tc", 60).rstrip() in ("  > a↵b\\x1b[1m c", "  > a\\nb\\x1b[1m c")


# a terminal


def test_an_evaluation_is_a_line_with_its_losses_rate_and_the_best_marked(trainer, screen):
    with redirect_stderr(screen), TrainingDisplay(trainer, quiet=False, preview=False) as shown:
        shown.show(EVENT)
    (line,) = [line for line in re.split(r"[\r\n]+", screen.getvalue()) if "held-out" in line]
    parts = (
        "step 1,200",
        "train 1.432",
        "held-out 1.532",
        "(2.210 bits/char)",
        "rate  0.0079",
        "45,231 chars/s",
    )
    assert all(part in line for part in (*parts, "1 min 3 s", "best"))
    assert len(line) <= 120


@pytest.mark.parametrize("columns", [40, 80])
def test_lines_fit_a_narrow_terminal(trainer, screen, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    with redirect_stderr(screen), TrainingDisplay(trainer, quiet=False, preview=False) as shown:
        shown.show(Stepped(1, 3.0, 0.01))
        shown.show(EVENT)
    lines = [line.rstrip() for line in re.split(r"[\r\n]+", screen.getvalue())]
    assert max(map(cell_len, lines)) <= columns
    assert any("held-out 1.532" in line and "best" in line for line in lines)
    assert any("loss 3.000" in line and "left]" in line for line in lines)


def test_losses_that_are_read_late_count_once(trainer, screen):
    with redirect_stderr(screen), TrainingDisplay(trainer, quiet=False, preview=False) as shown:
        for step in range(1, 65):
            shown.show(Stepped(step, 3.0 if step % 32 == 0 else None, step / 100))
    assert shown.loss == 3.0


def test_quiet_shows_nothing(trainer, screen):
    with redirect_stderr(screen), TrainingDisplay(trainer, quiet=True, preview=True) as shown:
        shown.show(Stepped(1, 3.0, 0.01))
        shown.show(EVENT)
    assert screen.getvalue() == ""


@pytest.fixture
def no_waiting(monkeypatch):
    """Previews are due at every evaluation."""
    monkeypatch.setattr(preview, "MIN_INTERVAL", 0.0)
    monkeypatch.setattr(preview, "MAX_SHARE", 1e9)


@pytest.mark.parametrize(("asked", "count"), [(True, 1), (False, 0)])
def test_a_terminal_shows_what_the_model_writes_if_asked_to(
    trainer, screen, no_waiting, asked, count
):
    with redirect_stderr(screen), TrainingDisplay(trainer, quiet=False, preview=asked) as shown:
        shown.show(EVENT)
    assert screen.getvalue().count("  > ") == count


@pytest.mark.slow
@pytest.mark.parametrize(
    "model", ["lstm", *(pytest.param(name, marks=pytest.mark.slow) for name in ("gpt2", "llama"))]
)
def test_previews_leave_the_training_as_it_is(rain, tmp_path, screen, no_waiting, model):
    wishes = {"dropout": 0.5, "epochs": 3, **of_kind(model)}
    _, alone = train(rain, tmp_path / "alone", **wishes)
    with open_training(ask_to_train(rain, tmp_path / "seen", **wishes)) as training:
        seen = training.trainer
        with redirect_stderr(screen), TrainingDisplay(seen, quiet=False, preview=True) as shown:
            for event in seen.steps():
                shown.show(event)
    assert screen.getvalue().count("  > ") > 2
    assert files(seen.run) == files(alone.run)


def test_previews_take_no_more_than_their_share_of_the_time(trainer, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(preview.time, "monotonic", lambda: clock[0])
    shown = preview.Preview(trainer)
    shown.estimate = 0.05
    monkeypatch.setattr(shown, "_draw", lambda seed: clock.__setitem__(0, clock[0] + 0.2) or "text")
    assert shown.text() is None  # nothing was trained yet
    clock[0] = 111.0
    assert shown.text() == "text"
    clock[0] = 160.0  # 0.2 s were spent: no more before 0.4 s are half a percent
    assert shown.text() is None
    clock[0] = 181.0
    assert shown.text() == "text"


# off a terminal


def test_off_a_terminal_lines_come_at_a_human_pace(trainer, capsys, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(display.time, "monotonic", lambda: clock[0])
    with TrainingDisplay(trainer, quiet=False, preview=True) as shown:
        for second in range(80):
            clock[0] = 100.0 + second
            shown.show(Stepped(second + 1, 2.0, (second + 1) / 100))
            if second < 12:  # evaluations every second, then none for long
                shown.show(EVENT)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[0] for line in lines] == ["step"] * 5
    assert sum("held-out" in line for line in lines) == 3  # at 0, 5, 10 s
    assert lines[3].startswith("step 41  epoch")
    assert lines[3].endswith("left")


def test_a_dumb_terminal_gets_plain_lines(trainer, screen, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    with redirect_stderr(screen), TrainingDisplay(trainer, quiet=False, preview=True) as shown:
        shown.show(Stepped(1, 3.0, 0.01))
        shown.show(EVENT)
    (line,) = screen.getvalue().splitlines()
    assert line.startswith("step 1,200  epoch")
    assert "\r" not in screen.getvalue()


@pytest.mark.slow
def test_a_terminal_without_colour_or_unicode_gets_no_colour_and_an_ascii_bar(text, tmp_path):
    words = ("train", "poems.txt", "--epochs", 2, "--hidden-size", 8)
    environment = {"NO_COLOR": "1", "PYTHONIOENCODING": "ascii"}
    shown, code = on_terminal(*words, cwd=tmp_path, columns=60, **environment)
    assert code == 0
    assert shown.isascii()
    assert not re.search(r"\x1b\[[0-9;]*m", shown)
    assert "%|" in shown
