"""How many characters a second an exported page writes, in a browser without a window.

python benchmarks/page.py [--models NAME …] [--characters 2000] [--rounds 5]

A name is `sonnets`, the shipped model, or architecture, hidden size, layers and context of a GPT or
Llama with random weights. Its figure covers several contexts, so that reading half a context again
is in it. Needs a Chromium and Playwright, as the tests of pages do.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from browser import HOW_TO_INSTALL, chromium, open_browser
from factories import make_checkpoint

from charrnn_cli.checkpoints.checkpoint import load
from charrnn_cli.export.html_page import page_bytes
from charrnn_cli.models.registry import untrained_weights
from charrnn_cli.models.transformer.config import TransformerConfig

SHIPPED = ROOT / "checkpoints/sonnets/best.safetensors"
MEASURE = """(count) => ask('speed', { ids: [0], count,
    settings: { temperature: 0.8, topK: null } }).then(({ perSecond }) => perSecond)"""


def transformer(architecture: str, size: int, layers: int, context: int):
    vocabulary = "".join(map(chr, range(32, 97)))
    config = TransformerConfig(
        architecture, len(vocabulary), size, layers, 0.0, num_heads=4, context=context
    )
    tiny = make_checkpoint("gpt2", vocabulary=vocabulary)
    values = vars(tiny) | {"model": config, "weights": untrained_weights(config)}
    return type(tiny)(**values)


def models(names: list[str]):
    for name in names:
        if name == "sonnets":
            yield name, load(SHIPPED)
        else:
            architecture, *sizes = name.split(",")
            yield name, transformer(architecture, *map(int, sizes))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["sonnets", "gpt2,208,4,256"])
    parser.add_argument("--characters", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    if chromium() is None:
        sys.exit(HOW_TO_INSTALL)
    print("model             parameters    page  characters/s: median, best")
    with tempfile.TemporaryDirectory() as folder, open_browser() as browser:
        for name, checkpoint in models(asked.models):
            path = Path(folder) / "page.html"
            path.write_bytes(page_bytes(checkpoint))
            page = browser.new_page()
            page.set_default_timeout(300_000)
            page.goto(path.as_uri())
            page.wait_for_selector("body[data-ready]")
            page.evaluate(MEASURE, min(200, asked.characters))  # until the code is compiled
            speeds = [page.evaluate(MEASURE, asked.characters) for _ in range(asked.rounds)]
            megabytes = path.stat().st_size / 1e6
            print(
                f"{name:<17} {checkpoint.model.parameters:>10,} {megabytes:>4.1f} MB  "
                f"{np.median(speeds):>8,.0f} {max(speeds):>8,.0f}"
            )
            page.close()


if __name__ == "__main__":
    main()
