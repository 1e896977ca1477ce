"""Files of pairs that several tests read, and small trainings on them."""

import random
from pathlib import Path

from factories import train

from charrnn_cli.text.pair_file import read_pairs
from charrnn_cli.text.pair_format import PairFormat

SMALL_PAIRS = {"hidden_size": 16, "num_layers": 1, "dropout": 0.1, "batch_size": 16}


def write_pairs(path: Path, *lines: str) -> str:
    """A file of these lines, given with spaces for tabs; returns its path."""
    path.write_text("".join(line.replace(" ", "\t") + "\n" for line in lines))
    return str(path)


def upper_pairs(path: Path, count: int = 200, seed: int = 1) -> Path:
    """Pairs of a short word and the same in capitals, which is easy to learn."""
    rng = random.Random(seed)
    found = ("".join(rng.choices("abcd", k=rng.randint(1, 4))) for _ in range(count))
    path.write_text("".join(f"{word}\t{word.upper()}\n" for word in found))
    return path


def pairs_of(path: Path, *lines: str, **how):
    """Pairs read from these lines, with spaces for tabs."""
    columns = {name: how.pop(name) for name in list(how) if name in PairFormat.__dataclass_fields__}
    return read_pairs(write_pairs(path, *lines), PairFormat(**columns), **how)


def train_pairs(text: Path | None, folder: Path, **wishes):
    """Train a small model of pairs to the end; return the events and the trainer."""
    from charrnn_cli.training.request import PairsRequest

    names = PairsRequest.__dataclass_fields__
    how = {name: wishes.pop(name) for name in list(wishes) if name in names}
    if "resume" not in wishes:
        wishes = SMALL_PAIRS | {"seq_length": None, "epochs": 3.0, "learning_rate": 0.01} | wishes
    wishes.setdefault("pairs", PairsRequest(**how))
    return train(text, folder, **wishes)
