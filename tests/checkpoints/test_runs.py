"""Runs: how they are named, found again, and removed when they came to nothing."""

import os
from pathlib import Path

import pytest
from factories import make_checkpoint, make_run, plain, save_checkpoint

from charrnn_cli.checkpoints.checkpoint import load
from charrnn_cli.checkpoints.finding import find_checkpoint, find_run
from charrnn_cli.checkpoints.naming import create_run
from charrnn_cli.checkpoints.runs import list_runs
from charrnn_cli.errors import CheckpointError, UsageError, WriteError

# naming


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("poems.txt", "poems"),
        ("/some/where/poems.txt", "poems"),
        ("no-suffix", "no-suffix"),
        ("two.dots.txt", "two.dots"),
        ("my  poems & more.txt", "my-poems-more"),
        ("Gedichte_für_Ärzte.txt", "Gedichte_für_Ärzte"),
        ("--help.txt", "help"),
        (".hidden", "hidden"),
        ("???.txt", "text"),
        ("a\nb\x1b[31m.txt", "a-b-31m"),
    ],
)
def test_a_run_is_named_after_its_text_in_plain_characters(tmp_path, source, name):
    run = create_run(tmp_path, None, source)
    assert run.name == name
    assert run.folder.is_dir()


def test_a_texts_second_run_gets_a_number(tmp_path):
    names = [create_run(tmp_path, None, "poems.txt").name for _ in range(3)]
    assert names == ["poems", "poems-2", "poems-3"]


def test_a_number_left_free_is_taken_again(tmp_path):
    runs = [create_run(tmp_path, None, "poems.txt") for _ in range(3)]
    runs[1].folder.rmdir()
    assert create_run(tmp_path, None, "poems.txt").name == "poems-2"


def test_a_file_of_the_name_counts_as_taken(tmp_path):
    (tmp_path / "poems").write_text("mine")
    assert create_run(tmp_path, None, "poems.txt").name == "poems-2"
    assert (tmp_path / "poems").read_text() == "mine"


def test_the_checkpoints_folder_is_made_with_its_parents(tmp_path):
    assert create_run(tmp_path / "a" / "b", None, "poems.txt").folder == tmp_path / "a/b/poems"


@pytest.mark.parametrize("name", ["mine", "a b", "ünï"])
def test_a_given_name_is_taken_as_it_is(tmp_path, name):
    assert create_run(tmp_path, name, "poems.txt").folder == tmp_path / name


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/a", "a/", "../a"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path, name):
    with pytest.raises(UsageError, match="must be a plain name: no slash") as caught:
        create_run(tmp_path, name, "poems.txt")
    assert str(caught.value).startswith(f"--name {name}: ")
    assert os.listdir(tmp_path) == []


def test_a_given_name_of_a_folder_without_a_checkpoint_is_not_said_to_be_resumable(tmp_path):
    create_run(tmp_path, "mine", "poems.txt")
    with pytest.raises(UsageError, match=r"exists\. Choose another name, or remove it"):
        create_run(tmp_path, "mine", "poems.txt")


def test_a_given_name_that_is_taken_is_refused_with_two_ways_out(tmp_path):
    make_run(tmp_path, "mine")
    with pytest.raises(UsageError, match=r"exists\. Choose another name, .*--resume mine"):
        create_run(tmp_path, "mine", "poems.txt")
    assert os.listdir(tmp_path) == ["mine"]


@pytest.mark.parametrize("folder", ["file", "file/deeper"])
def test_a_place_where_no_folder_can_be_made_is_named(tmp_path, folder):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(
        WriteError, match=r"cannot be written .*Choose another --checkpoints"
    ) as caught:
        create_run(tmp_path / folder, None, "poems.txt")
    assert str(caught.value).startswith(str(tmp_path / folder))


def test_a_name_too_long_for_the_system_is_refused(tmp_path):
    with pytest.raises(WriteError, match="cannot be written"):
        create_run(tmp_path, "x" * 300, "poems.txt")


# finding


def test_runs_are_listed_newest_first_and_by_name_where_equal(tmp_path):
    for name in "cebda":
        make_run(tmp_path, name, 200)
    make_run(tmp_path, "old", 100)
    make_run(tmp_path, "new", 300)
    assert [run.name for run in list_runs(tmp_path)] == ["new", *"edcba", "old"]


def test_a_run_is_as_new_as_the_newer_of_its_checkpoints(tmp_path):
    make_run(tmp_path, "resumed", 100)
    make_run(tmp_path, "idle", 200)
    os.utime(tmp_path / "resumed" / "last.safetensors", (300, 300))
    assert [run.name for run in list_runs(tmp_path)] == ["resumed", "idle"]


def test_folders_without_a_checkpoint_and_files_are_no_runs(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "odd" / "best.safetensors").mkdir(parents=True)
    assert list_runs(tmp_path) == []


def test_a_missing_checkpoints_folder_has_no_runs(tmp_path):
    assert list_runs(tmp_path / "nowhere") == []


def test_nothing_named_means_the_newest_run(tmp_path):
    make_run(tmp_path, "old", 100)
    new = make_run(tmp_path, "new", 200)
    assert find_checkpoint(None, tmp_path) == new.best


def test_a_run_is_found_by_its_name(tmp_path):
    old = make_run(tmp_path, "old", 100)
    make_run(tmp_path, "new", 200)
    assert find_checkpoint("old", tmp_path) == old.best


def test_a_run_is_found_by_its_folder_wherever_it_is(tmp_path):
    run = make_run(tmp_path / "elsewhere", "mine")
    assert find_checkpoint(str(run.folder), tmp_path) == run.best
    assert find_checkpoint(f"{run.folder}/", tmp_path) == run.best


def test_a_file_is_taken_as_it_is(tmp_path):
    run = make_run(tmp_path, "mine")
    assert find_checkpoint(str(run.last), tmp_path / "nowhere") == run.last


def test_a_run_goes_before_a_folder_of_the_same_name_here(tmp_path, monkeypatch):
    here = make_run(tmp_path / "here", "mine")
    there = make_run(tmp_path / "there", "mine")
    monkeypatch.chdir(tmp_path / "here")
    assert find_checkpoint("mine", there.folder.parent) == there.best
    assert find_checkpoint("mine", tmp_path / "nowhere").samefile(here.best)


def test_last_stands_in_while_there_is_no_best(tmp_path):
    run = make_run(tmp_path, "mine")
    run.best.unlink()
    assert find_checkpoint("mine", tmp_path) == run.last


def test_with_no_run_at_all_the_error_says_how_to_make_one(tmp_path):
    with pytest.raises(CheckpointError, match="Make one: charrnn train TEXT") as caught:
        find_checkpoint(None, tmp_path)
    assert str(caught.value).startswith(f"no checkpoint in {tmp_path} yet")


def test_an_unknown_name_is_answered_with_the_known_ones(tmp_path):
    make_run(tmp_path, "old", 100)
    make_run(tmp_path, "new", 200)
    with pytest.raises(CheckpointError, match=r"no run or file 'mine' .*Runs there: new, old$"):
        find_checkpoint("mine", tmp_path)


def test_of_many_runs_an_error_names_ten_and_counts_the_others(tmp_path):
    for number in range(12):
        make_run(tmp_path, f"run{number}", number + 100)
    with pytest.raises(CheckpointError, match=r"run11, .*, run2 and 2 more$"):
        find_checkpoint("mine", tmp_path)


def test_an_unknown_name_without_any_run_says_how_to_make_one(tmp_path):
    with pytest.raises(CheckpointError, match=r"no run or file 'mine'.*charrnn train TEXT"):
        find_checkpoint("mine", tmp_path)


def test_of_many_known_names_ten_are_listed(tmp_path):
    for number in range(12):
        make_run(tmp_path, f"run{number:02}", number + 1)
    with pytest.raises(CheckpointError) as caught:
        find_run("mine", tmp_path)
    assert str(caught.value).count("run") - str(caught.value).count("no run") == 10


def test_a_folder_without_a_checkpoint_has_its_own_error(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match="no checkpoint in this folder"):
        find_checkpoint(str(tmp_path / "empty"), tmp_path)


@pytest.mark.parametrize("which", ["x" * 300, "a\0b", "From fairest creatures\n" * 200])
def test_what_cannot_be_a_path_is_no_run(tmp_path, which):
    with pytest.raises(CheckpointError, match="no run or file"):
        find_checkpoint(which, tmp_path)


def test_a_saved_checkpoint_is_read_back(tmp_path):
    run = create_run(tmp_path, None, "poems.txt")
    checkpoint = make_checkpoint(training=True)
    run.save(run.last, checkpoint)
    assert plain(load(run.last, training=True)) == plain(checkpoint)
    assert os.listdir(run.folder) == ["last.safetensors"]


# runs that came to nothing


def test_a_run_without_a_checkpoint_is_removed_lock_and_all(tmp_path):
    run = create_run(tmp_path, None, "poems.txt")
    with run.locked():
        pass
    run.remove_if_empty()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["best.safetensors", "last.safetensors"])
def test_a_run_with_a_checkpoint_is_kept_lock_and_all(tmp_path, name):
    run = create_run(tmp_path, None, "poems.txt")
    with run.locked():
        save_checkpoint(run.folder / name)
    run.remove_if_empty()
    assert sorted(os.listdir(run.folder)) == [".lock", name]


def test_a_folder_with_something_of_the_users_is_kept(tmp_path):
    run = create_run(tmp_path, None, "poems.txt")
    (run.folder / "notes.txt").write_text("mine")
    run.remove_if_empty()
    assert Path(run.folder / "notes.txt").read_text() == "mine"
