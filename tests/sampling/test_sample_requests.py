"""From a request to text: the seed, the end, the checkpoint, and what is refused."""

import subprocess
import sys
from itertools import islice

import pytest
from factories import ask_to_write, save_cycle, texts

from charrnn_cli.errors import CharRNNError, CheckpointError, TextError, UsageError

# the seed


def test_the_seed_is_echoed_first(abc_runs):
    samples = ask_to_write(abc_runs, seed="abca")
    assert next(iter(samples.draw())) == (0, "abca")
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
    path.write_bytes("abé".encode())
    samples = ask_to_write(abc_runs, seed_file=str(path))
    assert samples.prompt.text == "abé"
    assert samples.notes == ()
    assert texts(samples) == texts(ask_to_write(abc_runs, seed="abé"))


@pytest.mark.parametrize(("file", "seed"), [("ab\n", "ab"), ("ab\n\n", "ab\n"), ("\n", "")])
def test_one_newline_at_the_end_of_a_seed_file_is_dropped_with_a_note(
    abc_runs, tmp_path, file, seed
):
    path = tmp_path / "seed.txt"
    path.write_text(file)
    samples = ask_to_write(abc_runs, seed_file=str(path))
    assert samples.prompt.text == seed
    [note] = samples.notes
    assert "newline at the end of the seed's file is dropped" in note


def test_a_seed_of_digits_gets_a_note_that_names_the_random_seed(tmp_path):
    save_cycle(tmp_path, "123")
    samples = ask_to_write(tmp_path, seed="12", random_seed=None)
    assert "Note: --seed 12 is the text to continue" in samples.notes[0]
    assert "--random-seed 12" in samples.notes[0]
    assert ask_to_write(tmp_path, seed="12", random_seed=1).notes == ()


def test_a_seed_of_unknown_digits_is_refused_with_a_word_on_the_random_seed(abc_runs):
    with pytest.raises(UsageError, match=r"random generator is --random-seed 42$"):
        ask_to_write(abc_runs, seed="42")


@pytest.mark.parametrize(
    ("known", "seed", "read", "form"),
    [
        ("Cafe\u0301", "Caf\u00e9", "Cafe\u0301", "decomposed form (NFD)"),
        ("Caf\u00e9", "Cafe\u0301", "Caf\u00e9", "composed form (NFC)"),
        ("\ud55c\uad6d", "\u1112\u1161\u11ab", "\ud55c", "composed form (NFC)"),
    ],
)
def test_a_seed_in_the_other_normal_form_is_read_in_the_one_that_the_model_knows(
    tmp_path, known, seed, read, form
):
    save_cycle(tmp_path, known)
    samples = ask_to_write(tmp_path, seed=seed)
    assert samples.prompt.text == read
    [note] = samples.notes
    assert form in note


def test_letters_that_the_model_knows_keep_their_form(tmp_path):
    save_cycle(tmp_path, "e\u0301\u00e9\u00fcx")
    samples = ask_to_write(tmp_path, seed="\u00e9e\u0301u\u0308")
    assert samples.prompt.text == "\u00e9e\u0301\u00fc"


def test_an_end_in_the_other_normal_form_is_found(tmp_path):
    save_cycle(tmp_path, "Cafe\u0301")
    samples = ask_to_write(tmp_path, seed="C", until="f\u00e9", length=50)
    assert texts(samples) == ["Cafe\u0301"]


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
    assert samples.prompt.text == "abc"
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
    pieces = [piece for _, piece in ask_to_write(abc_runs, seed="ab", length=5).draw()]
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


@pytest.mark.parametrize("lines", [1, 3])
@pytest.mark.parametrize("num_samples", [1, 3])
def test_lines_are_whole_and_as_many_as_asked_for(abc_runs, lines, num_samples):
    samples = texts(ask_to_write(abc_runs, length=None, lines=lines, num_samples=num_samples))
    assert all(text.count("\n") == lines and text.endswith("\n") for text in samples)
    longer = texts(ask_to_write(abc_runs, length=900, num_samples=num_samples))
    assert all(b.startswith(a) for a, b in zip(samples, longer, strict=True))


def test_the_line_that_the_seed_begins_is_one_of_the_lines(tmp_path):
    save_cycle(tmp_path, "wx\nyz")
    samples = ask_to_write(tmp_path, seed="w", length=None, lines=1)
    assert texts(samples) == ["wx\n"]


def test_lines_end_at_a_length_that_is_given(tmp_path):
    save_cycle(tmp_path, "wx\nyz")
    assert texts(ask_to_write(tmp_path, seed="w", length=4, lines=9)) == ["wx\nyz"]


def test_lines_need_a_model_that_writes_newlines(tmp_path):
    save_cycle(tmp_path, "wxyz")
    with pytest.raises(UsageError, match="--lines: the model never writes a newline"):
        ask_to_write(tmp_path, lines=2)


def test_a_sample_of_so_many_lines_has_at_most_ten_thousand_characters_for_each(abc_runs):
    assert ask_to_write(abc_runs, length=None, lines=2).request.max_length == 20_000


def test_until_stops_each_sample_on_its_own(abc_runs):
    whole = texts(ask_to_write(abc_runs, length=200, num_samples=4))
    stopped = texts(ask_to_write(abc_runs, length=200, num_samples=4, until="bc"))
    assert stopped == [text[: text.index("bc") + 2] for text in whole]
    assert len(set(map(len, stopped))) > 1


def test_length_zero_goes_on_until_stopped(abc_runs):
    pieces = list(islice(ask_to_write(abc_runs, length=0).draw(), 2000))
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
    with pytest.raises(CharRNNError, match="--device cuda:9"):
        list(ask_to_write(abc_runs, device="cuda:9").draw())


@pytest.mark.slow
def test_sampling_never_imports_torch(abc_runs):
    script = f"""
import sys
from pathlib import Path
from charrnn_cli.settings.configs import SamplingConfig
from charrnn_cli.sampling.samples import SampleRequest, open_samples
request = SampleRequest(None, Path({str(abc_runs)!r}), SamplingConfig(), seed="a", length=3)
samples = open_samples(request)
assert len("".join(piece for _, piece in samples.draw())) == 4
assert len(list(samples.draw().json_lines())) == 1
assert "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
