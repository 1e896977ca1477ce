"""Signals: the first is noted, the second ends the process."""

import os
import signal
import subprocess
import sys

import pytest

from charrnn_cli.errors import Stopped
from charrnn_cli.terminal.signals import CODES, StopOnSignal, default_interrupt


@pytest.mark.parametrize("name", CODES)
def test_a_signal_is_noted_and_no_more(name, capfd):
    with StopOnSignal() as stop:
        stop.finish_steps()
        assert not stop()
        os.kill(os.getpid(), getattr(signal, name))
        assert stop()
    assert stop.code == CODES[name]
    assert stop.code == 128 + getattr(signal, name)
    assert "Again to quit at once" in capfd.readouterr().err


@pytest.mark.parametrize("name", CODES)
def test_a_second_signal_is_left_to_the_system(name):
    """Which ends the process at once, be it in the middle of a long computation."""
    with StopOnSignal() as stop:
        stop.finish_steps()
        os.kill(os.getpid(), getattr(signal, name))
        assert {signal.getsignal(getattr(signal, other)) for other in CODES} == {signal.SIG_DFL}


TOGETHER = """
import os, signal
from charrnn_cli.terminal.signals import StopOnSignal
with StopOnSignal() as stop:
    stop.finish_steps()
    both = signal.SIGINT, signal.SIGTERM
    signal.pthread_sigmask(signal.SIG_BLOCK, both)
    for number in both:
        os.kill(os.getpid(), number)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, both)
    print("still here")
"""


def test_a_second_signal_that_comes_with_the_first_ends_the_process():
    done = subprocess.run([sys.executable, "-c", TOGETHER], capture_output=True, text=True)
    assert done.returncode == -signal.SIGTERM
    assert (done.stdout, "race" in done.stderr) == ("", False)


def test_what_else_python_complains_of_is_still_told(monkeypatch):
    class Falls:
        def __del__(self):
            raise RuntimeError("fell")

    told = []
    monkeypatch.setattr(sys, "unraisablehook", lambda it: told.append(str(it.exc_value)))
    before = sys.unraisablehook
    with StopOnSignal():
        Falls()
    assert told == ["fell"]
    assert sys.unraisablehook == before


def test_handlers_are_put_back_at_the_end():
    before = [signal.getsignal(getattr(signal, name)) for name in CODES]
    with StopOnSignal() as stop:
        during = [signal.getsignal(getattr(signal, name)) for name in CODES]
    assert [signal.getsignal(getattr(signal, name)) for name in CODES] == before
    assert all(handler not in before for handler in during)
    assert stop.code is None


@pytest.mark.parametrize("name", CODES)
def test_before_there_is_a_step_a_signal_ends_at_once(name):
    with StopOnSignal(), pytest.raises(Stopped) as stopped:
        os.kill(os.getpid(), getattr(signal, name))
    assert stopped.value.code == CODES[name]


def test_a_signal_that_was_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopOnSignal() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_an_import_is_not_broken_by_ctrl_c_but_ended():
    with default_interrupt():
        assert signal.getsignal(signal.SIGINT) == signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler


def test_an_import_leaves_ctrl_c_ignored_where_it_was():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with default_interrupt():
            assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("name", CODES)
def test_a_signal_before_the_first_step_is_answered(name, capfd):
    with pytest.raises(Stopped), StopOnSignal():
        os.kill(os.getpid(), getattr(signal, name))
    assert "Stopped before the first step: there was nothing to save." in capfd.readouterr().err
