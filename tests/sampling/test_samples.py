"""Samples: several at once, their random seed, as text and JSON, how much of them is new."""

import dataclasses
import itertools
import json
import os
from hashlib import sha256
from itertools import pairwise

import numpy as np
import pytest
from factories import ask_to_write, corpus_of, make_checkpoint, save_checkpoint, save_cycle, texts

from charrnn_cli.checkpoints.checkpoint import CorpusInfo, load
from charrnn_cli.config import SamplingConfig
from charrnn_cli.errors import TextError, UsageError
from charrnn_cli.models.registry import build_decoder
from charrnn_cli.sampling import written as written_module
from charrnn_cli.sampling.drawing import surprisal
from charrnn_cli.sampling.originality import compare, learned_text
from charrnn_cli.sampling.samples import Samples

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


def interrupt_after(count, monkeypatch):
    """Let Ctrl-C come when so many steps have been drawn."""
    steps = written_module.generate_with_logits

    def interrupted(*arguments):
        yield from itertools.islice(steps(*arguments), count)
        raise KeyboardInterrupt

    monkeypatch.setattr(written_module, "generate_with_logits", interrupted)


def until_ctrl_c(pieces):
    """What is yielded before a KeyboardInterrupt, and whether one came."""
    yielded = []
    try:
        for piece in pieces:
            yielded.append(piece)  # noqa: PERF402
    except KeyboardInterrupt:
        return yielded, True
    return yielded, False


@pytest.mark.parametrize("num_samples", [1, 3])
def test_ctrl_c_ends_all_samples_where_they_are(abc_runs, monkeypatch, num_samples):
    whole = texts(ask_to_write(abc_runs, seed="ab", num_samples=num_samples))
    interrupt_after(7, monkeypatch)
    pieces, interrupted = until_ctrl_c(
        ask_to_write(abc_runs, seed="ab", num_samples=num_samples).draw()
    )
    assert interrupted
    for number, text in enumerate(whole):
        assert "".join(piece for index, piece in pieces if index == number) == text[:9]


def test_ctrl_c_leaves_a_record_of_each_sample(abc_runs, monkeypatch):
    interrupt_after(7, monkeypatch)
    lines, interrupted = until_ctrl_c(ask_to_write(abc_runs, num_samples=3).draw().json_lines())
    assert interrupted
    assert [len(json.loads(line)["text"]) for line in lines] == [7, 7, 7]
    assert all(json.loads(line)["bits_per_char"] > 0 for line in lines)


def test_a_record_says_all_of_its_sample(abc_runs):
    samples = ask_to_write(abc_runs, seed="ab", length=30, num_samples=3, random_seed=9)
    lines = records(samples)
    assert [line["sample"] for line in lines] == [0, 1, 2]
    assert [line["seed"] + line["text"] for line in lines] == texts(samples)
    assert {line["seed"] for line in lines} == {"ab"}
    assert {line["random_seed"] for line in lines} == {9}


def test_a_record_is_one_line(abc_runs):
    lines = list(ask_to_write(abc_runs, length=200, num_samples=2).draw().json_lines())
    assert len(lines) == 2
    assert all(line.endswith("\n") and line.count("\n") == 1 for line in lines)


def test_a_record_says_how_surprising_its_text_is(tmp_path):
    save_cycle(tmp_path, "wxyz")
    [record] = records(ask_to_write(tmp_path, seed="w"))
    assert record["bits_per_char"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("num_samples", [1, 4])
def test_the_surprisal_of_a_record_is_that_of_its_text_alone(abc_runs, num_samples):
    samples = ask_to_write(abc_runs, seed="bca", num_samples=num_samples, until="bc", length=80)
    vocabulary = samples.checkpoint.vocabulary
    for record in records(samples):
        ids = vocabulary.encode(record["seed"] + record["text"])
        engine = build_decoder(samples.checkpoint.model, samples.checkpoint.weights)
        costs = [float(surprisal(engine.step(int(a)), int(b))) for a, b in pairwise(ids)]
        mean = np.mean(costs[len(record["seed"]) - 1 :])
        assert record["bits_per_char"] == pytest.approx(mean, rel=1e-5)


def test_an_interrupted_empty_text_has_no_surprisal(abc_runs, monkeypatch):
    interrupt_after(0, monkeypatch)
    lines = ask_to_write(abc_runs, whole=True).draw().json_lines()
    record = json.loads(next(lines))
    assert (record["text"], record["bits_per_char"]) == ("", None)


@pytest.mark.parametrize(
    ("wishes", "ended"),
    [
        ({"until": "y"}, "until"),
        ({"lines": 2, "length": None}, "lines"),
        ({"length": 7}, "length"),
        ({"until": "zz", "length": 7}, "length"),
        ({"until": "y", "lines": 1}, "until"),
        ({"until": "z", "lines": 1}, "lines"),
    ],
)
@pytest.mark.parametrize("num_samples", [1, 3])
def test_a_record_says_why_its_text_ended(tmp_path, wishes, ended, num_samples):
    save_cycle(tmp_path, "wxy\nz")
    samples = ask_to_write(tmp_path, seed="x", num_samples=num_samples, **wishes)
    assert [record["ended"] for record in records(samples)] == [ended] * num_samples


def test_a_record_of_a_sample_that_ctrl_c_ended_says_stopped(abc_runs, monkeypatch):
    interrupt_after(3, monkeypatch)
    lines, _ = until_ctrl_c(ask_to_write(abc_runs, num_samples=2).draw().json_lines())
    assert [json.loads(line)["ended"] for line in lines] == ["stopped", "stopped"]


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


def test_the_surprisal_of_a_record_does_not_depend_on_the_filters(abc_runs):
    [greedy] = records(ask_to_write(abc_runs, sampling=GREEDY))
    [top] = records(ask_to_write(abc_runs, sampling=SamplingConfig(temperature=9, top_k=1)))
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


def learned_by(samples, source=None):
    return learned_text(samples.file, samples.checkpoint, source)


def originality_of(samples, learned):
    drawing = samples.draw()
    assert len("".join(drawing.text(""))) == 11
    return compare(drawing.texts, learned).in_words(learned)


def test_the_learned_text_is_the_one_that_the_run_names(cycle_run):
    corpus = learned_by(ask_to_write(cycle_run))
    assert corpus.vocabulary.decode(corpus.ids) == "wxyzwxyzwxyz"


def test_a_learned_text_that_was_changed_is_refused(cycle_run):
    (cycle_run / "text.txt").write_text("something else")
    with pytest.raises(TextError, match=r"text\.txt.*--originality TEXT"):
        learned_by(ask_to_write(cycle_run))


def test_a_checkpoint_alone_does_not_say_where_its_text_is(cycle_run):
    (cycle_run / "cycle" / "last.safetensors").unlink()
    with pytest.raises(UsageError, match="--originality TEXT"):
        learned_by(ask_to_write(cycle_run))


@pytest.mark.parametrize("path", ["pipe", "/dev/zero", "text.txt", "nowhere.txt"])
def test_a_path_in_a_checkpoint_is_read_only_if_it_is_of_an_ordinary_file(
    cycle_run, monkeypatch, path
):
    monkeypatch.chdir(cycle_run)
    os.mkfifo("pipe")
    descriptor = os.open("pipe", os.O_RDWR)  # should it be read after all, it does not hang
    os.write(descriptor, b"w")
    place = str(cycle_run / path) if path == "pipe" else path
    last = cycle_run / "cycle" / "last.safetensors"
    checkpoint = load(last)
    corpus = dataclasses.replace(checkpoint.corpus, path=place)
    save_checkpoint(last, dataclasses.replace(checkpoint, corpus=corpus))
    with pytest.raises(UsageError, match=r"is not there\. Give it: --originality TEXT"):
        learned_by(ask_to_write(cycle_run))
    os.close(descriptor)


def test_a_text_that_was_copied_is_not_new(cycle_run):
    samples = ask_to_write(cycle_run, seed="z", length=10, whole=True)
    words = originality_of(samples, learned_by(samples))
    assert "0%" in words
    assert "10 characters: 'wxyzwxyzwx'" in words


def test_a_text_that_was_not_learned_is_new(cycle_run, tmp_path):
    other = tmp_path / "other.txt"
    other.write_text("zyxwzyxwzyxw")
    samples = ask_to_write(cycle_run, seed="z", length=10, whole=True)
    words = originality_of(samples, learned_by(samples, str(other)))
    assert "100%" in words
    assert words.endswith("none")


# drawn again if copied


def test_samples_that_stand_in_the_learned_text_are_drawn_again(abc_runs):
    plain = texts(ask_to_write(abc_runs, length=2, num_samples=40))
    text = "\n" + "\n".join(plain[:20])
    learned = corpus_of(text)
    drawing = ask_to_write(abc_runs, length=2, num_samples=40, whole=True).draw(learned)
    list(drawing)
    assert len(drawing.texts) == 40
    new = [sample for sample in plain if f"\n{sample}" not in text]
    assert drawing.texts[: len(new)] == new


def test_a_sample_that_is_only_the_end_of_a_learned_line_is_no_copy(tmp_path):
    save_cycle(tmp_path, "wx\nyz")  # after a newline: y, z, w, x, and then the line ends
    samples = ask_to_write(tmp_path, lines=1, length=None, whole=True)
    assert texts(samples) == ["yzwx\n"]
    assert texts_of(samples.draw(corpus_of("ayzwx\nb"))) == ["yzwx\n"]
    with pytest.raises(UsageError, match="--skip-copied"):
        texts_of(samples.draw(corpus_of("yzwx\nb")))


def test_with_a_seed_a_copy_may_stand_anywhere_in_a_line(tmp_path):
    save_cycle(tmp_path, "wxyz")
    samples = ask_to_write(tmp_path, seed="wx", length=2, whole=True)
    with pytest.raises(UsageError, match="each of 100 samples stands in the training text"):
        list(samples.draw(corpus_of("--wxyz--")))


def test_too_few_new_samples_get_a_note(abc_runs):
    sampling = SamplingConfig(temperature=0.4)
    every = texts(ask_to_write(abc_runs, length=3, num_samples=3000, sampling=sampling))
    rare = min(sorted(set(every)), key=every.count)
    learned = corpus_of("".join(f"\n{text}#" for text in sorted(set(every) - {rare})))
    samples = ask_to_write(abc_runs, length=3, num_samples=30, whole=True, sampling=sampling)
    drawing = samples.draw(learned)
    assert texts_of(drawing) == [rare] * every.count(rare)
    [note] = drawing.notes()
    assert "of 30 samples: all others of 3,000 drawn stand in the training text" in note


def texts_of(drawing) -> list[str]:
    list(drawing)
    return drawing.texts
