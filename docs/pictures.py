"""Draws the pictures of these pages, each from a real run, as a user would draw it with --plot.

    python docs/pictures.py [loss] [surprisal] [units] [attention] [translation]

Without a name it draws all five. `loss` trains on the sonnets first, on one thread, and `attention`
on repeated words, which takes minutes; the others use the shipped model. White borders are cut off
and colours reduced to a palette, so that each file stays small.
"""

import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from string import ascii_lowercase

from PIL import Image, ImageChops

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs" / "images"
TEXT = "data/sonnets.txt"
LAST_SONNET = 14  # lines at the end of the text, which no model here was trained on
BORDER = 20  # pixels of white around a picture
COLOURS = {"attention": 200}  # in a picture's palette, 48 unless named
MAX_BYTES = 150_000


def main() -> None:
    """Draw the pictures that the command line names."""
    pictures = {
        "loss": draw_loss,
        "surprisal": draw_surprisal,
        "units": draw_units,
        "attention": draw_attention,
        "translation": draw_translation,
    }
    for name in sys.argv[1:] or pictures:
        path = IMAGES / f"{name}.png"
        with tempfile.TemporaryDirectory() as folder:
            pictures[name](path, Path(folder))
        shrink(path)
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes")
        assert path.stat().st_size < MAX_BYTES


def draw_translation(path: Path, folder: Path) -> None:
    """What each character of an ISO date looks at in a date that somebody wrote."""
    charrnn("translate", "dates", "Sunday, 3. Mai 1987", "--plot", str(path))


def draw_loss(path: Path, folder: Path) -> None:
    """The loss curves of a training with no settings given."""
    charrnn("train", TEXT, "--threads", "1", "--checkpoints", str(folder), "--quiet")
    charrnn("info", "--checkpoints", str(folder), "--plot", str(path))


def draw_surprisal(path: Path, folder: Path) -> None:
    """The last sonnet, coloured by the surprisal of each character."""
    text = folder / "sonnet-154.txt"
    lines = (ROOT / TEXT).read_text("utf-8").splitlines(keepends=True)
    text.write_text("".join(lines[-LAST_SONNET:]), "utf-8")
    charrnn("score", str(text), "--checkpoint", "sonnets", "--plot", str(path))


def draw_units(path: Path, folder: Path) -> None:
    """The units that follow the line best, over the lines that show it."""
    charrnn("info", "sonnets", "--units", TEXT, "--plot", str(path))


def draw_attention(path: Path, folder: Path) -> None:
    """The heads of a transformer that has learned to repeat words, as in attention.md."""
    rng = random.Random(3)
    words = ["".join(rng.choices(ascii_lowercase, k=rng.randint(12, 24))) for _ in range(9000)]
    (folder / "repeats.txt").write_text("".join(f"{word} {word} {word}\n" for word in words))
    sizes = "--num-layers 2 --hidden-size 64 --num-heads 4 --context 96 --minutes 2.5 --threads 1"
    charrnn("train", "repeats.txt", "--model", "llama", *sizes.split(), "--quiet", cwd=folder)
    charrnn("info", "--attention", "repeats.txt", "--plot", str(path), cwd=folder)


def charrnn(*words: str, cwd: Path = ROOT) -> None:
    """Run a command in the root of the repository, or in another folder. Raises CalledProcessError
    if it fails."""
    command = [sys.executable, "-m", "charrnn_cli", *words]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run(command, cwd=cwd, env=environment, stdout=subprocess.DEVNULL, check=True)


def shrink(path: Path) -> None:
    """Cut off a picture's white borders and store it with a palette."""
    with Image.open(path) as stored:
        picture = stored.convert("RGB")
    white = Image.new("RGB", picture.size, "white")
    left, top, right, bottom = ImageChops.difference(picture, white).getbbox()
    width, height = right - left + 2 * BORDER, bottom - top + 2 * BORDER
    framed = Image.new("RGB", (width, height), "white")
    framed.paste(picture.crop((left, top, right, bottom)), (BORDER, BORDER))
    framed.quantize(COLOURS.get(path.stem, 48), dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main()
