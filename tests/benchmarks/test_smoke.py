"""Each benchmark runs from its first line to its last, on settings so small that it means nothing.

What is measured is never judged here: only that the script still fits the package, and prints its
table with the figures that it is for.
"""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from browser import HOW_TO_INSTALL, chromium
from factories import SONNETS

from charrnn_cli.errors import ExitCode

pytestmark = pytest.mark.slow  # each test runs a benchmark

FOLDER = Path(__file__).parent.parent.parent / "benchmarks"
SECONDS = r"[\d.]+ s"
SPEED = r"[\d,]+"
RATIO = r"\d+\.\d+"

# The words after each script's name, and what its last lines must look like.
RUNS = {
    "base_model": (
        "text.txt --characters 3000 --held-out 2000 --options '--threads 1 --epochs 0.1'",
        rf" +3,000 +0( +{RATIO}){{2}} +{SPEED} +{RATIO} +{SPEED}",
    ),
    "busy": (
        "text.txt --rounds 1 --epochs 0.1 --busy 0",
        rf"0 busy programs on \d+ cores: its own choice {SECONDS}, all threads {SECONDS}, "
        rf"ratio {RATIO}",
    ),
    "corpus": (
        "--megabytes 1 --rounds 1",
        rf" +1 MB( +{SECONDS} +\d+ MB/s +{RATIO} x file){{2}} +{RATIO}\n"
        rf"pairs +charrnn\n +1 MB +{SECONDS} +\d+ MB/s +{RATIO} x file",
    ),
    "distance": (
        "text.txt --minutes 0.005 --characters 2000 --distance 100",
        rf"characters      0 to  1,000: {RATIO}\ncharacters    100 to  1,100: {RATIO}\n"
        rf"9 rounds in turn, medians\n"
        rf"from character    500 on: {SPEED} characters a second\n"
        rf"from character  2,000 on: {SPEED} characters a second",
    ),
    "going_on": (
        "text.txt --epochs 0.2 --times 2 --options '--threads 1 --hidden-size 8'",
        rf" +0 +{RATIO} +2( +{RATIO}){{2}} +-?{RATIO}",
    ),
    "gpu": (
        "--device cpu --rounds 1 --epochs 0.1 --settings gru,8,1,2,4",
        rf"gru  1 x 8    2 x   4  float32  +{SPEED} +{SPEED} +- +{RATIO} \(bounds [\d., ]+\)\n"
        rf"gru  1 x 8    2 x   4  bfloat16 .*\n"
        rf"the tutorial's whole job: {SECONDS}, best held-out loss {RATIO}",
    ),
    "kinds": (
        ". --kinds text --minutes 0.02 --neighbours 0 --results /dev/null --options '--threads 1'",
        rf"text, 0.02 minutes: .*\n  plan .*\n\nkind .*\n"
        rf"text +16,000 [0-9a-f]{{12}} +0.02( +-?{RATIO}){{7}} +plan",
    ),
    "learning": (
        "text.txt --minutes 0.01 --random-seeds 0 --plain-time 0.01",
        rf"   0.01            0 +{RATIO}( +{RATIO} / {RATIO}){{2}}  (never|{SECONDS})\n"
        rf"   0.01       median +{RATIO}( +{RATIO} / {RATIO}){{2}}  carried, range: .*",
    ),
    "ngram_mixture": (
        "text.txt --minutes 0.01 --options '--threads 1'",
        rf"text\.txt +1,600( +{RATIO}){{5}}",
    ),
    "road": (
        "text.txt --minutes 0.02",
        rf"rnn .*\nlstm .*\ngru .*\ngpt2 .*\nllama +[\d,]+ +{RATIO} +{RATIO} +{SECONDS}(.|\n)*",
    ),
    "transformer": (
        "--threads 1 --rounds 1 --settings 32,1,2,16",
        rf"1 x 32, batch 2 x 16\n(.* ms +{RATIO} of plain +\d+% of the product rate\n?){{3}}",
    ),
    "pairs": (
        "pairs --tasks toy --minutes 0.02 --random-seeds 0 --options '--threads 1'",
        rf"toy      attention +0( +{RATIO}){{2}} +({RATIO}|-) +{SECONDS}\n"
        rf"toy      attention +median( +{RATIO}){{2}} +({RATIO}|-) +{SECONDS}",
    ),
    "sampling": (
        "--rounds 1 --characters 40 --models gru,8,1 llama,8,1",
        rf"gru   1 x   8 +{SPEED} +{SPEED} +{RATIO}( +{SPEED}){{2}} +{RATIO} +{SPEED} +{RATIO}\n"
        rf"llama 1 x   8 +{SPEED} +{SPEED} +{RATIO}( +{SPEED}){{2}} +{RATIO} +{SPEED} +{RATIO}\n"
        r"peak memory of `charrnn sample --length 200`, gru 2 x 256: \d+ MB",
    ),
    "scaling": (
        "text.txt --rounds 1 --settings 8,4",
        rf"gru 1 x 8     4 x 32 +{SPEED}( +8 x 32 +{SPEED} +{RATIO}){{2}}",
    ),
    "scoring": (
        "text.txt --rounds 1 --characters 400 --segments 32 --rates 0.002 --decays 0.001",
        rf"bits a character  held-out part  text.txt\nas it is  {RATIO}  {RATIO}\n"
        rf"segment 32, rate 0.002, decay 0.001  {RATIO}  {RATIO}",
    ),
    "page": (
        "--models gpt2,8,1,16 --characters 40 --rounds 1",
        rf"gpt2,8,1,16 +{SPEED} +{RATIO} MB +{SPEED} +{SPEED}",
    ),
    "startup": (
        "--rounds 1",
        rf"(charrnn .* +{SECONDS} +{RATIO} of import torch\n?){{4}}",
    ),
    "step_profile": (
        "--threads 1 --steps 4 --settings gru,8,1,2,4",
        rf"gru 1 x 8, batch 2 x 4, 1 threads: {RATIO} ms a step, {SPEED} characters/s\n"
        rf"(.* -?{RATIO} ms +-?\d+%( +\d+% of the product rate)?\n?){{10}}",
    ),
    "translating": (
        "--lines 3 --beam-sizes 1 2 --rounds 1",
        rf"start-up +{SECONDS}   one line +{SECONDS}\n"
        rf"(beam \d +{SECONDS} +{SPEED} lines/s after start-up +{RATIO} right\n?){{2}}",
    ),
    "throughput": (
        "--threads 1 --rounds 1 --tutorial 8,4,5 --settings gru,8,1,2,4",
        rf"rnn  1 x 8    4 x   5  bfloat16 +{SPEED} chars/s +\d+ +\d+% +{SPEED} chars/s +{RATIO}\n"
        r"gradients in float32 are [\d.]+e-\d+ of their norm from the loop's\n"
        r"gradients in bfloat16 are [\d.]+e-\d+ of their norm from the loop's",
    ),
}


# The pairs of a toy task by part: decimal numbers and binary ones.
PARTS = {"train": range(40), "dev": range(40, 50), "test": range(50, 60)}


def run(tmp_path, warm, script: str, *words: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "text.txt").write_text(SONNETS.read_text()[:16_000])
    (tmp_path / "pairs").mkdir()
    for part, numbers in PARTS.items():
        lines = [f"{number}\t{number:b}\n" for number in numbers]
        (tmp_path / "pairs" / f"toy_{part}.tsv").write_text("".join(lines))
    return subprocess.run(
        [warm / "script", FOLDER / f"{script}.py", *words],
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_every_script_is_run():
    imported_by_others = {"side_by_side", "program", "packaged_texts", "kinds_results"}
    assert {path.stem for path in FOLDER.glob("*.py")} - imported_by_others == set(RUNS)


@pytest.mark.parametrize("script", RUNS)
def test_a_benchmark_prints_its_table(tmp_path, warm, script):
    words, expected = RUNS[script]
    if script == "page" and chromium() is None:
        pytest.skip(HOW_TO_INSTALL)
    done = run(tmp_path, warm, script, *shlex.split(words))
    assert done.returncode == 0, done.stderr
    assert re.search(rf"(?m)^{expected}\n?\Z", done.stdout), done.stdout
    # the working folder is left as it was
    assert sorted(os.listdir(tmp_path)) == ["pairs", "text.txt"]


@pytest.mark.parametrize("script", RUNS)
def test_the_usage_line_of_a_benchmark_names_its_options(script):
    source = (FOLDER / f"{script}.py").read_text("utf-8")
    usage = source.split('"""')[1].split("\n\n")[1]
    declared = set(re.findall(r'add_argument\("(--[a-z-]+)"', source))
    assert set(re.findall(r"--[a-z-]+", usage)) == declared


def test_without_a_gpu_its_benchmark_says_so_in_one_line(tmp_path, warm, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    done = run(tmp_path, warm, "gpu")
    assert done.returncode == ExitCode.USAGE
    assert done.stdout == ""
    assert re.fullmatch(
        r"Error: --device cuda: not on this machine\. There is: cpu.*--device cpu measures .*\n",
        done.stderr,
    )
