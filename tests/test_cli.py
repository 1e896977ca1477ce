"""The commands as a user meets them: streams, exit codes, files."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from charrnn_cli.__main__ import app
from charrnn_cli.errors import ExitCode

SMALL = ["--epochs", "2", "--hidden-size", "16", "--device", "cpu"]


@pytest.fixture
def invoke(tmp_path, monkeypatch):
    """Runs a command inside this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*words, **options):
        return CliRunner().invoke(app, [str(word) for word in words], **options)

    return run


def one_line_error(result, code):
    """Check that a command failed as DESIGN says: one line on stderr, nothing on stdout."""
    assert result.exit_code == code, result.stderr
    assert result.stdout == ""
    lines = [line for line in result.stderr.splitlines() if not line.startswith("random seed")]
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("Error: ")
    return lines[0]


# ---------------------------------------------------------------- train


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
    assert re.search(r"6,000 characters, \d+ distinct; gru 1 x 16", result.stderr)
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


@pytest.mark.parametrize(
    ("option", "value", "field"),
    [
        ("--model", "lstm", "model"),
        ("--hidden-size", 17, "hidden_size"),
        ("--num-layers", 3, "num_layers"),
        ("--dropout", 0.25, "dropout"),
    ],
)
def test_model_option_reaches_the_checkpoint(invoke, text, option, value, field):
    invoke("train", text, "--epochs", 1, "--hidden-size", 8, option, value, "--name", "x")
    assert json.loads(invoke("info", "x", "--json").stdout)[field] == value


@pytest.mark.parametrize(
    ("option", "value", "field"),
    [
        ("--epochs", 0.5, "epochs"),
        ("--batch-size", 3, "batch_size"),
        ("--seq-length", 21, "seq_length"),
        ("--learning-rate", 0.00123, "learning_rate"),
        ("--grad-clip", 2.5, "grad_clip"),
        ("--val-fraction", 0.2, "val_fraction"),
        ("--patience", 7, "patience"),
        ("--random-seed", 11, "random_seed"),
    ],
)
def test_training_option_reaches_the_checkpoint(invoke, text, option, value, field):
    invoke("train", text, "--epochs", 1, "--hidden-size", 8, option, value, "--name", "x")
    assert json.loads(invoke("info", "x", "--json").stdout)["training"][field] == value


def test_threads_option_is_recorded(invoke, text):
    invoke("train", text, *SMALL, "--threads", 2)
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


def test_folder_as_text_is_one_line(invoke, tmp_path):
    assert "is a folder" in one_line_error(invoke("train", tmp_path), ExitCode.TEXT)


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


# ---------------------------------------------------------------- sample


def test_sample_prints_the_seed_and_the_length_asked_for(invoke, trained):
    result = invoke("sample", "--seed", "From", "--length", 40, "--checkpoints", trained)
    assert result.stdout.startswith("From")
    assert len(result.stdout) == 44


def test_sample_tells_a_drawn_random_seed_that_gives_the_text_again(invoke, trained):
    first = invoke("sample", "--checkpoints", trained)
    drawn = re.search(r"random seed (\d+)", first.stderr).group(1)
    again = invoke("sample", "--checkpoints", trained, "--random-seed", drawn)
    assert again.stdout == first.stdout
    assert again.stderr == ""


def test_several_samples_are_separated_by_the_separator(invoke, trained):
    words = ["--num-samples", 3, "--length", 5, "--separator", "@@@", "--seed", "T"]
    result = invoke("sample", "--checkpoints", trained, *words)
    samples = result.stdout.split("\n@@@\n")
    assert [len(sample) for sample in samples] == [6, 6, 6]
    assert all(sample.startswith("T") for sample in samples)


def test_sample_json_has_one_object_a_line(invoke, trained):
    words = ["--num-samples", 2, "--length", 30, "--json", "--seed", "A", "--random-seed", 5]
    result = invoke("sample", "--checkpoints", trained, *words)
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert [set(record) for record in records] == [
        {"sample", "seed", "text", "random_seed", "bits_per_char"}
    ] * 2
    assert records[0]["random_seed"] == 5
    assert len(records[1]["text"]) == 30


def test_sample_output_goes_to_the_file_alone(invoke, trained, tmp_path):
    result = invoke("sample", "--checkpoints", trained, "--length", 9, "--output", "out.txt")
    assert result.stdout == ""
    assert len((tmp_path / "out.txt").read_text()) == 9


def test_seed_file_dash_reads_stdin(invoke, trained):
    words = ["--checkpoints", trained, "--seed-file", "-", "--length", 3]
    assert invoke("sample", *words, input="Shall I").stdout.startswith("Shall I")


def test_originality_of_the_runs_own_text(invoke, trained):
    words = ["--checkpoints", trained, "--length", 50, "--temperature", 0, "--originality"]
    result = invoke("sample", *words)
    assert re.search(r"originality: \d+% of the 8-character sequences", result.stderr)


def test_originality_of_the_text_itself_is_none(invoke, trained, tmp_path):
    learned = tmp_path / "learned.txt"
    written = invoke("sample", "--checkpoints", trained, "--random-seed", 1, "--length", 60).stdout
    learned.write_text("x" + written + "y")
    words = ["--random-seed", 1, "--length", 60, "--originality", learned]
    result = invoke("sample", "--checkpoints", trained, *words)
    assert "originality: 0% of" in result.stderr
    assert "60 characters:" in result.stderr


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--seed", "\N{SNOWMAN}"], "U+2603"),
        (["--seed", "é"], "it knows 'e'"),
        (["--top-k", "0"], "--top-k"),
        (["--top-p", "0"], "--top-p"),
        (["--top-p", "1.5"], "--top-p"),
        (["--min-p", "-1"], "--min-p"),
        (["--temperature", "-1"], "--temperature"),
        (["--temperature", "nan"], "--temperature"),
        (["--length", "-1"], "--length"),
        (["--num-samples", "0"], "--num-samples"),
        (["--until", ""], "--until"),
        (["--until", "\N{SNOWMAN}"], "U+2603"),
        (["--unknown", "guess"], "--unknown"),
        (["--length", "0", "--num-samples", "2"], "--length 0"),
        (["--length", "0", "--json"], "--length 0"),
        (["--length", "0", "--originality"], "--length 0"),
        (["--seed", "a", "--seed-file", "b"], "--seed-file"),
        (["--device", "abacus"], "--device"),
    ],
)
def test_impossible_sample_request_is_one_line(invoke, trained, words, named):
    result = invoke("sample", "--checkpoints", trained, *words)
    assert named in one_line_error(result, ExitCode.USAGE)


def test_sample_without_any_run_says_how_to_make_one(invoke):
    line = one_line_error(invoke("sample"), ExitCode.CHECKPOINT)
    assert "charrnn train" in line


def test_sample_of_a_foreign_file_is_one_line(invoke, text):
    one_line_error(invoke("sample", text), ExitCode.CHECKPOINT)


def test_sample_of_an_unknown_run_names_those_there_are(invoke, trained):
    line = one_line_error(
        invoke("sample", "nothing", "--checkpoints", trained), ExitCode.CHECKPOINT
    )
    assert "poems" in line


# ---------------------------------------------------------------- info, help


def test_info_json_has_the_documented_fields(invoke, trained):
    facts = json.loads(invoke("info", "--json", "--checkpoints", trained).stdout)
    assert facts["model"] == "gru"
    assert facts["hidden_size"] == 32
    assert facts["vocabulary_size"] == len(facts["vocabulary"])
    assert facts["bits_per_char"] == pytest.approx(facts["val_loss"] * 1.4426950)
    assert facts["val_loss"] == min(record["val_loss"] for record in facts["history"])
    assert facts["step"] > 0


def test_info_shows_file_model_text_and_loss(invoke, trained):
    shown = invoke("info", "poems", "--checkpoints", trained).stdout
    for word in ("best.safetensors", "gru", "parameters", "poems.txt", "bits/char", "6,000"):
        assert word in shown


def test_info_cannot_be_made_to_write_markup_or_escapes(invoke, tmp_path):
    (tmp_path / "odd.txt").write_text("[bold]x[/bold][/nothing] \x1b]0;title\x07 \u202e" * 30)
    invoke("train", "odd.txt", *SMALL)
    shown = invoke("info").stdout
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "[" in shown


@pytest.mark.parametrize("command", ["train", "sample", "info"])
def test_every_command_has_help_with_an_example(invoke, command):
    result = invoke(command, "--help")
    assert result.exit_code == 0
    assert f"Example: charrnn {command}" in result.stdout


def test_no_option_is_without_help(invoke):
    for command in ("train", "sample", "info"):
        for line in invoke(command, "--help", env={"COLUMNS": "200"}).stdout.splitlines():
            if line.startswith("  -"):
                assert re.search(r"\S {2,}\S", line.strip()), line


def test_version_is_that_of_the_package(invoke):
    from charrnn_cli import __version__

    assert invoke("--version").stdout == f"charrnn {__version__}\n"


def test_misspelt_command_is_one_line(invoke):
    one_line_error(invoke("trian"), ExitCode.USAGE)


def test_fresh_checkpoints_folder_is_the_default(invoke, text, tmp_path):
    invoke("train", text, *SMALL)
    assert Path("checkpoints/poems/best.safetensors").is_file()
