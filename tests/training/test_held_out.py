"""The held-out part looked at: unlike the rest, the same as the rest, too short."""

import random

import numpy as np
import pytest
from factories import SONNETS, corpus_of, words

from charrnn_cli.checkpoints.records import Baselines, Progress
from charrnn_cli.text.arranging import arranged, looks_like_list
from charrnn_cli.text.documents import Documents
from charrnn_cli.training.best import is_best
from charrnn_cli.training.held_out import (
    HeldOut,
    copied_share,
    held_out_facts,
    is_unlike,
    with_fair_hold_out,
)

VERSE = SONNETS.read_text()
VOCABULARY = sorted({word.strip(".,;:!?'").lower() for word in VERSE.split()})
RNG = random.Random(0)


def nbsp_at_the_end(text):
    edge = int(0.85 * len(text))
    return text[:edge] + text[edge:].replace(" ", "\u00a0")


@pytest.mark.parametrize(
    "text",
    [
        VERSE[:60_000] + "\n".join(RNG.sample(VOCABULARY, 1_000)),
        VERSE[:60_000] + "".join(RNG.choices([chr(0x410 + n) for n in range(64)], k=5_000)),
        "\n".join(VOCABULARY),
        nbsp_at_the_end(VERSE),
    ],
    ids=["a list of words after verse", "random letters after verse", "sorted words", "spaces"],
)
def test_an_end_unlike_the_rest_is_replaced_by_blocks(text):
    dataset, (note,) = with_fair_hold_out(corpus_of(text), 0.1)
    assert isinstance(dataset, Documents)
    assert dataset.hold_out == "blocks"
    assert "the end of the text is unlike the rest" in note
    train, held_out = dataset.split(0.1)
    assert np.isin(held_out.ids, train.ids).mean() > 0.99


@pytest.mark.parametrize(
    "text",
    [VERSE, words(20_000), "".join(RNG.choices("ACGT", k=30_000)), VERSE[:1_000]],
    ids=["verse", "words", "random", "short"],
)
def test_an_end_like_the_rest_is_held_out(text):
    assert not is_unlike(corpus_of(text), 0.1)


def test_copies_of_the_rest_are_found():
    facts = held_out_facts(corpus_of(VERSE[:20_000] * 3), 0.1)
    assert facts.copied > 0.99
    assert "100% of the held-out part stands word for word" in facts.notes()[0]


def test_a_text_without_repetition_has_no_copies():
    assert held_out_facts(corpus_of(VERSE), 0.1).copied < 0.05


def test_copies_are_told_from_what_is_new_to_a_character():
    ids = np.arange(3_000, dtype=np.uint16)
    half_known = np.concatenate([ids[1_000:1_300], np.arange(5_000, 5_300, dtype=np.uint16)])
    assert copied_share(ids, half_known) == pytest.approx(251 / 551)


def test_a_short_held_out_part_is_named():
    facts = held_out_facts(corpus_of(VERSE[:5_000]), 0.1)
    assert facts.too_short
    assert "only 500 characters are held out" in facts.notes()[0]


def test_a_text_of_the_users_own_is_kept_though_it_is_unlike():
    text, val_text = corpus_of(VERSE), corpus_of("\n".join(VOCABULARY))
    val_text.recode(text.vocabulary, fold=False)
    dataset, notes = with_fair_hold_out(arranged(text, val_text=val_text), 0.1)
    assert dataset.split(0.1)[1] is dataset.val_text
    assert "the --val-text is unlike the text" in notes[0]


BASELINES = Baselines(uniform=4.0, unigram=3.0, five_gram=2.0, counted=100)


@pytest.mark.parametrize(
    ("best_so_far", "loss", "best"),
    [
        (None, 5.0, True),
        (2.5, 2.4, True),
        (2.5, 2.6, False),
        (2.5, 3.5, False),  # learned by heart after it had learned
        (3.5, 3.6, True),  # says nothing: the newest is taken
        (3.5, 2.9, True),
        (3.01, 3.1, False),  # as good as the unigram baseline: there is no more to learn
    ],
)
def test_no_loss_above_the_unigram_baseline_chooses_a_best(best_so_far, loss, best):
    progress = Progress(step=9, best_val_loss=best_so_far)
    assert is_best(loss, None, progress, (), baselines=BASELINES) is best


@pytest.mark.parametrize(
    ("text", "is_list"),
    [
        ("".join(f"name{RNG.random():.6f}\n" for _ in range(200)), True),
        ("".join(f"{word} and what it means in a long line\n" for word in VOCABULARY), True),
        (VERSE, False),
        (words(5_000), False),
        ("yes\nno\n" * 100, False),
        ("a\tb\n" + "".join(f"{number}\tx\n" for number in range(200)), False),
    ],
)
def test_a_list_is_told_by_its_lines(text, is_list):
    assert looks_like_list(corpus_of(text)) is is_list


def test_two_short_texts_of_one_kind_are_not_called_unlike():
    text = corpus_of(VERSE[:3_000] + VERSE[-3_000:])
    points = text.vocabulary
    text, val_text = corpus_of(VERSE[:3_000]), corpus_of(VERSE[-3_000:])
    for part in (text, val_text):
        part.recode(points, fold=False)
    assert not is_unlike(arranged(text, val_text=val_text), 0.1)


@pytest.mark.parametrize(("characters", "nothing"), [(3, True), (99, True), (100, False)])
def test_a_few_characters_say_nothing_of_how_a_run_ended(characters, nothing):
    assert HeldOut(characters, 0.0).says_nothing is nothing
