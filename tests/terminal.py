"""A terminal to run the program on, as a person would."""

import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time

CHARRNN = [sys.executable, "-m", "charrnn_cli"]


def open_terminal(*words, cwd, columns=100, **environment):
    """A command on a new terminal: its process, and the terminal's other end.

    `environment` adds to this process's own; None takes a variable away.
    """
    pid, screen = pty.fork()
    if pid == 0:  # the child
        os.chdir(cwd)
        size = struct.pack("4H", 30, columns, 0, 0)
        fcntl.ioctl(1, termios.TIOCSWINSZ, size)
        settings = {"COLUMNS": None, "TERM": "xterm-256color", "NO_COLOR": None} | environment
        for name, value in settings.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        os.execv(sys.executable, [*CHARRNN, *map(str, words)])
    return pid, screen


def on_terminal(*words, cwd, seconds=60, **terminal):
    """What a command shows on a terminal: all of its output, and its exit code."""
    pid, screen = open_terminal(*words, cwd=cwd, **terminal)
    shown, end = b"", time.monotonic() + seconds
    while time.monotonic() < end:
        if select.select([screen], [], [], 0.1)[0]:
            try:
                piece = os.read(screen, 65536)
            except OSError:  # Linux's end of file on a terminal
                break
            if not piece:
                break
            shown += piece
    return shown.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def without_styles(shown):
    """What was shown, without the sequences that only colour it."""
    return re.sub(r"\x1b\[[0-9;]*m", "", shown)
