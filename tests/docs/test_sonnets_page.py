"""The page of the sonnets model in docs/ is what the present charrnn would write."""

import json
import re
from pathlib import Path

from charrnn_cli.checkpoints.checkpoint import load
from charrnn_cli.export.html_page import page_bytes

ROOT = Path(__file__).parents[2]
COMMAND = "charrnn export sonnets --html docs/sonnets.html --units data/sonnets.txt --force"


def fixed_parts(page):
    """The page without what rounding on another machine could change: its example, its units."""
    before, data, after = re.split(r'(?<=id="data">)(.*?)(?=</script>)', page, maxsplit=1)
    values = json.loads(data)
    del values["example"], values["units"]
    return before, values, after


def test_the_page_of_the_sonnets_is_not_stale():
    file = ROOT / "checkpoints/sonnets/best.safetensors"
    kept = (ROOT / "docs/sonnets.html").read_text("utf-8")
    fresh = page_bytes(load(file), file).decode()
    assert fixed_parts(kept) == fixed_parts(fresh), f"stale: {COMMAND}"


def test_the_page_of_export_has_the_command_that_makes_it():
    assert COMMAND in (ROOT / "docs/export.md").read_text("utf-8")
