"""The examples in Python on the pages run as they stand there, page by page."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from factories import make_checkpoint

from charrnn_cli.checkpoints.checkpoint import load
from charrnn_cli.export.hugging_face import write_hugging_face
from charrnn_cli.export.onnx_file import write_onnx

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "docs" / "python.md", ROOT / "docs" / "export.md"]


def program_of(page):
    """The page's examples in Python as one program, in their order."""
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)
    return "\n".join(blocks)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_examples_of_a_page_run(page, tmp_path):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("transformers")
    (tmp_path / "poems.txt").write_text((ROOT / "data/sonnets.txt").read_text()[:4000])
    shutil.copytree(ROOT / "checkpoints/sonnets", tmp_path / "checkpoints/sonnets")
    sonnets = load(tmp_path / "checkpoints/sonnets/best.safetensors")
    write_onnx(sonnets, tmp_path / "sonnets.onnx")
    write_onnx(load(ROOT / "checkpoints/dates/best.safetensors"), tmp_path / "dates.onnx")
    small = make_checkpoint("gpt2", vocabulary=sonnets.vocabulary.characters)
    write_hugging_face(small, tmp_path / "poems-hf")
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program_of(page).replace("minutes=1", "minutes=0.03")],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout
