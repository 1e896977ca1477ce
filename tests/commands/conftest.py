"""Runs that tests of `charrnn info` study."""

import pytest
from factories import save_checkpoint
from studied import RANDOM, SPEECH, gpt2_that_repeats, gru_that_minds_quotes


@pytest.fixture
def quotes(tmp_path):
    """A folder with a run, `quotes`, whose unit 0:5 follows quotes, and a text full of them."""
    save_checkpoint(tmp_path / "checkpoints/quotes/best.safetensors", gru_that_minds_quotes(5))
    (tmp_path / "speech.txt").write_text(SPEECH, "utf-8")
    return tmp_path


@pytest.fixture
def repeats(tmp_path):
    """A folder with a run, `repeats`, that has an induction head, and a text of random letters."""
    save_checkpoint(tmp_path / "checkpoints/repeats/best.safetensors", gpt2_that_repeats())
    (tmp_path / "random.txt").write_text(RANDOM)
    return tmp_path
