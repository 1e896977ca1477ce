"""What a shell completes: the names of runs and shipped models where a command takes them."""

import os
import subprocess
import sys

import pytest
from factories import make_run

pytestmark = pytest.mark.slow


def completed(folder, *words):
    """What bash is offered for the last of these words."""
    line = " ".join(("charrnn", *words))
    program = "from charrnn_cli.__main__ import main; import sys; sys.argv = ['charrnn']; main()"
    variables = {"_CHARRNN_COMPLETE": "complete_bash", "COMP_WORDS": line}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True,
        env=os.environ | variables | {"COMP_CWORD": str(len(words))},
    )  # fmt: skip
    return done.stdout.split()


@pytest.mark.parametrize(
    "words",
    [["sample", "so"], ["info", "so"], ["train", "--init-from", "so"], ["runs", "list", "so"]],
)
def test_names_of_runs_and_models_are_completed(tmp_path, words):
    make_run(tmp_path / "checkpoints", "sonata")
    assert completed(tmp_path, *words) == ["sonata", "sonnets"]


def test_the_folder_of_the_runs_is_the_one_given(tmp_path):
    make_run(tmp_path / "elsewhere", "tiny")
    assert completed(tmp_path, "sample", "--checkpoints", "elsewhere", "t") == ["tiny"]


def test_commands_are_completed(tmp_path):
    assert completed(tmp_path, "r") == ["runs"]
