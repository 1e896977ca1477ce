"""`charrnn train` on folders, lists and pipes, as a user types it."""

import json

import pytest
from factories import SMALL, SONNETS, one_line_error

from charrnn_cli.errors import ExitCode

pytestmark = pytest.mark.slow  # each trains a model

VERSE = SONNETS.read_text()
NAMES = "".join(f"{word}\n" for word in dict.fromkeys(VERSE[:9_000].lower().split()))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "poems").mkdir()
    for number in range(3):
        (tmp_path / "poems" / f"{number}.txt").write_text(VERSE[number * 5_000 :][:2_000])
    (tmp_path / "names.txt").write_text(NAMES)
    return tmp_path


def test_a_folder_trains_is_resumed_and_compared_by_its_name_alone(folder, invoke):
    result = invoke("train", "poems", *SMALL)
    assert result.exit_code == 0, result.stderr
    assert "poems: 6,000 characters" in result.stderr
    assert invoke("train", "--resume", "poems", "--epochs", 3).exit_code == 0
    said = invoke("sample", "poems", "--seed", VERSE[5_100:5_150], "--originality").stderr
    assert "sequences are not in poems" in said


def test_a_list_gets_a_note_that_names_lines(folder, invoke):
    said = invoke("train", "names.txt", *SMALL, "--epochs", 0.1).stderr
    assert "names.txt looks like a list; with --lines" in said
    said = invoke("train", "names.txt", *SMALL, "--epochs", 0.1, "--lines").stderr
    assert "looks like a list" not in said


def test_a_model_of_a_list_shows_and_writes_items(folder, invoke):
    result = invoke("train", "names.txt", "--lines", *SMALL, "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["run"] == "names"
    sampled = invoke("sample", "names", "--num-samples", 10, "--new", "--random-seed", 1)
    assert len(sampled.stdout.splitlines()) == 10
    assert not set(sampled.stdout.splitlines()) & set(NAMES.splitlines())


def test_a_held_out_text_of_the_users_own(folder, invoke):
    words = ("train", "poems/0.txt", "--val-text", "poems/1.txt", "--val-text", "poems/2.txt")
    result = invoke(*words, *SMALL)
    assert result.exit_code == 0, result.stderr
    assert json.loads(invoke("info", "--json").stdout)["training"]["hold_out"] == "text"


def test_what_came_through_a_pipe_is_resumed_through_one(folder, invoke):
    said = invoke("train", "-", *SMALL, "--epochs", 0.1, input=VERSE[:6_000]).stderr
    assert "To go on: COMMAND | charrnn train - --resume stdin --device cpu --epochs 1\n" in said


def test_a_model_no_better_than_counting_says_so_at_the_end(folder, invoke):
    said = invoke("train", "poems/0.txt", *SMALL).stderr
    assert "worse than a 5-gram model" in said or "nothing beyond how frequent" in said


def test_a_timed_plan_names_no_epochs_that_the_time_does_not_allow(folder, invoke):
    (folder / "long.txt").write_text(VERSE)
    said = invoke("train", "long.txt", "--minutes", 0.02, "--epochs", 500, "--device", "cpu").stderr
    assert " of 500 epochs in the time allowed, " in said
    assert "500 epochs, " not in said


def test_files_that_are_not_there_are_named_before_anything_is_read(folder, invoke):
    result = invoke("train", "poems", "nowhere.txt")
    assert result.exit_code == ExitCode.TEXT
    assert "nowhere.txt: no such file" in result.stderr


def test_the_plan_and_info_say_how_many_files_and_lines_there_are(folder, invoke):
    assert "poems: 6,000 characters in 3 files, " in invoke("train", "poems", *SMALL).stderr
    assert "6,000 characters in 3 files\n" in invoke("info", "poems").stdout
    count = len(NAMES.splitlines())
    said = invoke("train", "names.txt", "--lines", *SMALL, "--epochs", 0.1).stderr
    assert f" characters in {count:,} lines, " in said
    assert " characters, a list of lines\n" in invoke("info", "names").stdout


def test_a_text_of_files_and_a_pipe_is_resumed_with_all_of_it(folder, invoke):
    words = ("train", "poems/0.txt", "-", *SMALL, "--epochs", 0.1)
    said = invoke(*words, input=VERSE[9_000:12_000]).stderr
    assert "To go on: COMMAND | charrnn train poems/0.txt - --resume 0 --device cpu" in said


def test_a_resume_without_its_pipe_names_the_whole_command(folder, invoke):
    invoke("train", "-", *SMALL, "--epochs", 0.1, input=VERSE[:6_000])
    message = one_line_error(invoke("train", "--resume", "stdin"), ExitCode.USAGE)
    assert "give it again: COMMAND | charrnn train - --resume stdin" in message


def test_a_share_and_a_text_to_hold_out_exclude_each_other(folder, invoke):
    words = ("train", "poems/0.txt", "--val-text", "poems/1.txt", "--val-fraction", 0.2, *SMALL)
    message = one_line_error(invoke(*words), ExitCode.USAGE)
    assert "--val-fraction: with --val-text nothing else is held out" in message


def test_a_rise_by_chance_on_a_short_text_is_not_called_learned_by_heart(folder, invoke):
    (folder / "short.txt").write_text(VERSE[:1_000])
    words = ("train", "short.txt", "--random-seed", 1, "--device", "cpu", "--threads", 1)
    said = invoke(*words).stderr
    assert "Best held-out loss" in said
    assert "Towards its end" not in said
