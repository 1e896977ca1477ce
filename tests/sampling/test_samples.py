"""Samples: several at once, their random seed, as text and JSON, how much of them is new."""

import json

import numpy as np
import pytest
from factories import ask_to_write, make_checkpoint, save_checkpoint, save_cycle, texts

from charrnn_cli.sampling import threads as threads_module
from charrnn_cli.sampling import written as written_module
from charrnn_cli.sampling.samples import Samples
from charrnn_cli.settings.configs import SamplingConfig

GREEDY = SamplingConfig(temperature=0)


# several samples


def test_several_samples_come_one_after_another(abc_runs):
    numbers = [index for index, _ in ask_to_write(abc_runs, num_samples=4).draw()]
    assert numbers == sorted(numbers)
    assert set(numbers) == {0, 1, 2, 3}


def test_several_samples_each_begin_with_the_seed(abc_runs):
    assert all(
        text.startswith("cab") for text in texts(ask_to_write(abc_runs, seed="cab", num_samples=3))
    )


def test_several_samples_differ(abc_runs):
    assert len(set(texts(ask_to_write(abc_runs, length=60, num_samples=4)))) == 4


@pytest.mark.parametrize("cores", [2, 3, 5])
def test_samples_do_not_depend_on_the_number_of_cores(abc_runs, monkeypatch, cores):
    monkeypatch.setattr(threads_module, "available_cores", lambda: 1)
    alone = texts(ask_to_write(abc_runs, seed="abc", num_samples=70))
    monkeypatch.setattr(threads_module, "available_cores", lambda: cores)
    assert texts(ask_to_write(abc_runs, seed="abc", num_samples=70)) == alone


@pytest.mark.parametrize(
    ("architecture", "cores", "opened"),
    [
        ("gru", 1, [(16, 1)]),
        ("gru", 2, [(32, 2)]),
        ("gru", 3, [(32, 2), (16, 1)]),
        ("gru", 4, [(32, 2), (32, 2)]),
        ("gru", 5, [(32, 2), (32, 2), (16, 1)]),
        ("llama", 3, [(16, 1), (16, 1), (16, 1)]),
    ],
)
def test_samples_are_divided_among_all_cores(tmp_path, monkeypatch, architecture, cores, opened):
    checkpoint = make_checkpoint(architecture, vocabulary="abc")
    save_checkpoint(tmp_path / "abc" / "best.safetensors", checkpoint)
    open_decoders, decoders = written_module.decoders_on, []

    def kept(*arguments):
        def open_decoder(streams):
            decoders.append((streams, open_decoders(*arguments)(streams)))
            return decoders[-1][1]

        return open_decoder

    monkeypatch.setattr(written_module, "decoders_on", kept)
    monkeypatch.setattr(threads_module, "available_cores", lambda: cores)
    texts(ask_to_write(tmp_path, seed="a", num_samples=16 * cores))
    helped = [getattr(decoder, "thread", None) is not None for _, decoder in decoders]
    streams = [count for count, _ in decoders]
    assert list(zip(streams, [1 + one for one in helped], strict=True)) == opened


@pytest.mark.parametrize("sampling", [GREEDY, SamplingConfig(), SamplingConfig(top_k=3)])
def test_the_first_of_several_samples_is_that_of_one_alone(abc_runs, sampling):
    one = texts(ask_to_write(abc_runs, sampling=sampling, length=100))
    several = texts(ask_to_write(abc_runs, sampling=sampling, length=100, num_samples=3))
    assert several[:1] == one


def test_the_same_random_seed_gives_the_same_samples(abc_runs):
    first, second, other = (
        texts(ask_to_write(abc_runs, length=100, num_samples=2, random_seed=seed))
        for seed in (7, 7, 8)
    )
    assert first == second != other


def test_the_same_samples_can_be_drawn_twice(abc_runs):
    samples = ask_to_write(abc_runs, length=100)
    assert texts(samples) == texts(samples)


# the random seed


def test_a_random_seed_that_was_drawn_is_told_and_gives_the_text_again(abc_runs):
    samples = ask_to_write(abc_runs, random_seed=None, length=60)
    assert samples.notes == (f"random seed {samples.random_seed}, model {samples.file}",)
    assert texts(samples) == texts(
        ask_to_write(abc_runs, random_seed=samples.random_seed, length=60)
    )


def test_drawn_random_seeds_differ(abc_runs):
    assert len({ask_to_write(abc_runs, random_seed=None).random_seed for _ in range(5)}) > 1


def test_a_random_seed_that_was_given_is_not_told(abc_runs):
    assert ask_to_write(abc_runs, random_seed=3).notes == ()


def test_no_random_seed_is_told_where_nothing_is_random(abc_runs):
    assert ask_to_write(abc_runs, random_seed=None, sampling=GREEDY).notes == ()


# samples as one text, and as JSON


def records(samples: Samples) -> list[dict]:
    return [json.loads(line) for line in samples.draw().json_lines()]


def test_one_sample_as_text_is_the_sample_alone(abc_runs):
    samples = ask_to_write(abc_runs, seed="ab", length=50)
    assert ["".join(samples.draw().text("----"))] == texts(samples)


def test_several_samples_as_text_have_a_separator_line_between_two(abc_runs):
    samples = ask_to_write(abc_runs, seed="ab", length=50, num_samples=3)
    assert "".join(samples.draw().text("----")) == "\n----\n".join(texts(samples))


@pytest.mark.parametrize("num_samples", [1, 3])
def test_what_was_written_is_kept_without_the_seed(abc_runs, num_samples):
    samples = ask_to_write(abc_runs, seed="ab", length=50, num_samples=num_samples, whole=True)
    drawing = samples.draw()
    assert len("".join(drawing.text(""))) > 50 * num_samples
    assert ["ab" + text for text in drawing.texts] == texts(samples)


def test_of_one_sample_that_is_passed_on_only_the_end_is_kept(abc_runs):
    drawing = ask_to_write(abc_runs, length=300, until="aaaaaaaa").draw()
    passed_on = "".join(drawing.text(""))
    assert len(passed_on) == 300
    assert drawing.texts == [passed_on[-8:]]


def test_an_empty_separator_leaves_only_the_samples_own_line_ends(tmp_path):
    save_cycle(tmp_path, "wxy\nz")
    ended = ask_to_write(tmp_path, seed="w", num_samples=2, lines=1).draw().text("")
    assert "".join(ended) == "wxy\nwxy\n"
    open_ended = ask_to_write(tmp_path, seed="w", num_samples=2, length=1).draw().text("")
    assert "".join(open_ended) == "wx\nwx"


def test_whole_lines_have_no_empty_line_before_the_separator(tmp_path):
    save_cycle(tmp_path, "wxy\nz")
    samples = ask_to_write(tmp_path, seed="w", num_samples=2, lines=1)
    assert "".join(samples.draw().text("--")) == "wxy\n--\nwxy\n"


@pytest.mark.parametrize(
    ("wishes", "note"),
    [
        ({"until": "zz", "length": 7},
         "Note: --until was not reached: the sample ended at --length 7."),
        ({"lines": 9, "length": 7, "num_samples": 2},
         "Note: --lines was not reached: 2 of 2 samples ended at --length 7."),
    ],
)  # fmt: skip
def test_an_end_that_was_never_reached_gets_a_note(tmp_path, wishes, note):
    save_cycle(tmp_path, "wxy\nz")
    drawing = ask_to_write(tmp_path, seed="x", **wishes).draw()
    list(drawing)
    assert drawing.notes() == [note]


@pytest.mark.parametrize("wishes", [{"until": "z"}, {"lines": 1}, {"length": 4}])
def test_a_sample_that_ended_as_asked_gets_no_note(tmp_path, wishes):
    save_cycle(tmp_path, "wxy\nz")
    drawing = ask_to_write(tmp_path, seed="x", **wishes).draw()
    list(drawing)
    assert drawing.notes() == []


@pytest.mark.parametrize("architecture", ["gru", "lstm", "rnn"])
def test_a_prompt_is_read_once_for_all_samples(tmp_path, monkeypatch, architecture):
    checkpoint = make_checkpoint(architecture, vocabulary="abc")
    save_checkpoint(tmp_path / "abc" / "best.safetensors", checkpoint)
    opened, read = written_module.decoders_on, []

    def counting(*arguments):
        def open_decoder(streams):
            decoder = opened(*arguments)(streams)
            prefill = decoder.prefill
            decoder.prefill = lambda ids: read.append(np.size(ids)) or prefill(ids)
            return decoder

        return open_decoder

    monkeypatch.setattr(written_module, "decoders_on", counting)
    texts(ask_to_write(tmp_path, seed="abc" * 100, num_samples=8))
    assert sum(read) == 299 + 8
