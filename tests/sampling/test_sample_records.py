"""Samples as records of JSON: what they say, also if Ctrl-C ended them."""

import itertools
import json
from itertools import pairwise

import numpy as np
import pytest
from factories import ask_to_write, save_cycle, texts

from charrnn_cli.models.registry import build_decoder
from charrnn_cli.sampling import written as written_module
from charrnn_cli.sampling.drawing import surprisal
from charrnn_cli.sampling.samples import Samples
from charrnn_cli.settings.configs import SamplingConfig

GREEDY = SamplingConfig(temperature=0)


def records(samples: Samples) -> list[dict]:
    return [json.loads(line) for line in samples.draw().json_lines()]


# samples as one text, and as JSON


def interrupt_after(count, monkeypatch):
    """Let Ctrl-C come when so many steps have been drawn."""
    steps = written_module.generate_with_bits

    def interrupted(*arguments, **options):
        yield from itertools.islice(steps(*arguments, **options), count)
        raise KeyboardInterrupt

    monkeypatch.setattr(written_module, "generate_with_bits", interrupted)


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


def test_the_surprisal_of_a_record_does_not_depend_on_the_filters(abc_runs):
    [greedy] = records(ask_to_write(abc_runs, sampling=GREEDY))
    [top] = records(ask_to_write(abc_runs, sampling=SamplingConfig(temperature=9, top_k=1)))
    assert greedy["text"] == top["text"]
    assert greedy["bits_per_char"] == top["bits_per_char"] > 0.01
