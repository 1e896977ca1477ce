"""A model as one self-contained page that runs it in a browser.

The page's script is the readable source in `page/`, put together and not changed. What comes from
the checkpoint stands in it as JSON and base64 alone, and never as markup.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from charrnn_cli.checkpoints.atomic_write import write_file
from charrnn_cli.checkpoints.checkpoint import Array, Checkpoint
from charrnn_cli.errors import UsageError
from charrnn_cli.export.page_data import page_data

SOURCE = Path(__file__).parent / "page"


@dataclass(frozen=True)
class Kind:
    """What the page of one kind of model is put together from: its views, and the scripts of the
    page and of its worker, beside those that all pages have."""

    views: str
    page: tuple[str, ...]
    worker: tuple[str, ...]


TEXTS = Kind(
    "text_views", ("vocabulary", "normalization", "writing", "reading"), ("scoring", "text_worker")
)
PAIRS = Kind(
    "pair_views",
    ("symbols", "source_lines", "heat_map", "translating"),
    ("beam_search", "pair_worker"),
)
# The script that runs each architecture; those of transformers share parts.
DECODERS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("gru", "lstm", "rnn"), ("recurrent",)),
    **dict.fromkeys(("gpt2", "llama"), ("norms", "attention", "transformer")),
    **dict.fromkeys(("seq2seq", "attention"), ("seq2seq",)),
    "transformer": ("norms", "attention", "seq2seq", "seq2seq_transformer"),
}
MAX_HALF = 65504.0  # the largest number of 16-bit floats


def write_page(
    checkpoint: Checkpoint,
    path: Path,
    *,
    file: Path | None = None,
    units: Path | None = None,
    example: str | None = None,
) -> list[Path]:
    """Write the page of a model; return the files written.

    `file` is where the checkpoint was read from: its folder may hold the run's samples. With a text
    `units`, the page names the hidden units that follow something in it; `example` is the text that
    it shows first. Raises UsageError for a model that the page cannot run, TextError for a text
    that cannot be used, WriteError.
    """
    page = page_bytes(checkpoint, file, units, example)
    write_file(path, page, "choose another file")
    return [path]


def page_bytes(
    checkpoint: Checkpoint,
    file: Path | None = None,
    units: Path | None = None,
    example: str | None = None,
) -> bytes:
    """The page of a model, UTF-8. Raises as `write_page`, but for WriteError."""
    architecture = checkpoint.model.architecture
    if architecture not in DECODERS:
        raise UsageError(f"--html: no page runs a model of kind {architecture} yet.")
    data = page_data(checkpoint, file, units, example)
    kind = TEXTS if checkpoint.pairs is None else PAIRS
    script = _joined(("page", "characters", "bars", *kind.page, "learning", "about"))
    worker = _joined(
        ("worker", "matrices", "simd", "drawing", *DECODERS[architecture], *kind.worker)
    )
    style = (SOURCE / "page.css").read_text("utf-8")
    parts = {
        "policy": _policy(script, style),
        "style": style,
        "data": as_json(data),
        "weights": base64.b64encode(half_floats(checkpoint.weights).tobytes()).decode(),
        "worker": worker,
        "views": (SOURCE / f"{kind.views}.html").read_text("utf-8"),
        "script": script,
    }
    return _filled((SOURCE / "page.html").read_text("utf-8"), parts).encode()


def half_floats(weights: Mapping[str, Array]) -> npt.NDArray[np.float16]:
    """All weights in order, as 16-bit floats; what is too large for these becomes the largest."""
    flat = np.concatenate([np.ravel(values) for values in weights.values()])
    return flat.clip(-MAX_HALF, MAX_HALF).astype("<f2")


def as_json(data: Any) -> str:
    """JSON that cannot end the script element that it stands in."""
    return json.dumps(data, allow_nan=False).replace("<", "\\u003c")


def _joined(names: Sequence[str]) -> str:
    sources = [(SOURCE / f"{name}.js").read_text("utf-8") for name in names]
    return "\n".join(['"use strict";', *sources])


def _policy(script: str, style: str) -> str:
    """A Content-Security-Policy: this very script and style, a worker made of text, no network.

    The worker's script puts a WebAssembly function together, which `wasm-unsafe-eval` allows.
    """
    return (
        f"default-src 'none'; script-src {_digest(script)} 'wasm-unsafe-eval'; "
        f"style-src {_digest(style)}; worker-src blob:; base-uri 'none'; form-action 'none'"
    )


def _digest(source: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"


def _filled(template: str, parts: Mapping[str, str]) -> str:
    """The template with a part in each `{{name}}`; what a part holds is not looked at again."""
    pieces = template.split("{{")
    filled = [pieces[0]]
    for piece in pieces[1:]:
        name, rest = piece.split("}}", 1)
        filled += [parts[name], rest]
    return "".join(filled)
