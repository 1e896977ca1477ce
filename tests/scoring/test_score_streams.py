"""`charrnn score` and its streams: terminals, pipes, memory."""

import json
import os
import re
import subprocess
import sys

import pytest
from factories import make_checkpoint, save_checkpoint
from rich.cells import cell_len
from terminal import CHARRNN, modules_after, on_terminal

pytestmark = pytest.mark.slow  # each test starts a process


def plain(shown):
    return re.sub(r"\x1b\[[0-9;]*m", "", shown)


def test_a_terminal_shows_the_text_in_colour(letters):
    (letters / "text.txt").write_text("abca\n" * 40 + "[bold]日本\x1b]0;title\x07")
    shown, code = on_terminal("score", "text.txt", cwd=letters, TERM="xterm")
    assert code == 0
    assert "abc\x1b[97;45ma" in shown  # white on magenta
    assert "The text goes on: 41 lines (--show all)." in plain(shown)
    assert max(map(cell_len, plain(shown).splitlines())) <= 100
    shown, _ = on_terminal("score", "text.txt", "--show", "all", cwd=letters)
    assert "[bold]日本\\x1b]0;title\\x07" in plain(shown)


def test_tsv_on_a_terminal_is_escaped_and_exact_in_a_pipe(letters):
    (letters / "text.txt").write_text("ab\x1b]0;日\n")
    shown, _ = on_terminal("score", "text.txt", "--tsv", cwd=letters)
    assert "ab\\x1b]0;日" in shown
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    words = [*CHARRNN, "score", "text.txt", "--tsv"]
    piped = subprocess.run(words, cwd=letters, env=environment, capture_output=True).stdout
    assert "\tab\x1b]0;日\n".encode() in piped


def test_no_color_on_a_terminal_means_marks(letters):
    (letters / "text.txt").write_text("abca\n")
    shown, _ = on_terminal("score", "text.txt", cwd=letters, NO_COLOR="1")
    assert not re.search(r"\x1b\[[0-9;]*[34]\d", shown)
    assert "# = from 12" in shown


def test_a_pipe_gets_neither_colour_nor_bar(letters):
    (letters / "text.txt").write_text("abca\n" * 100)
    done = subprocess.run([*CHARRNN, "score", "text.txt"], cwd=letters, capture_output=True)
    assert b"\x1b" not in done.stdout
    assert b"abca" not in done.stdout
    assert done.stderr == b""


def test_a_reader_that_has_had_enough_ends_it_silently(letters):
    (letters / "text.txt").write_text("abcd\n" * 20_000)
    shell = f"{' '.join(CHARRNN)} score text.txt --tsv | head -n 1"
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", shell], cwd=letters, env=environment, capture_output=True
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"line\t")


def test_score_imports_neither_torch_nor_matplotlib(letters):
    (letters / "text.txt").write_text("abcd\n")
    assert not {"torch", "matplotlib"} & modules_after("score", "text.txt", cwd=letters)


def test_memory_does_not_grow_with_the_text(tmp_path):
    save_checkpoint(tmp_path / "checkpoints/ab/best.safetensors", make_checkpoint("rnn", 2, 1))

    def peak(repeats):
        code = (
            "import resource, sys\n"
            "from charrnn_cli.__main__ import main\n"
            "sys.argv = ['charrnn', 'score', '-', '--json']\n"
            "try:\n main()\nfinally:\n"
            " print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)\n"
        )
        text = b"ab" * 200_000 * repeats
        done = subprocess.run(
            [sys.executable, "-c", code], input=text, cwd=tmp_path, capture_output=True
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["characters"] == len(text)
        return int(done.stderr.split()[-1])

    assert peak(5) < peak(1) + 8_000  # kB
