"""What `charrnn info` shows of a model of pairs besides what it shows of every model."""

import textwrap
from collections.abc import Mapping
from typing import Any

from charrnn_cli.checkpoints.checkpoint import Checkpoint
from charrnn_cli.terminal.ascii_plots import draw_shares


def pair_facts(checkpoint: Checkpoint) -> dict[str, Any]:
    """The facts of a model of pairs, as JSON can hold them; none of a language model.

    `exact_matches` and `character_error_rate` are of the weights in this file, None if they were
    not measured.
    """
    if (info := checkpoint.pairs) is None:
        return {}
    last = checkpoint.history[-1] if checkpoint.val_loss is not None else {}
    val_text = checkpoint.val_text
    return {
        "exact_matches": last.get("exact_matches"),
        "character_error_rate": last.get("character_error_rate"),
        "pairs": {
            "count": info.pairs,
            "source_symbols": info.symbols[0],
            "target_characters": info.symbols[1],
            **vars(info.lengths),
            "source_vocabulary_size": len(info.source),
            "source_vocabulary": info.source.characters.characters,
            "features": list(info.source.features),
            "source_columns": list(info.format.source_columns),
            "target_column": info.format.target_column,
            "feature_columns": list(info.format.feature_columns),
            "max_length": info.format.max_length,
            "best_by": info.best_by,
            "val_text": None
            if val_text is None
            else {
                "name": val_text.name,
                "characters": val_text.characters,
                "sha256": val_text.sha256,
            },
        },
    }


def accuracy_words(facts: Mapping[str, Any]) -> str:
    """The exact matches and the character error rate of a checkpoint in words."""
    if facts["exact_matches"] is None:
        return "not measured yet"
    return (
        f"{facts['exact_matches']:.1%} exact matches, {facts['character_error_rate']:.2%} "
        "character errors"
    )


def pairs_in_words(name: str, pairs: Mapping[str, Any]) -> str:
    """The file of pairs and the size of both sides of what was trained on."""
    symbols = "symbols" if pairs["features"] else "characters"
    return (
        f"{name}, {pairs['source_symbols']:,} {symbols} in sources and "
        f"{pairs['target_characters']:,} characters in targets to train on"
    )


def size_rows(pairs: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How many pairs there are and how long they are, as rows of a table."""
    rows = [
        (
            "pairs",
            f"{pairs['count']:,} to train on; sources of {pairs['mean_source']:.1f} symbols on "
            f"average and at most {pairs['longest_source']:,}, targets of "
            f"{pairs['mean_target']:.1f} and at most {pairs['longest_target']:,}",
        )
    ]
    columns = f"source {_numbers(pairs['source_columns'])}, target {pairs['target_column']}"
    if pairs["feature_columns"]:
        columns += f", features {_numbers(pairs['feature_columns'])}"
    rows.append(("columns", columns))
    if pairs["val_text"] is not None:
        rows.append(("held out", pairs["val_text"]["name"]))
    return rows


def _numbers(columns: list[int]) -> str:
    return " and ".join(map(str, columns))


def draw_pair_baselines(
    facts: Mapping[str, Any], width: int, signs: Mapping[str, str]
) -> list[str]:
    """The exact matches of a model beside those of two simple rules; no lines if they were not
    measured."""
    marks, share = facts["marks"], facts["exact_matches"]
    if marks is None or share is None:
        return []
    shares = [
        ("copy the source", marks["copy"]),
        ("most frequent target", marks["most_frequent"]),
        ("this model", share),
    ]
    legend = f"The most frequent target is {marks['target']!r}."
    return draw_shares(shares, width, signs) + textwrap.wrap(legend, max(width, 20))
