"""The baselines of a model's loss: against a slow and plain computation, and within their time."""

import math
from collections import Counter, defaultdict

import numpy as np
import pytest
from factories import SONNETS, TINY, corpus_of, fuzz, train, words
from hypothesis import given
from hypothesis import strategies as st
from stored import header_of, with_header

from charrnn_cli.checkpoints.checkpoint import load
from charrnn_cli.training import baselines
from charrnn_cli.training.baselines import KneserNey, measure_baselines


class SlowKneserNey:
    """Interpolated modified Kneser-Ney of order 5, written from the paper with dictionaries."""

    def __init__(self, text: str, characters: str) -> None:
        self.size = len(characters)
        grams = [{text[i - n : i] for i in range(n, len(text) + 1)} for n in range(1, 6)]
        self.counts = [defaultdict(Counter) for _ in range(5)]
        for n in range(4):  # continuation counts: by how many characters it is preceded
            for longer in grams[n + 1]:
                self.counts[n][longer[1:-1]][longer[-1]] += 1
        for i in range(5, len(text) + 1):
            self.counts[4][text[i - 5 : i - 1]][text[i - 1]] += 1
        self.taken = [self._discounts(level) for level in self.counts]

    @staticmethod
    def _discounts(level) -> list[float]:
        of = Counter(count for after in level.values() for count in after.values())
        if not all(of[n] for n in (1, 2, 3, 4)):
            return [0.5, 0.5, 0.5]
        y = of[1] / (of[1] + 2 * of[2])
        exact = [n - (n + 1) * y * of[n + 1] / of[n] for n in (1, 2, 3)]
        return [min(max(d, 0.1), n - 0.1) for n, d in zip((1, 2, 3), exact, strict=True)]

    def chance(self, context: str, character: str) -> float:
        chance = 1 / self.size
        for n in range(5):
            after = self.counts[n].get(context[len(context) - n :])
            if not after:
                continue
            total = sum(after.values())
            left = sum(self.taken[n][min(count, 3) - 1] for count in after.values())
            count = after[character]
            own = count - self.taken[n][min(count, 3) - 1] if count else 0.0
            chance = (own + left * chance) / total
        return chance


def split(text: str, held_out: int):
    """The ids of a text's two parts, and the size of its vocabulary."""
    corpus = corpus_of(text)
    return corpus.ids[:-held_out], corpus.ids[-held_out:], len(corpus.vocabulary)


@pytest.mark.parametrize("text", [words(60), SONNETS.read_text()[:3000], "aaaaaaaaaaaaaaaaaab~"])
def test_the_5_gram_is_that_of_a_slow_and_plain_computation(text):
    held_out = max(3, len(text) // 10)
    slow = SlowKneserNey(text[:-held_out], "".join(sorted(set(text))))
    losses = [
        -math.log(slow.chance(text[i - 4 : i], text[i]))
        for i in range(len(text) - held_out + 1, len(text))
    ]
    found = measure_baselines(*split(text, held_out))
    assert found.five_gram == pytest.approx(sum(losses) / len(losses), rel=1e-12)


@fuzz
@given(st.text("abcd\n", min_size=5, max_size=80), st.text("abcde\n", min_size=4, max_size=4))
def test_the_chances_of_what_follows_anything_sum_to_one(text, context):
    vocabulary = corpus_of("abcde\n").vocabulary
    model = KneserNey(vocabulary.encode(text), len(vocabulary))
    before = vocabulary.encode(context)
    chances = [model.probabilities(np.append(before, i))[-1] for i in range(len(vocabulary))]
    assert min(chances) > 0
    assert sum(chances) == pytest.approx(1)


def test_uniform_and_unigram_are_of_the_vocabulary_and_of_its_frequencies():
    found = measure_baselines(*split("aaab" * 10 + "ab", 2))  # 40 to count, one b to predict
    assert found.uniform == pytest.approx(math.log(2))
    assert found.unigram == pytest.approx(-math.log((10 + 1) / (40 + 2)))
    assert found.counted == 40


def test_a_text_with_a_pattern_costs_the_5_gram_least():
    found = measure_baselines(*split(words(400), 200))
    assert found.five_gram < 0.5 * found.unigram < 0.5 * found.uniform


def test_of_a_long_text_the_end_of_the_training_part_is_counted(monkeypatch):
    monkeypatch.setattr(baselines, "MAX_COUNTED", 500)
    train_ids, held_out, size = split("z" * 1000 + words(400), 100)
    found = measure_baselines(train_ids, held_out, size)
    assert found == measure_baselines(train_ids[-500:], held_out, size)
    assert found.counted == 500


def test_a_run_of_few_minutes_counts_fewer_characters():
    ids = np.tile(np.arange(5, dtype=np.uint8), 20_000)
    assert measure_baselines(ids, ids[:50], 5, minutes=0.04).counted == 48_000
    assert measure_baselines(ids, ids[:50], 5, minutes=1e-6).counted == 10_000
    assert measure_baselines(ids, ids[:50], 5, minutes=10).counted == 100_000


def test_a_vocabulary_of_all_code_points_is_no_matter():
    ids = np.random.default_rng(0).integers(0, 0x110000, 3000, dtype=np.uint32)
    found = measure_baselines(ids[:2700], ids[2700:], 0x110000)
    assert found.uniform == pytest.approx(math.log(0x110000))
    assert math.isfinite(found.five_gram)


# in checkpoints


def test_both_checkpoints_of_a_run_carry_the_baselines_of_its_text(rain, tmp_path):
    _, trainer = train(rain, tmp_path)
    parts = trainer.train_part.ids, trainer.held_out_part.ids
    found = measure_baselines(*parts, len(trainer.dataset.vocabulary))
    for path in (trainer.run.best, trainer.run.last):
        assert load(path).baselines == found
        assert load(path).device == "cpu"


@pytest.mark.slow
def test_a_resumed_run_of_an_earlier_version_gets_its_baselines(rain, tmp_path):
    _, trainer = train(rain, tmp_path, stop_at=3)
    before, trainer.baselines = trainer.baselines, None
    trainer._save_state(trainer.run.last)
    assert load(trainer.run.last).baselines is None
    _, resumed = train(rain, tmp_path, resume=trainer.run.name)
    assert load(resumed.run.last).baselines == before


GOOD = {"uniform": 4.1, "unigram": 3.0, "five_gram": 1.5, "counted": 900}


def test_baselines_are_read_back(tmp_path):
    path = tmp_path / "c.safetensors"
    path.write_bytes(with_header(header_of(TINY) | {"marks": GOOD, "device": "cuda"}))
    assert vars(load(path).baselines) == GOOD
    assert load(path).device == "cuda"


@pytest.mark.parametrize(
    "bad",
    [
        {"uniform": 0.0},
        {"unigram": -1},
        {"five_gram": float("nan")},
        {"five_gram": "1.5"},
        {"counted": 0},
        {"counted": 1.5},
        {"counted": None},
        {"surprise": 1},
    ],
    ids=str,
)
def test_baselines_that_no_text_can_have_are_refused(refused, bad):
    assert "damaged or foreign" in refused(with_header(header_of(TINY) | {"marks": GOOD | bad}))


@pytest.mark.parametrize("part", [{"marks": None}, {"marks": []}, {"device": 1}], ids=str)
def test_parts_of_another_kind_are_refused(refused, part):
    assert "damaged or foreign" in refused(with_header(header_of(TINY) | part))
