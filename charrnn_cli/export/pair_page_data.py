"""What the page of a model of pairs needs to know of it besides its weights."""

from collections.abc import Mapping
from typing import Any

from charrnn_cli.checkpoints.checkpoint import Checkpoint
from charrnn_cli.checkpoints.pairs_info import PairsInfo
from charrnn_cli.checkpoints.records import PairBaselines
from charrnn_cli.errors import UsageError
from charrnn_cli.inspection.pair_facts import accuracy_words, pair_facts, size_rows
from charrnn_cli.text.pair_format import PairFormat
from charrnn_cli.text.vocabulary import REPLACEMENT, Vocabulary

THIS_MODEL = "this model"
MOST_LISTED = 200  # characters of a vocabulary that are listed


def pair_data(checkpoint: Checkpoint, pairs: PairsInfo, example: str | None) -> dict[str, Any]:
    """Return the columns, vocabularies, lengths and accuracy, as JSON can hold them.

    `example` is the line that the page translates first. Raises UsageError if it is no source.
    """
    source, form = pairs.source, pairs.format
    return {
        "pairs": {
            "source": {
                "points": source.characters.code_points.tolist(),
                "features": list(source.features),
            },
            "replacement": source.characters.id_of(REPLACEMENT),
            "source_columns": list(form.source_columns),
            "feature_columns": list(form.feature_columns),
            "names": _names(pairs),
            "example": {} if example is None else _cells(form, example),
            "max_length": form.max_length,
            "longest_source": pairs.lengths.longest_source,
            "longest_target": pairs.lengths.longest_target,
        },
        "stage_note": "Held-out sources, and what the model made of them.",
        "facts": _facts(checkpoint, pairs),
        "baselines": _baselines(checkpoint),
    }


def shortened(vocabulary: Vocabulary) -> str:
    """The characters of a vocabulary, as many as can be read."""
    shown = vocabulary.characters[:MOST_LISTED].replace("\n", "↵").replace("\t", "⇥")
    return shown + ("…" if len(vocabulary) > MOST_LISTED else "")


def _names(pairs: PairsInfo) -> dict[int, str]:
    """What the page calls the field of each column."""
    form = pairs.format
    several = len(form.source_columns) > 1
    names = {
        column: f"Source, column {column}" if several else "Source, the line to translate"
        for column in form.source_columns
    }
    return names | {
        column: f"Features, column {column}, with ; between them" for column in form.feature_columns
    }


def _cells(form: PairFormat, line: str) -> Mapping[int, str]:
    """The texts of a line's columns, by number. Raises UsageError for another number of columns."""
    columns = sorted((*form.source_columns, *form.feature_columns))
    cells = line.split("\t")
    if len(cells) != len(columns) or "\n" in line:
        raise UsageError(
            f"--example: must be one line of {len(columns)} columns with tabs between them, as "
            "`charrnn translate` reads it."
        )
    return dict(zip(columns, cells, strict=True))


def _facts(checkpoint: Checkpoint, pairs: PairsInfo) -> list[tuple[str, str]]:
    facts = pair_facts(checkpoint)
    source, target = pairs.source, checkpoint.vocabulary
    rows = [
        *size_rows(facts["pairs"]),
        ("sources", f"{len(source.characters):,} characters: {shortened(source.characters)}"),
        ("targets", f"{len(target):,} characters: {shortened(target)}"),
    ]
    if source.features:
        listed = ", ".join(source.features[:MOST_LISTED])
        rows.append(("features", f"{len(source.features):,}: {listed}"))
    return [*rows, ("held-out pairs", accuracy_words(facts))]


def _baselines(checkpoint: Checkpoint) -> dict[str, Any]:
    marks, share = checkpoint.baselines, pair_facts(checkpoint)["exact_matches"]
    named = [] if share is None else [(THIS_MODEL, share)]
    if isinstance(marks, PairBaselines):
        named += [
            ("copying the source", marks.copy),
            (f"the most frequent target, {marks.target}", marks.most_frequent),
        ]
    return {
        "title": "Exact matches beside simple rules",
        "note": "The share of held-out pairs that are translated without a mistake.",
        "rows": [
            {"name": name, "share": value, "shown": f"{value:.1%}", "own": name == THIS_MODEL}
            for name, value in named
        ],
    }
