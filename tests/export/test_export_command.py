"""`charrnn export` without a browser: what it writes, what it refuses."""

import base64
import json
import re

import numpy as np
import pytest
from factories import SONNETS, make_checkpoint, one_line_error, save_checkpoint
from pairs import make_pair_checkpoint
from terminal import modules_after

from charrnn_cli.checkpoints.checkpoint import load
from charrnn_cli.checkpoints.records import Sample
from charrnn_cli.checkpoints.runs import Run
from charrnn_cli.export.html_page import SOURCE
from charrnn_cli.text.pair_format import PairFormat


def test_nothing_to_write_is_a_usage_error(invoke, abc_runs):
    line = one_line_error(invoke("export", "abc", "--checkpoints", abc_runs), 2)
    assert "--html" in line


def test_a_file_that_exists_stays_without_force(invoke, abc_runs, tmp_path):
    (tmp_path / "page.html").write_text("mine")
    words = ("export", "abc", "--checkpoints", abc_runs, "--html", "page.html")
    assert "--force" in one_line_error(invoke(*words), 5)
    assert (tmp_path / "page.html").read_text() == "mine"
    assert invoke(*words, "--force").exit_code == 0
    assert (tmp_path / "page.html").read_text().startswith("<!DOCTYPE html>")


def test_a_folder_that_is_not_there_is_told(invoke, abc_runs):
    words = ("export", "abc", "--checkpoints", abc_runs, "--html", "no/page.html")
    assert "no/page.html: cannot be written: there is no such folder" in one_line_error(
        invoke(*words), 5
    )


def test_a_page_is_not_written_to_stdout(invoke, abc_runs, tmp_path):
    words = ("export", "abc", "--checkpoints", abc_runs, "--html", "-")
    assert "--html -: writes no stdout. Name a file." in one_line_error(invoke(*words), 2)
    assert not (tmp_path / "-").exists()


def test_units_of_a_model_of_pairs_are_refused(invoke, tmp_path):
    save_checkpoint(tmp_path / "pairs.safetensors", make_pair_checkpoint())
    words = ("pairs.safetensors", "--html", "page.html", "--units", "no.txt")
    assert "no units to study" in one_line_error(invoke("export", *words), 2)


@pytest.mark.parametrize("line", ["ab", "ab\tX\ty", "ab\tX\nab\tX"])
def test_an_example_that_is_no_source_is_refused(line, invoke, tmp_path):
    checkpoint = make_pair_checkpoint(features=("X",), pair_format=PairFormat((1,), 2, (3,)))
    save_checkpoint(tmp_path / "pairs.safetensors", checkpoint)
    result = invoke("export", "pairs.safetensors", "--html", "page.html", "--example", line)
    assert "one line of 2 columns" in one_line_error(result, 2)
    assert not (tmp_path / "page.html").exists()


def test_units_of_a_transformer_are_refused(invoke, tmp_path):
    save_checkpoint(tmp_path / "gpt.safetensors", make_checkpoint("gpt2"))
    (tmp_path / "text.txt").write_text("ab\n" * 1000)
    words = ("gpt.safetensors", "--html", "page.html", "--units", "text.txt")
    assert "has no state" in one_line_error(invoke("export", *words), 2)
    assert not (tmp_path / "page.html").exists()


def test_json_says_what_was_written(invoke, abc_runs, tmp_path):
    words = ("export", "abc", "--checkpoints", abc_runs, "--html", "page.html", "--json")
    result = json.loads(invoke(*words).stdout)
    size = (tmp_path / "page.html").stat().st_size
    assert result["target"] == "html"
    assert result["written"] == [{"file": "page.html", "bytes": size}]


def test_equal_models_give_equal_pages(invoke, abc_runs, tmp_path):
    for name in ("one.html", "two.html"):
        invoke("export", "abc", "--checkpoints", abc_runs, "--html", name)
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()


def test_a_page_is_as_large_as_its_weights_and_150_kb_at_most(invoke, tmp_path):
    file = save_checkpoint(tmp_path / "a.safetensors", make_checkpoint("llama", 64, 2))
    assert invoke("export", file, "--html", "page.html").exit_code == 0
    weights = 2 * load(file).model.parameters * 4 / 3
    assert (tmp_path / "page.html").stat().st_size < weights + 150_000


def test_the_weights_in_a_page_are_those_of_the_model_in_16_bits(invoke, tmp_path):
    checkpoint = make_checkpoint("gru")
    file = save_checkpoint(tmp_path / "a.safetensors", checkpoint)
    invoke("export", file, "--html", "page.html")
    page = (tmp_path / "page.html").read_text()
    found = re.search(r'id="weights">([^<]*)<', page)[1]
    halves = np.frombuffer(base64.b64decode(found), "<f2")
    flat = np.concatenate([values.ravel() for values in checkpoint.weights.values()])
    np.testing.assert_array_equal(halves, flat.astype(np.float16))


@pytest.mark.parametrize("path", sorted(SOURCE.iterdir()), ids=lambda path: path.name)
def test_a_source_of_the_page_is_short_and_cannot_end_its_element(path):
    source = path.read_text("utf-8")
    assert len(source.splitlines()) < 300
    assert max(map(len, source.splitlines())) <= 110
    if path.suffix != ".html":
        assert not re.search(r"</|<!--|innerHTML|eval\(|https?:(?!//www.w3.org)", source)


@pytest.mark.slow
def test_export_does_not_import_torch(trained):
    words = ("export", "--checkpoints", trained, "--html", "page.html", "--force")
    assert not {"torch", "matplotlib"} & modules_after(*words, cwd=trained)


def test_a_run_keeps_what_its_model_wrote_in_training(trained):
    samples = Run(trained / "poems").samples()
    assert samples
    assert all(len(sample.text) == 80 for sample in samples)
    assert set("".join(s.text for s in samples)) <= set(SONNETS.read_text())


def test_samples_of_steps_that_were_done_again_count_once(tmp_path):
    run = Run(tmp_path)
    for step, text in ((1, "a"), (5, "b"), (9, "c"), (5, "d")):
        run.append_sample(Sample(step, 0.1, 2.0, text))
    with open(run.sample_file, "a") as file:
        file.write('{"step": 7}\nnot json\n')
    assert [(sample.step, sample.text) for sample in run.samples()] == [(1, "a"), (5, "d")]
