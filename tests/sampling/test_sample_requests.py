"""From a request to text: the seed, the end, the checkpoint, and what is refused."""

import subprocess
import sys
from itertools import islice

import pytest
from factories import ask_to_write, save_cycle, texts

from charrnn_cli.errors import CheckpointError, RecurrentModelError, TextError, UsageError

# the seed


def test_the_seed_is_echoed_first(abc_runs):
    samples = ask_to_write(abc_runs, seed="abca")
    assert next(samples.pieces(keep=False)) == (0, "abca")
    assert texts(samples)[0].startswith("abca")


def test_the_seed_decides_what_follows(tmp_path):
    save_cycle(tmp_path, "wxyz")
    assert texts(ask_to_write(tmp_path, seed="y", length=5)) == ["yzwxyz"]
    assert texts(ask_to_write(tmp_path, seed="zw", length=5)) == ["zwxyzwx"]


def test_without_a_seed_a_sample_begins_as_a_line_does(tmp_path):
    save_cycle(tmp_path, "wx\nyz")
    assert texts(ask_to_write(tmp_path, length=3)) == ["yzw"]


def test_without_a_seed_or_line_ends_a_sample_begins_as_a_word_does(tmp_path):
    save_cycle(tmp_path, "wx yz")
    assert texts(ask_to_write(tmp_path, length=3)) == ["yzw"]


def test_an_empty_seed_is_as_none(tmp_path):
    save_cycle(tmp_path, "wx\nyz")
    assert texts(ask_to_write(tmp_path, seed="", length=3)) == ["yzw"]


def test_the_seed_can_come_from_a_file(abc_runs, tmp_path):
    path = tmp_path / "seed.txt"
    path.write_bytes("abé\n".encode())
    samples = ask_to_write(abc_runs, seed_file=str(path))
    assert samples.seed == "abé\n"
    assert texts(samples) == texts(ask_to_write(abc_runs, seed="abé\n"))


def test_a_seed_file_that_is_not_there_is_named(abc_runs):
    with pytest.raises(TextError, match=r"nowhere\.txt"):
        ask_to_write(abc_runs, seed_file="nowhere.txt")


def test_a_seed_and_a_seed_file_exclude_each_other(abc_runs):
    with pytest.raises(UsageError, match="--seed and --seed-file"):
        ask_to_write(abc_runs, seed="a", seed_file="seed.txt")


def test_an_unknown_character_is_refused_with_its_code_point_and_the_nearest(abc_runs):
    with pytest.raises(UsageError) as caught:
        ask_to_write(abc_runs, seed="abÉx")
    message = str(caught.value)
    assert "'É' (U+00C9) (it knows 'é')" in message
    assert "'x' (U+0078)" in message
    assert "--unknown skip" in message


def test_many_unknown_characters_are_not_all_named(abc_runs):
    with pytest.raises(UsageError) as caught:
        ask_to_write(abc_runs, seed="defghijk")
    message = str(caught.value)
    assert "'d' (U+0064)" in message
    assert "3 more" in message
    assert "'k'" not in message


def test_unknown_characters_can_be_skipped_with_a_note(abc_runs):
    samples = ask_to_write(abc_runs, seed="aXb\u200bc", unknown="skip")
    assert samples.seed == "abc"
    [note] = samples.notes
    assert "'X' (U+0058)" in note
    assert "unprintable (U+200B)" in note


def test_a_seed_of_unknown_characters_alone_leaves_none(abc_runs):
    skipped = ask_to_write(abc_runs, seed="XYZ", unknown="skip")
    assert texts(skipped) == texts(ask_to_write(abc_runs))


def test_other_ways_to_treat_the_unknown_are_refused(abc_runs):
    with pytest.raises(UsageError, match="--unknown ignore"):
        ask_to_write(abc_runs, unknown="ignore")


# the end


@pytest.mark.parametrize("length", [1, 2, 57, 300])
@pytest.mark.parametrize("num_samples", [1, 3])
def test_length_counts_the_characters_after_the_seed(abc_runs, length, num_samples):
    samples = ask_to_write(abc_runs, seed="ab", length=length, num_samples=num_samples)
    assert [len(text) for text in texts(samples)] == [2 + length] * num_samples


def test_each_character_is_given_as_it_is_made(abc_runs):
    pieces = [piece for _, piece in ask_to_write(abc_runs, seed="ab", length=5).pieces(keep=False)]
    assert list(map(len, pieces)) == [2, 1, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("until", "expected"), [("y", "xy"), ("yz", "xyz"), ("zwxyzw", "xyzwxyzw"), ("x", "x")]
)
@pytest.mark.parametrize("length", [0, 500])
def test_until_stops_right_after_the_first_appearance(tmp_path, until, expected, length):
    save_cycle(tmp_path, "wxyz")
    assert texts(ask_to_write(tmp_path, seed="w", until=until, length=length)) == ["w" + expected]


def test_until_does_not_look_into_the_seed(tmp_path):
    save_cycle(tmp_path, "wxyz")
    assert texts(ask_to_write(tmp_path, seed="wx", until="wx", length=50)) == ["wxyzwx"]


def test_length_ends_a_text_that_until_does_not(tmp_path):
    save_cycle(tmp_path, "wxyz")
    assert texts(ask_to_write(tmp_path, seed="w", until="zz", length=6)) == ["wxyzwxy"]


def test_until_stops_each_sample_on_its_own(abc_runs):
    whole = texts(ask_to_write(abc_runs, length=200, num_samples=4))
    stopped = texts(ask_to_write(abc_runs, length=200, num_samples=4, until="bc"))
    assert stopped == [text[: text.index("bc") + 2] for text in whole]
    assert len(set(map(len, stopped))) > 1


def test_length_zero_goes_on_until_stopped(abc_runs):
    pieces = list(islice(ask_to_write(abc_runs, length=0).pieces(keep=False), 2000))
    assert len(pieces) == 2000


def test_length_zero_needs_an_end_for_several_samples(abc_runs):
    with pytest.raises(UsageError, match="--length 0"):
        ask_to_write(abc_runs, length=0, num_samples=2)


def test_length_zero_with_an_end_does_for_several_samples(abc_runs):
    samples = texts(ask_to_write(abc_runs, length=0, num_samples=2, until="\n"))
    assert [text.index("\n") for text in samples] == [len(text) - 1 for text in samples]


def test_an_end_that_the_model_never_writes_is_refused(abc_runs):
    with pytest.raises(UsageError, match=r"--until: the model never writes 'x' \(U\+0078\)"):
        ask_to_write(abc_runs, until="ax")


def test_an_empty_end_is_refused(abc_runs):
    with pytest.raises(UsageError, match="--until"):
        ask_to_write(abc_runs, until="")


@pytest.mark.parametrize(
    ("wish", "option"),
    [
        ({"length": -1}, "--length"),
        ({"num_samples": 0}, "--num-samples"),
        ({"random_seed": -1}, "--random-seed"),
    ],
)
def test_a_number_outside_its_limits_is_refused_by_its_option(abc_runs, wish, option):
    with pytest.raises(UsageError, match=option):
        ask_to_write(abc_runs, **wish)


# the checkpoint


def test_the_newest_run_is_taken_unless_one_is_named(tmp_path):
    save_cycle(tmp_path / "here", "wxyz")
    samples = ask_to_write(tmp_path / "here", seed="w", length=3)
    named = ask_to_write(tmp_path / "here", checkpoint="cycle", seed="w", length=3)
    assert texts(samples) == texts(named) == ["wxyz"]


def test_a_folder_without_checkpoints_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="charrnn train"):
        ask_to_write(tmp_path)


def test_a_device_that_is_not_there_is_refused(abc_runs):
    with pytest.raises(RecurrentModelError, match="--device cuda:9"):
        list(ask_to_write(abc_runs, device="cuda:9").pieces(keep=False))


def test_sampling_never_imports_torch(abc_runs):
    script = f"""
import sys
from pathlib import Path
from charrnn_cli.config import SamplingConfig
from charrnn_cli.sampling.samples import SampleRequest, open_samples
request = SampleRequest(None, Path({str(abc_runs)!r}), SamplingConfig(), seed="a", length=3)
samples = open_samples(request)
assert len("".join(piece for _, piece in samples.pieces(keep=False))) == 4
assert len(list(samples.json_lines())) == 1
assert "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
