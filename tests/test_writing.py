"""From a request for samples to text: the seed, the end, several samples, and what is refused."""

import dataclasses
import json
import subprocess
import sys
from hashlib import sha256
from itertools import islice

import numpy as np
import pytest
from factories import make_checkpoint, save_checkpoint

from charrnn_cli.checkpoint import CorpusInfo
from charrnn_cli.config import SamplingConfig
from charrnn_cli.errors import CharRNNError, CheckpointError, TextError, UsageError
from charrnn_cli.writing import SampleRequest, Samples, open_samples

GREEDY = SamplingConfig(temperature=0)


@pytest.fixture
def folder(tmp_path):
    """A folder of checkpoints whose one run, `abc`, holds a tiny random model."""
    save_checkpoint(tmp_path / "abc" / "best.safetensors", make_checkpoint(vocabulary="abcé\n"))
    return tmp_path


def ask(folder, **wishes) -> Samples:
    request = SampleRequest(None, folder, SamplingConfig(), random_seed=0, length=20)
    return open_samples(dataclasses.replace(request, **wishes))


def texts(samples: Samples) -> list[str]:
    """The samples whole, in their order."""
    whole = [""] * samples.request.num_samples
    for index, piece in samples.pieces():
        whole[index] += piece
    return whole


def save_cycle(folder, cycle: str, **changes) -> None:
    """A run whose model writes the next character of `cycle` after each, for ever.

    Each unit of its layer stands for one character read last: input and output are a permutation.
    """
    size = len(cycle)
    checkpoint = make_checkpoint("rnn", hidden_size=size, num_layers=1, vocabulary=cycle)
    weights = {name: np.zeros_like(values) for name, values in checkpoint.weights.items()}
    ids = checkpoint.vocabulary.encode(cycle)
    weights["layers.0.weight_ih"][np.arange(size), ids] = 10
    weights["head.weight"][np.roll(ids, -1), np.arange(size)] = 50
    checkpoint = dataclasses.replace(checkpoint, weights=weights, **changes)
    save_checkpoint(folder / "cycle" / "best.safetensors", checkpoint)


# the seed


def test_the_seed_is_echoed_first(folder):
    samples = ask(folder, seed="abca")
    assert next(samples.pieces()) == (0, "abca")
    assert texts(samples)[0].startswith("abca")


def test_the_seed_decides_what_follows(tmp_path):
    save_cycle(tmp_path, "wxyz")
    assert texts(ask(tmp_path, seed="y", length=5)) == ["yzwxyz"]
    assert texts(ask(tmp_path, seed="zw", length=5)) == ["zwxyzwx"]


def test_without_a_seed_a_sample_begins_as_a_line_does(tmp_path):
    save_cycle(tmp_path, "wx\nyz")
    assert texts(ask(tmp_path, length=3)) == ["yzw"]


def test_without_a_seed_or_line_ends_a_sample_begins_as_a_word_does(tmp_path):
    save_cycle(tmp_path, "wx yz")
    assert texts(ask(tmp_path, length=3)) == ["yzw"]


def test_an_empty_seed_is_as_none(tmp_path):
    save_cycle(tmp_path, "wx\nyz")
    assert texts(ask(tmp_path, seed="", length=3)) == ["yzw"]


def test_the_seed_can_come_from_a_file(folder, tmp_path):
    path = tmp_path / "seed.txt"
    path.write_bytes("abé\n".encode())
    samples = ask(folder, seed_file=str(path))
    assert samples.seed == "abé\n"
    assert texts(samples) == texts(ask(folder, seed="abé\n"))


def test_a_seed_file_that_is_not_there_is_named(folder):
    with pytest.raises(TextError, match=r"nowhere\.txt"):
        ask(folder, seed_file="nowhere.txt")


def test_a_seed_and_a_seed_file_exclude_each_other(folder):
    with pytest.raises(UsageError, match="--seed and --seed-file"):
        ask(folder, seed="a", seed_file="seed.txt")


def test_an_unknown_character_is_refused_with_its_code_point_and_the_nearest(folder):
    with pytest.raises(UsageError) as caught:
        ask(folder, seed="abÉx")
    message = str(caught.value)
    assert "'É' (U+00C9) (it knows 'é')" in message
    assert "'x' (U+0078)" in message
    assert "--unknown skip" in message


def test_many_unknown_characters_are_not_all_named(folder):
    with pytest.raises(UsageError) as caught:
        ask(folder, seed="defghijk")
    message = str(caught.value)
    assert "'d' (U+0064)" in message
    assert "3 more" in message
    assert "'k'" not in message


def test_unknown_characters_can_be_skipped_with_a_note(folder):
    samples = ask(folder, seed="aXb\u200bc", unknown="skip")
    assert samples.seed == "abc"
    [note] = samples.notes
    assert "'X' (U+0058)" in note
    assert "unprintable (U+200B)" in note


def test_a_seed_of_unknown_characters_alone_leaves_none(folder):
    skipped = ask(folder, seed="XYZ", unknown="skip")
    assert texts(skipped) == texts(ask(folder))


def test_other_ways_to_treat_the_unknown_are_refused(folder):
    with pytest.raises(UsageError, match="--unknown ignore"):
        ask(folder, unknown="ignore")


# the end


@pytest.mark.parametrize("length", [1, 2, 57, 300])
@pytest.mark.parametrize("num_samples", [1, 3])
def test_length_counts_the_characters_after_the_seed(folder, length, num_samples):
    samples = ask(folder, seed="ab", length=length, num_samples=num_samples)
    assert [len(text) for text in texts(samples)] == [2 + length] * num_samples


def test_each_character_is_given_as_it_is_made(folder):
    pieces = [piece for _, piece in ask(folder, seed="ab", length=5).pieces()]
    assert list(map(len, pieces)) == [2, 1, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("until", "expected"), [("y", "xy"), ("yz", "xyz"), ("zwxyzw", "xyzwxyzw"), ("x", "x")]
)
@pytest.mark.parametrize("length", [0, 500])
def test_until_stops_right_after_the_first_appearance(tmp_path, until, expected, length):
    save_cycle(tmp_path, "wxyz")
    assert texts(ask(tmp_path, seed="w", until=until, length=length)) == ["w" + expected]


def test_until_does_not_look_into_the_seed(tmp_path):
    save_cycle(tmp_path, "wxyz")
    assert texts(ask(tmp_path, seed="wx", until="wx", length=50)) == ["wxyzwx"]


def test_length_ends_a_text_that_until_does_not(tmp_path):
    save_cycle(tmp_path, "wxyz")
    assert texts(ask(tmp_path, seed="w", until="zz", length=6)) == ["wxyzwxy"]


def test_until_stops_each_sample_on_its_own(folder):
    whole = texts(ask(folder, length=200, num_samples=4))
    stopped = texts(ask(folder, length=200, num_samples=4, until="bc"))
    assert stopped == [text[: text.index("bc") + 2] for text in whole]
    assert len(set(map(len, stopped))) > 1


def test_length_zero_goes_on_until_stopped(folder):
    pieces = list(islice(ask(folder, length=0).pieces(), 2000))
    assert len(pieces) == 2000


def test_length_zero_needs_an_end_for_several_samples(folder):
    with pytest.raises(UsageError, match="--length 0"):
        ask(folder, length=0, num_samples=2)


def test_length_zero_with_an_end_does_for_several_samples(folder):
    samples = texts(ask(folder, length=0, num_samples=2, until="\n"))
    assert [text.index("\n") for text in samples] == [len(text) - 1 for text in samples]


def test_an_end_that_the_model_never_writes_is_refused(folder):
    with pytest.raises(UsageError, match=r"--until: the model never writes 'x' \(U\+0078\)"):
        ask(folder, until="ax")


def test_an_empty_end_is_refused(folder):
    with pytest.raises(UsageError, match="--until"):
        ask(folder, until="")


@pytest.mark.parametrize(
    ("wish", "option"),
    [
        ({"length": -1}, "--length"),
        ({"num_samples": 0}, "--num-samples"),
        ({"random_seed": -1}, "--random-seed"),
    ],
)
def test_a_number_outside_its_limits_is_refused_by_its_option(folder, wish, option):
    with pytest.raises(UsageError, match=option):
        ask(folder, **wish)


# several samples


def test_several_samples_come_one_after_another(folder):
    numbers = [index for index, _ in ask(folder, num_samples=4).pieces()]
    assert numbers == sorted(numbers)
    assert set(numbers) == {0, 1, 2, 3}


def test_several_samples_each_begin_with_the_seed(folder):
    assert all(text.startswith("cab") for text in texts(ask(folder, seed="cab", num_samples=3)))


def test_several_samples_differ(folder):
    assert len(set(texts(ask(folder, length=60, num_samples=4)))) == 4


@pytest.mark.parametrize("sampling", [GREEDY, SamplingConfig(), SamplingConfig(top_k=3)])
def test_the_first_of_several_samples_is_that_of_one_alone(folder, sampling):
    one = texts(ask(folder, sampling=sampling, length=100))
    several = texts(ask(folder, sampling=sampling, length=100, num_samples=3))
    assert several[:1] == one


def test_the_same_random_seed_gives_the_same_samples(folder):
    first, second, other = (
        texts(ask(folder, length=100, num_samples=2, random_seed=seed)) for seed in (7, 7, 8)
    )
    assert first == second != other


def test_the_same_samples_can_be_drawn_twice(folder):
    samples = ask(folder, length=100)
    assert texts(samples) == texts(samples)


# the random seed


def test_a_random_seed_that_was_drawn_is_told_and_gives_the_text_again(folder):
    samples = ask(folder, random_seed=None, length=60)
    assert samples.notes == (f"random seed {samples.random_seed}",)
    assert texts(samples) == texts(ask(folder, random_seed=samples.random_seed, length=60))


def test_drawn_random_seeds_differ(folder):
    assert len({ask(folder, random_seed=None).random_seed for _ in range(5)}) > 1


def test_a_random_seed_that_was_given_is_not_told(folder):
    assert ask(folder, random_seed=3).notes == ()


def test_no_random_seed_is_told_where_nothing_is_random(folder):
    assert ask(folder, random_seed=None, sampling=GREEDY).notes == ()


# samples as one text, and as JSON


def records(samples: Samples) -> list[dict]:
    return [json.loads(line) for line in samples.json_lines()]


def test_one_sample_as_text_is_the_sample_alone(folder):
    samples = ask(folder, seed="ab", length=50)
    assert ["".join(samples.text("----"))] == texts(samples)


def test_several_samples_as_text_have_a_separator_line_between_two(folder):
    samples = ask(folder, seed="ab", length=50, num_samples=3)
    assert "".join(samples.text("----")) == "\n----\n".join(texts(samples))


@pytest.mark.parametrize("num_samples", [1, 3])
def test_what_was_written_is_kept_without_the_seed(folder, num_samples):
    samples = ask(folder, seed="ab", length=50, num_samples=num_samples)
    whole = texts(samples)
    assert ["ab" + text for text in samples.written] == whole


def test_a_record_says_all_of_its_sample(folder):
    samples = ask(folder, seed="ab", length=30, num_samples=3, random_seed=9)
    lines = records(samples)
    assert [line["sample"] for line in lines] == [0, 1, 2]
    assert [line["seed"] + line["text"] for line in lines] == texts(samples)
    assert {line["seed"] for line in lines} == {"ab"}
    assert {line["random_seed"] for line in lines} == {9}


def test_a_record_is_one_line(folder):
    lines = list(ask(folder, length=200, num_samples=2).json_lines())
    assert len(lines) == 2
    assert all(line.endswith("\n") and line.count("\n") == 1 for line in lines)


def test_a_record_says_how_surprising_its_text_is(tmp_path):
    save_cycle(tmp_path, "wxyz")
    [record] = records(ask(tmp_path, seed="w"))
    assert record["bits_per_char"] == pytest.approx(0, abs=1e-6)


def test_the_surprise_of_a_record_does_not_depend_on_the_filters(folder):
    [greedy] = records(ask(folder, sampling=GREEDY))
    [top] = records(ask(folder, sampling=SamplingConfig(temperature=9, top_k=1)))
    assert greedy["text"] == top["text"]
    assert greedy["bits_per_char"] == top["bits_per_char"] > 0.01


# how much of it is new


@pytest.fixture
def cycle_run(tmp_path):
    """A run whose model writes wxyz for ever, and whose `last` says which text it learned."""
    text = tmp_path / "text.txt"
    text.write_text("wxyzwxyzwxyz")
    corpus = CorpusInfo("text.txt", sha256(text.read_bytes()).hexdigest(), 12, str(text))
    save_cycle(tmp_path, "wxyz", corpus=dataclasses.replace(corpus, path=None))
    last = dataclasses.replace(make_checkpoint(training=True), corpus=corpus)
    save_checkpoint(tmp_path / "cycle" / "last.safetensors", last)
    return tmp_path


def test_the_learned_text_is_the_one_that_the_run_names(cycle_run):
    corpus = ask(cycle_run).learned_text(None)
    assert corpus.vocabulary.decode(corpus.ids) == "wxyzwxyzwxyz"


def test_a_learned_text_that_was_changed_is_refused(cycle_run):
    (cycle_run / "text.txt").write_text("something else")
    with pytest.raises(TextError, match=r"text\.txt.*--originality TEXT"):
        ask(cycle_run).learned_text(None)


def test_a_checkpoint_alone_does_not_say_where_its_text_is(cycle_run):
    (cycle_run / "cycle" / "last.safetensors").unlink()
    with pytest.raises(UsageError, match="--originality TEXT"):
        ask(cycle_run).learned_text(None)


def test_a_text_that_was_copied_is_not_new(cycle_run):
    samples = ask(cycle_run, seed="z", length=10)
    texts(samples)
    words = samples.originality(samples.learned_text(None))
    assert "0%" in words
    assert "10 characters: 'wxyzwxyzwx'" in words


def test_a_text_that_was_not_learned_is_new(cycle_run, tmp_path):
    other = tmp_path / "other.txt"
    other.write_text("zyxwzyxwzyxw")
    samples = ask(cycle_run, seed="z", length=10)
    texts(samples)
    words = samples.originality(samples.learned_text(str(other)))
    assert "100%" in words
    assert words.endswith("none")


# the checkpoint


def test_the_newest_run_is_taken_unless_one_is_named(tmp_path):
    save_cycle(tmp_path / "here", "wxyz")
    samples = ask(tmp_path / "here", seed="w", length=3)
    named = ask(tmp_path / "here", checkpoint="cycle", seed="w", length=3)
    assert texts(samples) == texts(named) == ["wxyz"]


def test_a_folder_without_checkpoints_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="charrnn train"):
        ask(tmp_path)


def test_a_device_that_is_not_there_is_refused(folder):
    with pytest.raises(CharRNNError, match="--device cuda:9"):
        list(ask(folder, device="cuda:9").pieces())


def test_sampling_never_imports_torch(folder):
    script = f"""
import sys
from pathlib import Path
from charrnn_cli.config import SamplingConfig
from charrnn_cli.writing import SampleRequest, open_samples
request = SampleRequest(None, Path({str(folder)!r}), SamplingConfig(), seed="a", length=3)
samples = open_samples(request)
assert len("".join(piece for _, piece in samples.pieces())) == 4
assert len(list(samples.json_lines())) == 1
assert "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
