"""What a page needs to know of a model besides its weights, as JSON can hold it."""

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np

from charrnn_cli.checkpoints.checkpoint import Checkpoint
from charrnn_cli.checkpoints.records import Baselines
from charrnn_cli.checkpoints.runs import Run
from charrnn_cli.errors import UsageError
from charrnn_cli.export.pair_page_data import THIS_MODEL, pair_data, shortened
from charrnn_cli.formatting import bits_per_char
from charrnn_cli.models.base import in_words
from charrnn_cli.models.registry import build_decoder
from charrnn_cli.models.transformer.config import NORM_EPSILON, ROPE_BASE
from charrnn_cli.sampling.drawing import generate
from charrnn_cli.settings.configs import SamplingConfig
from charrnn_cli.text.normalization import NONE
from charrnn_cli.text.vocabulary import REPLACEMENT

EXAMPLE_LENGTH = 280  # characters of the text that the page offers for reading
EXAMPLE_ITEMS = 8  # items of a list in it
MOST_STAGES = 10  # stages of training under the slider
MOST_POINTS = 300  # evaluations in the loss curve


def page_data(
    checkpoint: Checkpoint,
    file: Path | None = None,
    units: Path | None = None,
    example: str | None = None,
) -> dict[str, Any]:
    """Return what the page's script reads: names, sizes, vocabulary, losses, stages, units.

    `example` is the text that the page shows first: one to read, or a line to translate. Raises
    UsageError for units of a model that has none, and for an example that is no source.
    """
    model, pairs = checkpoint.model, checkpoint.pairs
    if pairs is not None and units is not None:
        raise UsageError("--units: a model of pairs has no units to study. Leave it out.")
    own = (
        _text_data(checkpoint, file, units, example)
        if pairs is None
        else pair_data(checkpoint, pairs, example)
    )
    return {
        "name": _name(checkpoint, file),
        "summary": f"{_size_in_words(checkpoint)}, trained on {checkpoint.corpus.name}",
        "config": {
            "architecture": model.architecture,
            **model.to_dict(),
            "context": model.context,
            "units": model.units,
            "epsilon": NORM_EPSILON,
            "rope_base": ROPE_BASE,
        },
        "tensors": [[name, values.size] for name, values in checkpoint.weights.items()],
        "vocabulary": checkpoint.vocabulary.code_points.tolist(),
        "layers": [
            [
                layer.name,
                f"{layer.inputs:,} → {layer.outputs:,}, {layer.parameters:,} parameters",
            ]
            for layer in model.layers()
        ],
        "history": _history(checkpoint),
        "stages": [] if file is None else stages(Run(file.parent), checkpoint.progress.step),
        **own,
        "facts": [("model", _size_in_words(checkpoint)), *own["facts"], *_trained(checkpoint)],
    }


def _text_data(
    checkpoint: Checkpoint, file: Path | None, units: Path | None, example: str | None
) -> dict[str, Any]:
    """What only the page of a model of texts needs."""
    vocabulary, train = checkpoint.vocabulary, checkpoint.train
    forms = [] if train.normalize == NONE else [("normal form", train.normalize)]
    items = [("items", "each line is one, and is read by itself")] if train.lines else []
    return {
        "normalize": train.normalize,
        "items": train.lines,
        "line_start": vocabulary.line_start,
        "replacement": vocabulary.id_of(REPLACEMENT) if checkpoint.reads_replacement else None,
        "seed": _seed(checkpoint),
        "example": _example(checkpoint) if example is None else example,
        "stage_note": "Each text starts from the beginning of a line, at temperature 0.8.",
        "facts": [
            ("text", f"{checkpoint.corpus.name}, {checkpoint.corpus.characters:,} characters"),
            *items,
            ("vocabulary", f"{len(vocabulary):,} characters: {shortened(vocabulary)}"),
            *forms,
        ],
        "baselines": _baselines(checkpoint),
        "units": [] if file is None or units is None else _units(file, units),
    }


def _name(checkpoint: Checkpoint, file: Path | None) -> str:
    """The run's name, or what the text's file is called."""
    if file is not None and file.name in ("best.safetensors", "last.safetensors"):
        return Run(file.parent).name
    return file.stem if file is not None else Path(checkpoint.corpus.name).stem


def _size_in_words(checkpoint: Checkpoint) -> str:
    model = checkpoint.model
    own = {name: getattr(model, name) for name in model.own_sizes()}
    plural = "s" if model.num_layers > 1 else ""
    return (
        f"{model.architecture}, {model.num_layers} layer{plural} of {model.hidden_size} units, "
        f"{in_words(own)}{model.parameters:,} parameters"
    )


def _trained(checkpoint: Checkpoint) -> list[tuple[str, str]]:
    progress, loss = checkpoint.progress, checkpoint.val_loss
    what = "text" if checkpoint.pairs is None else "pairs"
    rows = [("trained", f"{progress.step:,} steps, {progress.epoch:.2f} passes through the {what}")]
    if loss is not None:
        rows.append(
            ("held-out loss", f"{loss:.4f} nats, {bits_per_char(loss):.3f} bits per character")
        )
    return rows


def _history(checkpoint: Checkpoint) -> list[dict[str, float | None]]:
    """The evaluations, at most `MOST_POINTS`, in bits per character; `exact` is the share of exact
    matches of a model of pairs, None of one of texts."""
    records = checkpoint.history
    stride = math.ceil(len(records) / MOST_POINTS) or 1
    chosen = sorted({*range(0, len(records), stride), *range(len(records))[-1:]})
    return [
        {
            "at": float(records[index].get("epoch", records[index]["step"])),
            "train": bits_per_char(records[index]["train_loss"]),
            "held_out": bits_per_char(records[index]["val_loss"]),
            "exact": records[index].get("exact_matches"),
        }
        for index in chosen
    ]


def _baselines(checkpoint: Checkpoint) -> dict[str, Any]:
    marks, loss = checkpoint.baselines, checkpoint.val_loss
    named = [] if loss is None else [(THIS_MODEL, loss)]
    if isinstance(marks, Baselines):
        named += [
            ("the last four characters (5-gram)", marks.five_gram),
            ("how frequent characters are (unigram)", marks.unigram),
            ("all characters alike (uniform)", marks.uniform),
        ]
    most = max((value for _, value in named), default=0.0) or 1.0
    return {
        "title": "Loss beside simpler models",
        "note": "In bits for each character of text that it was not trained on: less is better.",
        "rows": [
            {
                "name": name,
                "share": value / most,
                "shown": f"{bits_per_char(value):.3f}",
                "own": name == THIS_MODEL,
            }
            for name, value in named
        ],
    }


def _seed(checkpoint: Checkpoint) -> str:
    """The text that writing starts from: what stands for the beginning of a line. An item of a list
    begins there by itself."""
    if checkpoint.train.lines:
        return ""
    return checkpoint.vocabulary.characters[checkpoint.vocabulary.line_start]


def _example(checkpoint: Checkpoint) -> str:
    """A text by the model itself, always the same, for reading before the reader types one."""
    if not checkpoint.train.lines:
        return _drawn(checkpoint, random_seed=1)
    items = (_drawn(checkpoint, seed).partition("\n")[0] for seed in range(1, EXAMPLE_ITEMS + 1))
    return "".join(f"{item}\n" for item in items)


def _drawn(checkpoint: Checkpoint, random_seed: int) -> str:
    """What the model writes from the beginning of a line."""
    drawn = generate(
        build_decoder(checkpoint.model, checkpoint.weights),
        [checkpoint.vocabulary.line_start],
        SamplingConfig(temperature=0.7),
        random_seed,
    )
    ids = list(itertools.islice(drawn, EXAMPLE_LENGTH))
    return checkpoint.vocabulary.decode(ids)


def stages(run: Run, last_step: int) -> list[dict[str, str]]:
    """At most `MOST_STAGES` of the texts that a run kept up to `last_step`, evenly spread."""
    samples = [sample for sample in run.samples() if sample.step <= last_step]
    places = np.linspace(0, len(samples) - 1, min(MOST_STAGES, len(samples)))
    chosen = [samples[int(place)] for place in places.round()]
    return [
        {
            "label": f"step {sample.step:,}, {sample.epoch:.1f} passes, "
            f"{bits_per_char(sample.val_loss):.2f} bits per character",
            "text": sample.text,
        }
        for sample in chosen
    ]


def _units(file: Path, text: Path) -> list[dict[str, Any]]:
    """The units that follow something in a text, as the page's list offers them."""
    from charrnn_cli.units.report import is_visible, report_units

    report = report_units(file, str(text))
    size = report.checkpoint.model.hidden_size
    return [
        {
            "index": finding.layer * size + finding.unit,
            "label": f"{finding.feature.meaning} ({finding.correlation:+.2f})",
        }
        for finding in report.study.findings
        if is_visible(finding)
    ]
