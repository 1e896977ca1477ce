"""The README's commands run as they stand, and it names every option."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from charrnn_cli.__main__ import app
from charrnn_cli.errors import ExitCode

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
COMMANDS = [
    line
    for block in re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]


def shortened(command):
    """The command with minutes made seconds: nothing else of it is changed."""
    return re.sub(r"--minutes (\d+)", lambda m: f"--minutes {int(m[1]) / 30:.3f}", command)


@pytest.mark.slow
def test_every_command_of_the_readme_runs(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/sonnets.txt").write_text((ROOT / "data/sonnets.txt").read_text()[:4000])
    shutil.copy(ROOT / "LICENSE", tmp_path / "LICENSE")
    shutil.copytree(ROOT / "checkpoints/sonnets", tmp_path / "checkpoints/sonnets")
    scripts = str(Path(sys.executable).parent)
    environment = os.environ | {"PATH": f"{scripts}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    assert len(COMMANDS) > 12
    for command in COMMANDS:
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", shortened(command)],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        assert "charrnn train" in command or done.stdout or "--output" in command


@pytest.mark.parametrize("command", ["train", "sample", "info", "score"])
def test_readme_names_every_option(command):
    shown = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).stdout
    options = set(re.findall(r"^  (?:-\w, )?(--[a-z-]+)", shown, re.MULTILINE)) - {"--help"}
    assert options
    assert not {option for option in options if f"{option}" not in README}


def test_readme_has_no_option_that_is_not_there():
    known = "".join(
        CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).stdout
        for command in ("train", "sample", "info", "score")
    )
    text = re.sub(r"torchrun .*? -m", "", README).replace("`--max-restarts` of torchrun", "")
    for of_others in ("--install-completion", "ruff format --check", "tensorboard --logdir"):
        text = text.replace(of_others, "")
    assert {o for o in re.findall(r"--[a-z][a-z-]+", text) if o not in known} == set()


def test_readme_lists_every_exit_code():
    section = README.split("## Exit codes")[1].split("\n## ")[0]
    listed = {int(n) for row in re.findall(r"^\| ([\d, ]+) \|", section, re.MULTILINE)
              for n in row.split(", ")}  # fmt: skip
    assert listed == set(map(int, ExitCode))
