"""The name by which this program was started, for the commands that messages print."""

import os
import re
import shlex
import shutil
import sys

# The words after `charrnn` that make it a command, and not the subject of a sentence.
COMMANDS = ("train", "sample", "translate", "score", "info", "runs", "export")
AFTER_NAME = rf"(?:-|(?:{'|'.join(COMMANDS)})\b)"
_COMMAND = re.compile(rf"(?<![\w./-])charrnn(?= {AFTER_NAME})")


def program() -> str:
    """The words that start this program here: `charrnn` where a shell finds that, else the path
    as it was typed, such as `.venv/bin/charrnn`."""
    started = sys.argv[0] if sys.argv else ""
    name = os.path.basename(started)
    folder = os.path.dirname(started)
    found = shutil.which("charrnn")
    if name == "__main__.py" and os.path.basename(folder) == "charrnn_cli":
        beside = os.path.join(os.path.dirname(sys.executable), "charrnn")
        if found is None and not os.path.isfile(beside):
            return f"{_path(sys.executable)} -m charrnn_cli"
        started = found or beside
    elif name != "charrnn" or not folder:
        return "charrnn"
    if found is not None and os.path.realpath(found) == os.path.realpath(started):
        return "charrnn"
    return _path(started)


def with_program(text: str) -> str:
    """A message whose commands work where it is printed."""
    if "charrnn " not in text or (own := program()) == "charrnn":
        return text
    return _COMMAND.sub(lambda _: own, text)


def _path(path: str) -> str:
    """A path as a person would type it here."""
    inside = os.path.relpath(path)
    return shlex.quote(path if inside.startswith("..") else inside)
