"""Plans that several tests make, of texts that take no memory."""

import math

import numpy as np
from hypothesis import strategies as st

from charrnn_cli.text.corpus import MIN_TRAIN, Corpus
from charrnn_cli.text.vocabulary import Vocabulary
from charrnn_cli.text.windows import steps_per_epoch
from charrnn_cli.training.planning import Plan, make_plan, planned_steps

SONNETS = (84_387, 9_376, 61)  # characters to train on, held out, distinct
sizes = st.floats(math.log10(MIN_TRAIN), 9).map(lambda power: round(10**power))


def trains(multiplications: float):
    """A machine that trains so many of a model's multiplications a second."""
    return lambda model, train: multiplications / model.multiplications


def text_of(characters: int, distinct: int) -> Corpus:
    """A text of any size that takes no memory."""
    ids = np.broadcast_to(np.uint8(0), characters)
    return Corpus("a.txt", ids, Vocabulary(np.arange(distinct, dtype=np.uint32)), "")


def plan_for(train: int, held_out: int, distinct: int, *arguments) -> Plan:
    """The plan for a text with so many characters in its two parts."""
    return make_plan(text_of(train, distinct), text_of(held_out, distinct), *arguments)


def plan_of(characters: int, **settings) -> Plan:
    """The plan for a text of which a ninth as many characters are held out."""
    return plan_for(characters, max(2, characters // 9), 60, settings)


def steps_of(plan: Plan, characters: int) -> int:
    train = plan.train
    per_epoch = steps_per_epoch(characters, train.batch_size, train.seq_length)
    return planned_steps(train.epochs, per_epoch)
