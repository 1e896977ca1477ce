"""Small things that tests of models of pairs build: configurations, weights, batches."""

import numpy as np
import pytest

from charrnn_cli.checkpoints.checkpoint import Checkpoint
from charrnn_cli.checkpoints.pairs_info import PairLengths, PairsInfo
from charrnn_cli.checkpoints.records import CorpusInfo, Progress
from charrnn_cli.models.registry import make_config
from charrnn_cli.text.dataset import IGNORE, Batch
from charrnn_cli.text.pair_format import PairFormat
from charrnn_cli.text.symbols import SymbolVocabulary
from charrnn_cli.text.vocabulary import Vocabulary

EVERY_MODEL = pytest.mark.parametrize("name", ["seq2seq", "attention", "transformer"])


def make_pair_config(
    name,
    *,
    layers=2,
    units=24,
    heads=3,
    dropout=0.0,
    vocabulary_size=11,
    source_vocabulary_size=13,
    adds_positions=True,
):
    """A small model of pairs, with vocabularies of different sizes."""
    sizes = {"hidden_size": units, "num_layers": layers, "dropout": dropout, "num_heads": heads}
    sizes["adds_positions"] = adds_positions
    return make_config(name, vocabulary_size, sizes, {}, source_vocabulary_size)


def make_pair_weights(config, scale=0.3):
    """Random weights with opinions; norms near one."""
    rng = np.random.default_rng(5)
    return {
        name: (rng.normal(0, scale, shape) + ("norm" in name)).astype(np.float32)
        for name, shape in config.parameter_shapes().items()
    }


def random_pairs(count, seed=7, longest=9):
    """Sources and targets of ids below 9, of different lengths."""
    rng = np.random.default_rng(seed)
    return [
        tuple(rng.integers(0, 9, rng.integers(3, longest + 1)).tolist() for _ in range(2))
        for _ in range(count)
    ]


def make_pair_checkpoint(
    name="attention", source="abcdé", target="ABCD ", features=(), pair_format=None, **sizes
):
    """A tiny checkpoint with random weights that turns `source` characters into `target` ones."""
    from factories import make_train_config

    source_symbols = SymbolVocabulary(Vocabulary.of(source), features)
    characters = Vocabulary.of(target)
    target_symbols = SymbolVocabulary(characters)
    config = make_pair_config(
        name,
        vocabulary_size=len(target_symbols),
        source_vocabulary_size=len(source_symbols),
        **({"layers": 1} | sizes),
    )
    return Checkpoint(
        model=config,
        train=make_train_config(),
        vocabulary=characters,
        corpus=CorpusInfo("tiny.tsv", "0" * 64, 100, None),
        progress=Progress(step=5, epoch=0.5, loss_sum=0.25, best_val_loss=1.0, best_step=5),
        weights=make_pair_weights(config),
        history=({"step": 5, "epoch": 0.5, "train_loss": 1.5, "val_loss": 1.0},),
        pairs=PairsInfo(
            pair_format or PairFormat(),
            source_symbols,
            target_symbols,
            PairLengths(6, 4.0, 6, 4.0, 2.0),
            100,
        ),
    )


def batch_of(config, pairs):
    """A batch of tensors of pairs of ids, padded as the models expect."""
    import torch

    sources = [[*source, config.source_end] for source, _ in pairs]
    inputs = [[config.end, *target] for _, target in pairs]
    targets = [[*target, config.end] for _, target in pairs]
    padded = ((inputs, config.end), (targets, IGNORE), (sources, IGNORE))
    return Batch(*(torch.from_numpy(pad(rows, value)) for rows, value in padded))


def pad(rows, value):
    """Rows of ids as an array (T, B), padded with a value."""
    array = np.full((max(map(len, rows)), len(rows)), value)
    for row, ids in enumerate(rows):
        array[: len(ids), row] = ids
    return array
