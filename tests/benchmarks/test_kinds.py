"""The bench of kinds: the texts that it takes out of packages, how it cuts them, how it goes on."""

import gzip
import hashlib
import os
import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # each test starts processes

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"
SCRIPT = BENCHMARKS / "kinds.py"
SQUARES = "".join(f"{number} times {number} is {number * number}\n" for number in range(800))
FEW_STEPS = ("--minutes", "0.02", "--neighbours", "half-units", "--options", "--threads 1")


def r_database(*vectors: list[str]) -> bytes:
    """A database of an R package with character vectors, the longest way R writes one."""
    content = b""
    for strings in vectors:
        record = b"X\n\0\0\0\3\0\4\2\1\0\3\5\0\0\0\0\5UTF-8"
        record += struct.pack(">II", 0x10, len(strings))
        for text in strings:
            record += struct.pack(">II", 0x40009, len(text.encode())) + text.encode()
        content += struct.pack(">I", len(record)) + zlib.compress(record)
    return content


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """A folder whose .deb files are what `apt-get download` brings; the network is not asked."""
    folder, tools = tmp_path / "archive", tmp_path / "tools"
    folder.mkdir()
    tools.mkdir()
    client = tools / "apt-get"
    client.write_text(f'#!/bin/sh\ntest "$1 $2" = "download -q" && cp {folder}/"$3"_1_all.deb .\n')
    client.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    return folder


def build(archive: Path, name: str, files: dict[str, bytes]) -> None:
    """Put a package with some files into the archive."""
    if shutil.which("dpkg-deb") is None:
        pytest.skip("packages are those of Debian: dpkg-deb is not here")
    root = archive / name
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    (root / "DEBIAN").mkdir()
    (root / "DEBIAN" / "control").write_text(
        f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: Nobody <n@example.org>\n"
        "Description: a text\n"
    )
    file = archive / f"{name}_1_all.deb"
    subprocess.run(["dpkg-deb", "-b", root, file], check=True, capture_output=True)


def kinds(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPT, *map(str, words)], capture_output=True, text=True, timeout=300
    )


def test_fetch_writes_the_text_of_a_package_and_its_hash(packages, tmp_path):
    text = "时区\n" * 30
    build(packages, "debian-reference-zh-cn", {"usr/doc/it.txt.gz": gzip.compress(text.encode())})
    done = kinds(tmp_path / "texts", "--fetch", "--kinds", "chinese")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "texts" / "chinese.txt").read_text("utf-8") == text
    assert "90 characters" in done.stdout
    assert hashlib.sha256(text.encode()).hexdigest()[:12] in done.stdout


def test_fetch_puts_a_word_list_into_no_alphabetic_order(packages, tmp_path):
    words = [f"word{number:03}" for number in range(100)]
    listed = "".join(f"{word}\n" for word in words)
    build(packages, "wamerican", {"usr/share/dict/american-english": listed.encode()})
    kinds(tmp_path / "texts", "--fetch", "--kinds", "words")
    found = (tmp_path / "texts" / "words.txt").read_text("utf-8").splitlines()
    assert sorted(found) == words
    assert found != words


def test_fetch_reads_the_novels_out_of_a_database_of_r(packages, tmp_path):
    novels = [["EMMA", "", "Emma Woodhouse, handsome, clever"] * 40, ["Ânne Elliot"] * 100]
    build(packages, "r-cran-janeaustenr", {"R/data/Rdata.rdb": r_database(*novels)})
    kinds(tmp_path / "texts", "--fetch", "--kinds", "novels")
    found = (tmp_path / "texts" / "novels.txt").read_text("utf-8")
    assert found == "\n\n".join("\n".join(lines) for lines in novels)


def test_fetch_ends_with_one_line_if_a_package_has_no_such_file_any_more(packages, tmp_path):
    build(packages, "tzdata", {"usr/share/other": b"x"})
    done = kinds(tmp_path / "texts", "--fetch", "--kinds", "zones")
    assert done.returncode == 1
    assert done.stderr == "Error: tzdata: has no **/tzdata.zi now. Leave out its kind: --kinds.\n"


def test_fetch_names_the_kinds_that_there_are(tmp_path):
    done = kinds(tmp_path, "--fetch", "--kinds", "verse", "nosuch")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: --kinds nosuch: there are verse, ")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_text_that_is_not_there_is_named(tmp_path):
    done = kinds(tmp_path, "--kinds", "verse")
    assert done.returncode == 1
    assert done.stderr == f"Error: {tmp_path}: has no verse.txt. Get the texts with --fetch.\n"


def test_a_second_run_goes_on_with_the_results_of_the_first(tmp_path):
    (tmp_path / "squares.txt").write_text(SQUARES)
    first = kinds(tmp_path, *FEW_STEPS)
    assert first.returncode == 0, first.stderr
    results = (tmp_path / "kinds.tsv").read_text()
    settings = [line.split("\t")[4] for line in results.splitlines()]
    assert settings == ["setting", "plan", "half-units"]
    assert kinds(tmp_path, *FEW_STEPS).stdout == first.stdout
    assert (tmp_path / "kinds.tsv").read_text() == results
    other = kinds(tmp_path, *FEW_STEPS[:-1], "--threads 1 --hidden-size 8")
    assert other.returncode == 0, other.stderr
    assert other.stdout != first.stdout
    assert (tmp_path / "kinds.tsv").read_text().startswith(results)


def test_results_that_do_not_say_with_which_options_are_not_taken(tmp_path):
    (tmp_path / "kinds.tsv").write_text("kind\tsha256\n")
    done = kinds(tmp_path)
    assert done.returncode == 1
    assert done.stderr.endswith(". Give another --results.\n")
    assert "options" in done.stderr


@pytest.mark.parametrize(("gap", "sign"), [(0.016, "!"), (0.014, " ")])
def test_a_plan_that_is_clearly_worse_than_a_neighbour_is_marked(tmp_path, gap, sign):
    (tmp_path / "squares.txt").write_text(SQUARES)
    digest = hashlib.sha256(SQUARES.encode()).hexdigest()[:12]
    measured = {
        "kind": "squares", "sha256": digest, "characters": len(SQUARES), "minutes": 0.02,
        "setting": "plan", "random_seed": 0, "tuning": 1.5, "test": 1.6, "seconds": 1.2,
        "epochs_made": 0.5, "uniform": 3.0, "unigram": 2.5, "five_gram": 1.7, "hidden_size": 64,
        "num_layers": 1, "dropout": 0.0, "batch_size": 4, "learning_rate": 0.01,
        "weight_decay": 0.01, "optimizer": "adamw", "epochs": 0.0,
        "options": "--threads 1",
    }  # fmt: skip
    neighbour = measured | {"setting": "half-units", "tuning": 1.5 - gap, "test": 1.55}
    rows = [measured.keys(), measured.values(), neighbour.values()]
    (tmp_path / "kinds.tsv").write_text("".join("\t".join(map(str, r)) + "\n" for r in rows))
    last = kinds(tmp_path, *FEW_STEPS).stdout.splitlines()[-1]
    assert last.endswith(f"  1.5000   1.6000   {gap:.4f}   0.0500 {sign} half-units")
