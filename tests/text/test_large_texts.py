"""Texts so large that memory and patience are short."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time

import pytest
from terminal import open_terminal

from charrnn_cli.text.reader import read_text

pytestmark = pytest.mark.slow  # texts of many megabytes

SIZE = 30_000_000  # bytes
ALLOWANCE = 10_000_000  # bytes: tables, a block, what is imported late

READ_AND_TELL = """
import re, sys
from charrnn_cli.text.corpus import read_corpus
memory = lambda: open("/proc/self/status").read()
before = int(re.search(r"VmRSS:\\s+(\\d+)", memory())[1])
ids = read_corpus(sys.argv[1]).ids
print(ids.itemsize, 1024 * (int(re.search(r"VmHWM:\\s+(\\d+)", memory())[1]) - before))
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs /proc/self/status")
@pytest.mark.parametrize(
    ("source", "end", "size"),
    [("text.txt", "é", 1), ("-", "".join(map(chr, range(0x4E00, 0x4F00))), 2)],
    ids=["few distinct", "many distinct"],
)
def test_a_text_takes_a_byte_a_character_or_two_and_no_copy(tmp_path, source, end, size):
    path = tmp_path / "text.txt"
    path.write_bytes(b"all the same\r" * (SIZE // 13) + end.encode())
    command = [sys.executable, "-c", READ_AND_TELL, source]
    with path.open() as stdin:
        done = subprocess.run(command, cwd=tmp_path, stdin=stdin, capture_output=True, text=True)
    itemsize, peak = map(int, done.stdout.split())
    assert itemsize == size
    assert peak < size * SIZE + ALLOWANCE


READ_PAIRS_AND_TELL = """
import re, sys
from charrnn_cli.text.pair_file import read_pairs
from charrnn_cli.text.pair_format import PairFormat
memory = lambda: open("/proc/self/status").read()
before = int(re.search(r"VmRSS:\\s+(\\d+)", memory())[1])
pairs = read_pairs(sys.argv[1], PairFormat())
if sys.argv[2] == "split":
    pairs.split(0.1)
print(1024 * (int(re.search(r"VmHWM:\\s+(\\d+)", memory())[1]) - before))
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs /proc/self/status")
@pytest.mark.parametrize(
    ("line", "also"),
    [
        ("{:08} is read as a source\tand this is written as its target\n", "split"),
        ("{:08}\tis a word\n", "nothing"),
    ],
)
def test_pairs_are_read_within_twice_their_size(tmp_path, line, also):
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(map(line.format, range(SIZE // len(line.format(0))))))
    command = [sys.executable, "-c", READ_PAIRS_AND_TELL, path, also]
    done = subprocess.run(command, capture_output=True, text=True)
    assert int(done.stdout) < 2 * path.stat().st_size + ALLOWANCE


def test_a_long_reading_is_shown_and_ctrl_c_ends_it_leaving_nothing(tmp_path):
    os.mkfifo(tmp_path / "slow.txt")

    def feed():
        with contextlib.suppress(BrokenPipeError), (tmp_path / "slow.txt").open("wb") as pipe:
            while True:
                pipe.write(b"so slow " * 10_000)
                pipe.flush()
                time.sleep(0.05)

    threading.Thread(target=feed, daemon=True).start()
    pid, screen = open_terminal("train", "slow.txt", cwd=tmp_path)
    shown = b""
    while b"reading" not in shown:
        shown += os.read(screen, 65536)
    os.write(screen, b"\x03")
    pressed = time.monotonic()
    _, status = os.waitpid(pid, 0)
    assert time.monotonic() - pressed < 5  # a twentieth of that on an idle machine
    assert os.waitstatus_to_exitcode(status) == -signal.SIGINT
    with contextlib.suppress(OSError):  # Linux's end of file on a terminal
        while piece := os.read(screen, 65536):
            shown += piece
    os.close(screen)
    assert re.search(rb"reading: [\d.]+[kM]B \[", shown)
    assert b"Traceback" not in shown
    assert [path.name for path in tmp_path.iterdir()] == ["slow.txt"]


def test_a_text_is_read_to_its_end_though_read_in_pieces(tmp_path):
    text = "naïve “quoted” 馬 😀\n" * 20_000
    path = tmp_path / "long.txt"
    path.write_bytes(text.replace("\n", "\r\n").encode())
    assert read_text(str(path)) == text
