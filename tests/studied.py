"""Models made by hand whose units or heads follow something, and texts for them."""

import dataclasses
import random

import numpy as np
from factories import make_checkpoint

from charrnn_cli.checkpoints.checkpoint import Checkpoint


def dialogue(words: int) -> str:
    """Random words of one paragraph; every few of them stand in quotes."""
    rng = random.Random(0)
    pieces = []
    while len(pieces) < words:
        some = rng.choices(["rain", "in", "spain", "falls", "mainly"], k=rng.randint(1, 6))
        pieces += ["“" + " ".join(some) + "”", *rng.choices(["it", "is", "said"], k=5)]
    return " ".join(pieces)


def with_weights(checkpoint: Checkpoint, weights: dict) -> Checkpoint:
    return dataclasses.replace(checkpoint, weights={**checkpoint.weights, **weights})


def gru_that_minds_quotes(unit: int, size: int = 8) -> Checkpoint:
    """A random GRU, but for one unit: it goes to 1 at an opening quote, to -1 at a closing one, and
    else keeps what it has."""
    checkpoint = make_checkpoint("gru", size, 1, vocabulary=dialogue(100) + "\n")
    weights = {name: values.copy() for name, values in checkpoint.weights.items()}
    opening, closing = checkpoint.vocabulary.encode("“”")
    keep, new = size + unit, 2 * size + unit
    for row in (keep, new):
        weights["layers.0.weight_ih"][row] = weights["layers.0.weight_hh"][row] = 0
        weights["layers.0.bias_ih"][row] = weights["layers.0.bias_hh"][row] = 0
    weights["layers.0.bias_ih"][keep] = 20
    weights["layers.0.weight_ih"][keep, [opening, closing]] = -40
    weights["layers.0.weight_ih"][new, [opening, closing]] = 20, -20
    return with_weights(checkpoint, weights)


LETTERS = "abcdefghij"


def letters_at_random(count: int) -> str:
    """Random letters, after which a head can look only for what it was made to look for."""
    return "".join(random.Random(4).choices(LETTERS, k=count))


def gpt2_that_repeats() -> Checkpoint:
    """A GPT-2 of two layers made by hand, whose first head of the first layer looks at the previous
    character and copies it to where the first head of the second layer looks for this character: an
    induction head. The second head of the first layer looks for the same character. The last head
    attends to all evenly.

    The residual stream has the character, its position and the character before, each as one unit
    of a range.
    """
    letters, context = len(LETTERS), 16
    size = 2 * letters + context
    checkpoint = make_checkpoint("gpt2", size, 2, vocabulary=LETTERS)
    weights = {
        name: np.ones_like(values) if name.endswith("norm.weight") else np.zeros_like(values)
        for name, values in checkpoint.weights.items()
    }
    character, before = np.arange(letters), letters + context + np.arange(letters)
    position = letters + np.arange(context)
    weights["characters.weight"][character, character] = 1
    weights["positions.weight"][np.arange(context), position] = 1
    first, second = (weights[f"blocks.{layer}.attention.qkv.weight"] for layer in (0, 1))
    key, value, head = size, 2 * size, size // 2  # rows of the matrix
    first[np.arange(context - 1), position[1:]] = 5
    first[key + np.arange(context), position] = 5
    first[value + character, character] = 1
    weights["blocks.0.attention.output.weight"][before, character] = 1
    first[head + character, character] = first[key + head + character, character] = 5
    second[character, character] = second[key + character, before] = 5
    return with_weights(checkpoint, weights)


SPEECH = dialogue(1200)
RANDOM = letters_at_random(2200)
