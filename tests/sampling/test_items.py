"""Samples of a model that learned a list."""

import dataclasses
import json

import pytest
from factories import make_checkpoint, one_line_error, save_checkpoint

from charrnn_cli.errors import ExitCode


@pytest.fixture
def lists(tmp_path):
    """A run `list` with a random model of a list, in `tmp_path`/checkpoints."""
    checkpoint = make_checkpoint("gru", vocabulary="ab\n")
    train = dataclasses.replace(checkpoint.train, lines=True)
    checkpoint = dataclasses.replace(checkpoint, train=train)
    save_checkpoint(tmp_path / "checkpoints" / "list" / "best.safetensors", checkpoint)
    (tmp_path / "names.txt").write_text("a\nb\n\nab\nba\n")
    return tmp_path


def test_ten_samples_of_a_list_are_ten_lines_and_nothing_else(lists, invoke):
    result = invoke("sample", "list", "--num-samples", 10, "--random-seed", 1)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.count("\n") == 10
    assert set(result.stdout) <= set("ab\n")
    assert result.stderr == ""


def test_one_sample_of_a_list_is_the_first_of_several(lists, invoke):
    one = invoke("sample", "list", "--random-seed", 1).stdout
    assert one.count("\n") == 1
    assert invoke("sample", "list", "--random-seed", 1, "--num-samples", 3).stdout.startswith(one)


def test_a_seed_begins_the_line(lists, invoke):
    lines = invoke("sample", "list", "--seed", "ba", "--num-samples", 5).stdout.splitlines()
    assert len(lines) == 5
    assert all(line.startswith("ba") for line in lines)


def new(invoke, *words):
    asked = ("--new", "--originality", "names.txt", "--random-seed", 1)
    return invoke("sample", "list", *asked, *words)


def test_new_items_are_not_in_the_list_and_differ(lists, invoke):
    known = set((lists / "names.txt").read_text().splitlines())
    lines = new(invoke, "--num-samples", 20).stdout.splitlines()
    assert len(lines) == len(set(lines)) == 20
    assert not known & set(lines)


def test_new_items_as_json_are_numbered_from_zero(lists, invoke):
    records = [
        json.loads(line) for line in new(invoke, "--num-samples", 5, "--json").stdout.splitlines()
    ]
    assert [record["sample"] for record in records] == list(range(5))
    assert not {record["text"] for record in records} & {"a\n", "b\n", "\n", "ab\n", "ba\n"}


@pytest.mark.slow  # three hundred items are drawn
def test_too_few_new_items_are_named(lists, invoke):
    result = new(invoke, "--num-samples", 3, "--top-k", 1, "--seed", "b")
    assert len(result.stdout.splitlines()) <= 1
    assert "of 3 are not in the list that was learned" in result.stderr


def test_new_is_for_lists(abc_runs, invoke):
    (abc_runs / "a.txt").write_text("abc\n")
    words = ("sample", "abc", "--checkpoints", abc_runs, "--new", "--originality", "a.txt")
    message = one_line_error(invoke(*words), ExitCode.USAGE)
    assert "--new: for models of lists" in message


def test_items_cut_short_are_each_on_a_line_of_their_own(lists, invoke):
    asked = ("--seed", "abab", "--length", 1, "--num-samples", 6, "--random-seed", 1)
    lines = invoke("sample", "list", *asked).stdout.splitlines()
    assert len(lines) == 6
    assert all(line.startswith("abab") for line in lines)


def test_a_sample_of_a_list_has_no_other_end(lists, invoke):
    message = one_line_error(invoke("sample", "list", "--until", "a"), ExitCode.USAGE)
    assert "--until: a sample of a list ends with its line" in message


def test_originality_counts_the_lines_that_are_not_in_the_list(lists, invoke):
    asked = ("--seed", "a", "--num-samples", 20, "--random-seed", 1)
    result = invoke("sample", "list", *asked, "--originality", "names.txt")
    new = sum(line not in ("a", "ab") for line in result.stdout.splitlines())
    assert 0 < new < 20
    assert f"originality: {new} of 20 lines are not in names.txt\n" in result.stderr


def test_lists_whose_last_line_has_no_end_are_told_apart(lists, invoke):
    (lists / "folder").mkdir()
    (lists / "folder" / "1.txt").write_text("a\nb")
    (lists / "folder" / "2.txt").write_text("ab\nba")
    asked = ("--new", "--originality", "folder", "--random-seed", 1, "--num-samples", 20)
    lines = invoke("sample", "list", *asked).stdout.splitlines()
    assert not {"a", "b", "ab", "ba"} & set(lines)
