"""The README and the pages in docs/ name every option, field and exit code, and nothing else."""

import functools
import json
import re
from pathlib import Path

import pytest
from factories import make_checkpoint, save_checkpoint
from typer.testing import CliRunner

from charrnn_cli.__main__ import app
from charrnn_cli.errors import ExitCode

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
COMMANDS = ("train", "sample", "translate", "score", "info", "runs", "export")
LONGEST_README = 150  # lines
MAX_IMAGE = 150_000  # bytes
SHIPPED = ROOT / "checkpoints/sonnets/best.safetensors"
DATES = str(ROOT / "checkpoints/dates/best.safetensors")
SONNETS = ROOT / "data/sonnets.txt"

# options of other programs that the pages show
FOREIGN = re.compile(
    r"torchrun .*? -m|--max-restarts|--install-completion|ruff format --check"
    r"|tensorboard --logdir"
)


def read(name):
    return (ROOT / "docs" / name).read_text("utf-8")


def help_of(command):
    return CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).stdout


@functools.cache
def options_of(command):
    lines = re.findall(r"^  (-.*?)(?:  |$)", help_of(command), re.MULTILINE)
    return set(re.findall(r"--[a-z-]+", " ".join(lines))) - {"--help"}


def prose(text):
    """The page without its blocks of code."""
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(text):
    """The names by which GitHub links to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_page_of_a_command_has_each_option_in_its_table(command):
    rows = re.findall(r"^\| (`-.*?) \|", read(f"{command}.md"), re.MULTILINE)
    assert set(re.findall(r"--[a-z-]+", " ".join(rows))) == options_of(command)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_has_no_option_that_is_not_there(page):
    known = {"--help", "--version"}.union(*map(options_of, COMMANDS))
    text = FOREIGN.sub("", page.read_text("utf-8"))
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", text)) <= known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_links_of_a_page_lead_to_files_and_headings(page):
    links = re.findall(r"\]\((?!https?:)([^)]*)\)", prose(page.read_text("utf-8")))
    for link in links:
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        if anchor:
            assert anchor in anchors(target.read_text("utf-8")), link


def test_the_readme_leads_to_every_page():
    readme = (ROOT / "README.md").read_text("utf-8")
    missing = {page.name for page in PAGES[1:] if f"(docs/{page.name})" not in readme}
    assert missing == set()


def test_the_readme_is_short():
    readme = (ROOT / "README.md").read_text("utf-8")
    assert len(readme.splitlines()) <= LONGEST_README


def test_the_readme_has_a_line_for_each_room():
    readme = (ROOT / "README.md").read_text("utf-8")
    rooms = {path.parent.name for path in (ROOT / "charrnn_cli").glob("*/__init__.py")}
    assert {room for room in rooms if f"| `{room}/` |" not in readme} == set()


def test_the_pictures_are_small_and_shown():
    shown = "".join(page.read_text("utf-8") for page in PAGES)
    pictures = list((ROOT / "docs/images").iterdir())
    assert pictures
    for picture in pictures:
        assert picture.stat().st_size < MAX_IMAGE, picture.name
        assert f"images/{picture.name})" in shown, picture.name


def test_every_exit_code_is_listed():
    section = read("files.md").split("## Exit codes")[1].split("\n## ")[0]
    listed = {int(n) for row in re.findall(r"^\| ([\d, ]+) \|", section, re.MULTILINE)
              for n in row.split(", ")}  # fmt: skip
    assert listed == set(map(int, ExitCode))


def fields(value):
    """The names of the fields in a JSON value, those of listed and known objects included."""
    if isinstance(value, list):
        return fields(value[0]) if value else set()
    if not isinstance(value, dict):
        return set()
    parts = ("static", "adapted", "marks", "corpus", "features", "shown", "parts", "runs",
             "patterns", "heads", "written", "most_surprising", "least_surprising")  # fmt: skip
    return set(value).union(*(fields(value[name]) for name in parts if name in value))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("heading", "words"),
    [
        ("charrnn sample --json", ["sample", SHIPPED, "--length", 5, "--json"]),
        ("charrnn score --json",
         ["score", "short.txt", "--checkpoint", SHIPPED, "--json", "--lines", "--adapt"]),
        ("charrnn info --json", ["info", SHIPPED, "--json"]),
        ("charrnn info --all --json",
         ["info", "--all", "--json", "--checkpoints", SHIPPED.parents[1]]),
        ("charrnn runs compare --json",
         ["runs", "compare", "--json", "--checkpoints", SHIPPED.parents[1]]),
        ("charrnn info --units --json", ["info", SHIPPED, "--units", "long.txt", "--json"]),
        ("charrnn info --attention --json",
         ["info", "heads.safetensors", "--attention", "long.txt", "--json"]),
        ("charrnn export --json", ["export", SHIPPED, "--html", "page.html", "--json"]),
    ],
)  # fmt: skip
def test_every_json_field_is_listed(heading, words, invoke, tmp_path):
    text = SONNETS.read_text("utf-8")
    (tmp_path / "short.txt").write_text(text[:200])
    (tmp_path / "long.txt").write_text(text[:3000])
    heads = make_checkpoint("llama", vocabulary=text[:3000])
    save_checkpoint(tmp_path / "heads.safetensors", heads)
    found = fields(json.loads(invoke(*map(str, words)).stdout))
    assert found - listed_under(heading) == set()


def test_every_field_of_a_training_is_listed(invoke, tmp_path):
    (tmp_path / "text.txt").write_text(SONNETS.read_text("utf-8")[:1000])
    words = ["text.txt", "--hidden-size", "8", "--epochs", "2", "--threads", "1"]
    result = json.loads(invoke("train", *words, "--json", "--quiet").stdout)
    assert set(result) - listed_under("charrnn train --json") == set()
    lines = (Path(result["folder"]) / "metrics.jsonl").read_text().splitlines()
    of_pairs = {"exact_matches", "character_error_rate"}
    assert set(json.loads(lines[0])) == listed_under("metrics.jsonl") - of_pairs
    (sample, *_) = (Path(result["folder"]) / "samples.jsonl").read_text().splitlines()
    assert set(json.loads(sample)) == listed_under("samples.jsonl")


def listed_under(heading):
    """The fields that a section of json.md names."""
    section = read("json.md").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return set(re.findall(r"`([a-z_0-9]+)`", section))


def test_the_columns_of_tsv_are_listed(invoke, tmp_path):
    (tmp_path / "short.txt").write_text("A line\n")
    table = invoke("score", "short.txt", "--checkpoint", str(SHIPPED), "--tsv").stdout
    section = read("json.md").split("## charrnn score --tsv")[1].split("\n## ")[0]
    columns = "`, `".join(table.splitlines()[0].split("\t"))
    assert f"`{columns}`" in section


def test_the_map_in_the_page_of_translate_is_what_translate_prints(invoke):
    shown = invoke("translate", DATES, "3 maja 1987", "--attention").stdout
    assert f"--attention\n{shown.rstrip()}\n```" in read("translate.md")


def test_the_fields_and_columns_of_pairs_are_listed(invoke, tmp_path):
    (tmp_path / "dates.tsv").write_text("3. Mai 1987\t1987-05-03\n1.2.2003\t2003-02-03\n")
    words = ["score", "dates.tsv", "--checkpoint", DATES]
    found = json.loads(invoke(*words, "--json", "--lines").stdout)
    assert set(found) | set(found["worst"][0]) <= listed_under("charrnn score --json")
    columns = invoke(*words, "--tsv").stdout.splitlines()[0].split("\t")
    assert set(columns) <= listed_under("charrnn score --tsv")
    found = json.loads(invoke("info", DATES, "--json").stdout)
    assert fields(found) | set(found["pairs"]) <= listed_under("charrnn info --json")


def test_the_drawing_in_the_page_of_info_is_what_info_prints(invoke):
    shown = invoke("info", str(SHIPPED)).stdout.splitlines()
    block = read("info.md").split("$ charrnn info sonnets\n")[1].split("\n```")[0]
    drawn = [line for line in block.splitlines() if re.search("[│█●]", line)]
    assert len(drawn) > 12
    assert [line for line in drawn if line not in shown] == []
