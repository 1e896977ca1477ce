"""What comes with the program: trained models and example texts."""

import os
from pathlib import Path

from charrnn_cli.errors import UsageError

PACKAGE = Path(__file__).parents[1]
# Not all that is in the repository's folder, which holds its developers' runs too.
MODELS = ("sonnets", "dates", "english")
BASE = "english"  # a model to start others from, which is no run of the repository's folder


def shipped_folder() -> Path:
    """The folder that holds `data/` and `checkpoints/`: inside an installed package, or the
    repository itself."""
    installed = PACKAGE / "shipped"
    return installed if installed.is_dir() else PACKAGE.parent


def shipped_models() -> dict[str, Path]:
    """The checkpoint file of each shipped model, by name."""
    return {
        name: file
        for name in MODELS
        if (file := shipped_folder() / "checkpoints" / name / "best.safetensors").is_file()
    }


def example_text(name: str) -> str:
    """The path of an example text. Raises UsageError, naming those there are."""
    texts = {path.stem: path for path in sorted((shipped_folder() / "data").glob("*.txt"))}
    if name not in texts:
        known = ", ".join(texts) or "none in this installation"
        raise UsageError(f"--example {name}: there is no such text. The examples are: {known}.")
    return str(texts[name])


def is_base_model(folder: Path) -> bool:
    """Whether a folder is that of the shipped base model."""
    file = shipped_models().get(BASE)
    return file is not None and folder.name == BASE and os.path.samefile(folder, file.parent)


def known_names(checkpoints: Path) -> list[str]:
    """The names of the runs in a folder and of the shipped models, sorted. Opens no file."""
    folders = checkpoints.iterdir() if os.path.isdir(checkpoints) else ()
    runs = {
        folder.name
        for folder in folders
        if any((folder / f"{kind}.safetensors").is_file() for kind in ("best", "last"))
    }
    return sorted(runs | shipped_models().keys())
