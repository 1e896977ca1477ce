"""The program in a process of its own: on a terminal, as a person would run it, or alone."""

import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
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
        environment = {k: v for k, v in (os.environ | settings).items() if v is not None}
        os.execve(sys.executable, [*CHARRNN, *map(str, words)], environment)
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


def modules_after(*words, cwd, code=0):
    """The names of the modules that a command imports."""
    program = (
        "import sys, atexit, json\n"
        "atexit.register(lambda: print(json.dumps(sorted(sys.modules)), file=sys.stderr))\n"
        f"sys.argv = ['charrnn', *{list(map(str, words))!r}]\n"
        "from charrnn_cli.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=cwd)
    assert done.returncode == code, done.stderr
    return set(json.loads(done.stderr.splitlines()[-1]))


def loaded_by(code: str) -> set[str]:
    """The modules of other packages that a fresh Python has loaded after this code."""
    code += "\nimport sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in done.stdout.split()}
