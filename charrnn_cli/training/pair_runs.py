"""What the start of a run on pairs does otherwise than one on a text."""

from dataclasses import replace
from typing import Any

import numpy as np

from charrnn_cli.checkpoints.checkpoint import Checkpoint
from charrnn_cli.checkpoints.pairs_info import PairLengths, PairsInfo
from charrnn_cli.checkpoints.records import PairBaselines
from charrnn_cli.checkpoints.runs import Run, text_paths
from charrnn_cli.errors import UsageError
from charrnn_cli.models.module import Model
from charrnn_cli.models.registry import DEFAULT_FOR_PAIRS
from charrnn_cli.models.seq2seq.base import PairConfig
from charrnn_cli.models.weights import Shared, copy_known_weights
from charrnn_cli.settings.configs import TrainConfig
from charrnn_cli.text.corpus import Corpus
from charrnn_cli.text.dataset import Dataset, Identified
from charrnn_cli.text.pair_format import PairFormat
from charrnn_cli.text.pairs import Pairs
from charrnn_cli.training.request import PairsRequest

LOOKED_AT = 100  # so many lines of a text are looked at for tabs
MOST_TABS = 9  # a text with more in each line is a table, and none of pairs
MOST_COUNTED = 1_000_000  # the most frequent target is sought among so many pairs


def choose_kind(given: dict[str, Any], pairs: PairsRequest | None, init: Checkpoint | None) -> None:
    """Set the default model for pairs. Raises UsageError for a model to start from that does not
    learn from what is given, pairs or a text."""
    if init is None:
        if pairs is not None:
            given.setdefault("model", DEFAULT_FOR_PAIRS)
    elif (init.pairs is not None) != (pairs is not None):
        raise UsageError(
            "--init-from: that is a language model, which does not learn from pairs. Leave out "
            "--pairs."
            if pairs is not None
            else "--init-from: that is a model of pairs. Add --pairs."
        )


def looks_like_pairs(corpus: Dataset) -> tuple[str, ...]:
    """A note on a text whose lines all have the same few tabs."""
    tab, newline = (corpus.vocabulary.id_of(character) for character in "\t\n")
    if tab is None or newline is None or not isinstance(corpus, Corpus):
        return ()
    beginning = corpus.ids[: 200 * LOOKED_AT]
    ends = np.flatnonzero(beginning == newline)[:LOOKED_AT]
    if not len(ends):
        return ()
    places = np.searchsorted(ends, np.flatnonzero(beginning[: ends[-1]] == tab))
    tabs = np.bincount(places, minlength=len(ends))
    if len(ends) < 3 or not 1 <= tabs[0] <= MOST_TABS or (tabs != tabs[0]).any():
        return ()
    if tabs[0] == 1:
        return ("every line has one tab: if these are pairs of a source and a target, add --pairs",)
    return (
        f"every line has {tabs[0]} tabs: if it holds a source and a target, add --pairs with "
        "--source-columns and --target-column",
    )


def pairs_info(
    dataset: Dataset, config: TrainConfig, request: PairsRequest | None
) -> PairsInfo | None:
    """What a checkpoint says of the pairs that it was trained on; None for a text."""
    if request is None or not isinstance(dataset, Pairs):
        return None
    train_part, _ = dataset.split(config.val_fraction)
    source = dataset.sources.lengths(train_part.rows) - 1
    target = dataset.targets.lengths(train_part.rows) - 1
    return PairsInfo(
        format=dataset.format,
        source=dataset.source_vocabulary,
        target=dataset.target_vocabulary,
        lengths=PairLengths(
            longest_source=int(source.max()),
            mean_source=float(source.mean()),
            longest_target=int(max(1, target.max())),
            mean_target=float(max(1, target.mean())),
            highest_ratio=float(max(0.01, (target / np.maximum(source, 1)).max())),
        ),
        pairs=len(train_part.rows),
        best_by=request.best_by,
        skip_bad_lines=request.skip_bad_lines,
    )


def baselines_of_pairs(pairs: Pairs, config: TrainConfig) -> PairBaselines:
    """The baselines for a run on pairs."""
    train_part, held_out = pairs.split(config.val_fraction)
    counted = train_part.rows[:MOST_COUNTED]
    hashes = pairs.targets.hashes(counted, pairs.target_vocabulary.hash_values())
    _, first, counts = np.unique(hashes, return_index=True, return_counts=True)
    top = np.flatnonzero(counts == counts.max())
    most_frequent = pairs.pair(int(counted[first[top].min()])).target
    measured = [pairs.pair(int(row)) for row in held_out.decoded()]
    return PairBaselines(
        copy=sum(pair.source == pair.target for pair in measured) / len(measured),
        most_frequent=sum(pair.target == most_frequent for pair in measured) / len(measured),
        target=most_frequent,
    )


def load_known_pairs(model: Model, pairs: Pairs, init: Checkpoint) -> str:
    """Initialise `model` from a model of other pairs: symbols that both know keep their weights.
    Returns in words how many those are."""
    config = model.config
    assert isinstance(config, PairConfig)
    assert init.pairs is not None
    sides = (
        (pairs.source_vocabulary, init.pairs.source, config.source_vocabulary_axes()),
        (pairs.target_vocabulary, init.pairs.target, config.vocabulary_axes()),
    )
    shared, words = [], []
    for (ours, theirs, axes), side in zip(sides, ("source", "target"), strict=True):
        ids = ours.shared(theirs)
        shared += [Shared(name, axis, *ids) for name, axis in axes.items()]
        known = len(ids[0]) - 1  # without the end
        words.append(f"{known} {side} symbols known, {len(ours) - 1 - known} new")
    copy_known_weights(model, init.weights, shared)
    return "; ".join(words)


def request_to_resume(
    run: Run, checkpoint: Checkpoint, request: PairsRequest | None
) -> PairsRequest | None:
    """How the pairs of a run are read again; None for a text. Raises UsageError for wishes that a
    resumed run cannot have, and if its held-out file is not there."""
    if checkpoint.pairs is None:
        if request is not None:
            raise UsageError(f"--pairs: run {run.name} learns a text. Leave it out.")
        return None
    info, val_text = checkpoint.pairs, checkpoint.val_text
    if request is not None and replace(request, val_source=None) != PairsRequest():
        raise UsageError(
            "a resumed run keeps how its pairs are read and what is best. Leave out all options of "
            "--pairs but --val-text."
        )
    val_source = None if request is None else request.val_source
    if val_text is None and val_source is not None:
        raise UsageError(f"--val-text: run {run.name} has none. Leave it out.")
    if val_text is not None and val_source is None:
        val_source = next(iter(text_paths(val_text)), None)
        if val_source is None:
            raise UsageError(
                f"the held-out pairs of run {run.name}, {val_text.path or val_text.name}, are not "
                "there; give them again with --val-text."
            )
    return PairsRequest(info.format, val_source, info.skip_bad_lines, info.best_by)


def checksums(dataset: Dataset) -> tuple[str, str | None]:
    """Those of what was read, and of a held-out text of the user's own."""
    val_text = dataset.val_text
    return dataset.sha256, None if val_text is None else val_text.sha256


def pair_options(info: PairsInfo, val_text: Identified | None) -> list[str]:
    """The words of `charrnn train` that read pairs as a run did."""
    default, words = PairFormat(), ["--pairs"]
    for name in ("source_columns", "target_column", "feature_columns", "max_length"):
        value = getattr(info.format, name)
        if value != getattr(default, name):
            numbers = value if isinstance(value, tuple) else (value,)
            words += [f"--{name.replace('_', '-')}", ",".join(map(str, numbers))]
    words += ["--skip-bad-lines"] * info.skip_bad_lines
    if info.best_by != "exact":
        words += ["--best-by", info.best_by]
    if val_text is not None:
        words += ["--val-text", val_text.path or "FILE"]
    return words
