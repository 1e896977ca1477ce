"""The commands in the README and in docs/ run as they stand there, page by page."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])


def commands_of(page):
    """The lines of the page's blocks that are marked as sh, in their order."""
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


WITH_COMMANDS = [page for page in PAGES if commands_of(page)]


def shortened(command):
    """The command with a sixtieth of its minutes, and a tenth of its epochs if it trains on a whole
    text that comes with charrnn; nothing else of it is changed."""
    if "--example" in command:
        command = re.sub(r"--epochs (\d+)", lambda m: f"--epochs {int(m[1]) / 10}", command)
    return re.sub(r"--minutes (\d+)", lambda m: f"--minutes {int(m[1]) / 60:.3f}", command)


def test_the_readme_and_the_pages_of_commands_have_commands():
    assert {page.stem for page in WITH_COMMANDS} >= {
        "README", "train", "sample", "translate", "score", "info", "runs", "units", "json",
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_COMMANDS, ids=lambda page: page.stem)
def test_every_command_of_a_page_runs(page, warm, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/sonnets.txt").write_text((ROOT / "data/sonnets.txt").read_text()[:2500])
    for file in ("LICENSE", "README.md"):
        shutil.copy(ROOT / file, tmp_path / file)
    dates = (ROOT / "data/dates.tsv").read_text("utf-8").splitlines(keepends=True)
    (tmp_path / "data/dates.tsv").write_text("".join(dates[:600]), "utf-8")
    for shipped in ("sonnets", "dates", "english"):
        shutil.copytree(ROOT / "checkpoints" / shipped, tmp_path / "checkpoints" / shipped)
    path = os.pathsep.join([str(warm), str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"PATH": path, "OMP_NUM_THREADS": "1"}
    for command in commands_of(page):
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", shortened(command)],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        silent = "charrnn train|charrnn export|--output|charrnn runs (rename|delete)|^printf .* > "
        assert re.search(silent, command) or done.stdout
