"""`charrnn train` as a user meets it: streams, exit codes, files."""

import json
import re
from pathlib import Path

import pytest
from factories import SMALL, SONNETS, one_line_error
from typer.testing import CliRunner

from charrnn_cli.__main__ import app
from charrnn_cli.errors import ExitCode

pytestmark = pytest.mark.slow  # most tests train a model


def test_train_writes_best_last_and_metrics(invoke, text, tmp_path):
    result = invoke("train", text, *SMALL)
    assert result.exit_code == 0, result.stderr
    run = tmp_path / "checkpoints" / "poems"
    assert {p.name for p in run.iterdir()} >= {
        "best.safetensors",
        "last.safetensors",
        "metrics.jsonl",
    }


def test_train_says_plan_result_and_sample_on_stderr_only(invoke, text):
    result = invoke("train", text, *SMALL)
    assert result.stdout == ""
    plan = r"6,000 characters, \d+ distinct\. Model: gru with 1 layer of 16 units, .* parameters"
    assert re.search(plan + ", reads it 2 times: ", result.stderr)
    assert "Best held-out loss" in result.stderr
    assert "A sample:" in result.stderr


def test_quiet_train_says_nothing(invoke, text):
    result = invoke("train", text, *SMALL, "--quiet")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")


def test_train_reads_stdin(invoke, text, tmp_path):
    result = invoke("train", "-", *SMALL, input=text.read_text())
    assert result.exit_code == 0, result.stderr
    assert (tmp_path / "checkpoints" / "stdin" / "best.safetensors").exists()


def test_second_training_of_a_text_gets_a_name_of_its_own(invoke, text, tmp_path):
    invoke("train", text, *SMALL)
    before = (tmp_path / "checkpoints" / "poems" / "best.safetensors").read_bytes()
    invoke("train", text, *SMALL, "--random-seed", 9)
    assert (tmp_path / "checkpoints" / "poems-2" / "best.safetensors").exists()
    assert (tmp_path / "checkpoints" / "poems" / "best.safetensors").read_bytes() == before


MODEL_OPTIONS = {"model": "lstm", "hidden_size": 17, "num_layers": 3, "dropout": 0.25}
TRAINING_OPTIONS = {
    "epochs": 0.5, "batch_size": 3, "seq_length": 21, "learning_rate": 0.00123, "grad_clip": 2.5,
    "weight_decay": 0.25, "val_fraction": 0.2, "patience": 7, "random_seed": 11, "min_count": 5,
}  # fmt: skip


@pytest.fixture(scope="module")
def facts_of_options(tmp_path_factory):
    """What `info` says of a run that was trained with all of these options."""
    folder = tmp_path_factory.mktemp("options")
    (folder / "poems.txt").write_text(SONNETS.read_text()[:6000])
    given = MODEL_OPTIONS | TRAINING_OPTIONS
    words = [str(word) for name in given for word in (option_of(name), given[name])]
    runs = ["--checkpoints", str(folder / "runs")]
    trained = CliRunner().invoke(app, ["train", str(folder / "poems.txt"), *words, *runs])
    assert trained.exit_code == 0, trained.stderr
    return json.loads(CliRunner().invoke(app, ["info", "--json", *runs]).stdout)


def option_of(name):
    return "--" + name.replace("_", "-")


@pytest.mark.parametrize("name", MODEL_OPTIONS)
def test_model_option_reaches_the_checkpoint(facts_of_options, name):
    assert facts_of_options[name] == MODEL_OPTIONS[name]


@pytest.mark.parametrize("name", TRAINING_OPTIONS)
def test_training_option_reaches_the_checkpoint(facts_of_options, name):
    assert facts_of_options["training"][name] == TRAINING_OPTIONS[name]


def test_threads_option_is_recorded(invoke, text):
    invoke("train", text, *SMALL, "--threads", 2, "--epochs", 0.1)
    assert json.loads(invoke("info", "--json").stdout)["threads"] == 2


def test_tiny_text_trains_with_a_smaller_batch_and_says_so(invoke, tmp_path):
    (tmp_path / "tiny.txt").write_text("to be or not to be " * 52)  # 1 kB
    result = invoke("train", "tiny.txt", "--batch-size", 64, "--seq-length", 64, "--epochs", 3)
    assert result.exit_code == 0, result.stderr
    assert "Note: the text is small for batches of 64 x 64" in result.stderr


def test_too_short_a_text_is_refused_with_the_number_needed(invoke, tmp_path):
    (tmp_path / "tiny.txt").write_text("abcabc")
    line = one_line_error(invoke("train", "tiny.txt"), ExitCode.TEXT)
    needed = int(re.search(r"at least (\d+)", line).group(1))
    (tmp_path / "enough.txt").write_text(("abc" * needed)[:needed])
    assert invoke("train", "enough.txt", "--epochs", 1).exit_code == 0


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.txt", b""),
        ("one.txt", b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
        ("latin1.txt", b"caf\xe9 " * 100),
        ("utf16.txt", "hello".encode("utf-16")),
        ("zipped.gz", b"\x1f\x8b123"),
    ],
)
def test_unusable_text_is_one_line_and_writes_nothing(invoke, tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert name in one_line_error(invoke("train", name), ExitCode.TEXT)
    assert not (tmp_path / "checkpoints").exists()


def test_missing_text_is_one_line(invoke):
    assert "no such file" in one_line_error(invoke("train", "nowhere.txt"), ExitCode.TEXT)


def test_a_folder_without_texts_is_one_line(invoke, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "no text file" in one_line_error(invoke("train", "empty"), ExitCode.TEXT)


@pytest.mark.parametrize(
    "words",
    [
        ["--hidden-size", "0"],
        ["--num-layers", "-1"],
        ["--dropout", "1"],
        ["--dropout", "nan"],
        ["--epochs", "0"],
        ["--minutes", "-3"],
        ["--batch-size", "0"],
        ["--seq-length", "0"],
        ["--learning-rate", "0"],
        ["--learning-rate", "inf"],
        ["--grad-clip", "0"],
        ["--val-fraction", "1"],
        ["--patience", "0"],
        ["--random-seed", "-1"],
        ["--min-count", "0"],
        ["--save-every", "-1"],
        ["--from-best"],
        ["--changed-text"],
        ["--threads", "0"],
        ["--model", "transformer"],
        ["--device", "abacus"],
        ["--device", "cuda:99"],
        ["--hidden-size", "many"],
        ["--name", "a/b"],
        ["--no-such-option"],
    ],
)
def test_impossible_option_is_one_line_naming_it_and_writes_nothing(invoke, text, tmp_path, words):
    line = one_line_error(invoke("train", text, *words), ExitCode.USAGE)
    assert words[0] in line
    assert not (tmp_path / "checkpoints").exists()


def test_checkpoints_folder_that_cannot_be_made_is_found_before_training(invoke, text, tmp_path):
    (tmp_path / "file").write_text("")
    result = invoke("train", text, *SMALL, "--checkpoints", tmp_path / "file" / "runs")
    lines = result.stderr.splitlines()
    assert result.exit_code == ExitCode.WRITE
    assert len(lines) == 1


def test_resume_alone_goes_on_with_the_newest_run(invoke, text):
    invoke("train", text, *SMALL)
    result = invoke("train", "--resume", "--epochs", 3)
    assert result.exit_code == 0, result.stderr
    assert "run poems goes on" in result.stderr
    assert json.loads(invoke("info", "--json").stdout)["training"]["epochs"] == 3


def test_resume_of_a_complete_run_says_what_to_give(invoke, text):
    invoke("train", text, *SMALL)
    assert "--epochs 4" in one_line_error(invoke("train", "--resume"), ExitCode.USAGE)


def test_a_run_that_was_still_improving_says_what_goes_on_with_it(invoke, text):
    said = invoke("train", text, *SMALL, "--epochs", 3).stderr
    command = re.search(r"still improving when it ended.* on: charrnn (.*)", said)[1]
    assert command == "train --resume poems --device cpu --epochs 6"
    longer = invoke(*command.split())
    assert longer.exit_code == 0
    assert "goes on from its middle" in longer.stderr


def test_a_run_of_a_small_part_of_an_epoch_is_told_to_go_on_for_a_whole_one(invoke, text):
    said = invoke("train", text, *SMALL, "--epochs", 0.1).stderr
    assert "To go on: charrnn train --resume poems --device cpu --epochs 1\n" in said


def test_a_run_too_short_to_learn_says_so_and_asks_for_minutes_that_suffice(invoke, text):
    said = invoke("train", text, "--minutes", 0.0001, "--hidden-size", 16, "--device", "cpu").stderr
    assert "It has hardly learned: the start took" in said
    assert "longer than all the time allowed, so that it made a single step." in " ".join(
        said.split()
    )
    assert "--resume poems --device cpu --minutes 1\n" in said


def test_a_text_given_as_the_run_to_resume_is_told_apart(invoke, text):
    message = one_line_error(invoke("train", "--resume", text), ExitCode.CHECKPOINT)
    assert "is a file, not a run. A text goes before --resume." in message


def test_verbose_names_model_batch_optimizer_and_rate(invoke, text):
    words = [*SMALL, "--optimizer", "muon", "--learning-rate", 0.003]
    said = invoke("train", text, *words, "--verbose").stderr
    settings = "muon, learning rate 0.003, weight decay 0.01, float32; "
    assert re.search(rf"gru 1 x 16.*batch \d+ x \d+, {settings}", said)
    plan = next(
        line for line in invoke("train", text, *words).stderr.splitlines() if "parameters" in line
    )
    assert "muon" not in plan


def test_resume_without_any_run_is_one_line(invoke):
    one_line_error(invoke("train", "--resume"), ExitCode.CHECKPOINT)


def test_init_from_says_how_many_characters_are_known(invoke, text, tmp_path):
    invoke("train", text, *SMALL)
    (tmp_path / "other.txt").write_text("The fairest 123 \N{SNOWMAN} creatures.\n" * 40)
    result = invoke("train", "other.txt", "--init-from", "poems", "--epochs", 1)
    assert result.exit_code == 0, result.stderr
    assert re.search(r"weights from poems: \d+ characters known, 4 new", result.stderr)


def test_init_from_refuses_another_size(invoke, text):
    invoke("train", text, *SMALL)
    line = one_line_error(
        invoke("train", text, "--init-from", "poems", "--hidden-size", 99), ExitCode.USAGE
    )
    assert "--hidden-size" in line


def test_the_tutorials_own_model_has_325181_parameters(invoke, tmp_path):
    characters = [chr(i) for i in range(33, 33 + 61)]
    (tmp_path / "sonnets.txt").write_text("".join(characters) * 30)
    command = (
        "train sonnets.txt --model rnn --hidden-size 512 --num-layers 1 --batch-size 128 "
        "--seq-length 100 --learning-rate 0.001 --dropout 0.5 --epochs 1"
    )
    assert invoke(*command.split()).exit_code == 0
    assert json.loads(invoke("info", "--json").stdout)["parameters"] == 325_181


def test_fresh_checkpoints_folder_is_the_default(invoke, text, tmp_path):
    invoke("train", text, *SMALL)
    assert Path("checkpoints/poems/best.safetensors").is_file()
