"""Runs charrnn as a user runs it: in a process of its own."""

import subprocess
import sys
from pathlib import Path


def charrnn(folder: Path, *words: str) -> str:
    """What a charrnn command prints, run in a folder; raises CalledProcessError, its errors on
    stderr."""
    command = [sys.executable, "-m", "charrnn_cli", *words]
    done = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout
