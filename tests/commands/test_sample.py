"""`charrnn sample` as a user meets it: streams, exit codes, files."""

import json
import re

import pytest
from factories import one_line_error

from charrnn_cli.errors import ExitCode


def test_sample_prints_the_seed_and_the_length_asked_for(invoke, trained):
    result = invoke("sample", "--seed", "From", "--length", 40, "--checkpoints", trained)
    assert result.stdout.startswith("From")
    assert len(result.stdout.removesuffix("\n")) == 44


def test_a_sample_ends_with_a_newline_unless_it_has_one_or_exact_bytes_are_asked_for(
    invoke, letters, tmp_path
):
    assert invoke("sample", "--seed", "a", "--length", 2).stdout == "abc\n"
    assert invoke("sample", "--seed", "a", "--length", 4).stdout == "abcd\n"
    assert invoke("sample", "--seed", "a", "--length", 2, "--no-newline").stdout == "abc"
    invoke("sample", "--seed", "a", "--length", 2, "--output", "out.txt")
    assert (tmp_path / "out.txt").read_bytes() == b"abc\n"
    invoke("sample", "--seed", "a", "--length", 2, "--output", "out.txt", "--no-newline")
    assert (tmp_path / "out.txt").read_bytes() == b"abc"


def test_lines_are_written_whole(invoke, letters):
    words = ["--seed", "b", "--lines", 2, "--num-samples", 2, "--separator", ""]
    assert invoke("sample", *words).stdout == "bcd\nabcd\n" * 2


def test_escapes_are_read_in_the_seed_the_end_and_the_separator(invoke, letters):
    words = ["--seed", r"a\n", "--until", r"d\n", "--separator", r"\t\\", "--num-samples", 2]
    assert invoke("sample", *words, "--escapes").stdout == "a\nabcd\n\n\t\\\na\nabcd\n"


def test_without_escapes_a_backslash_is_itself_and_a_message_names_the_option(invoke, letters):
    for words in (["--seed", r"a\n"], ["--until", r"d\n"]):
        line = one_line_error(invoke("sample", *words), ExitCode.USAGE)
        assert r"With --escapes, \n is a newline" in line


@pytest.mark.parametrize("text", [r"a\q", "a\\", r"\x41"])
def test_another_escape_is_refused(invoke, letters, text):
    line = one_line_error(invoke("sample", "--escapes", "--seed", text), ExitCode.USAGE)
    assert "--seed: \\" in line
    assert "is not one of the escapes" in line


def test_an_end_that_is_not_reached_gets_a_note_on_stderr(invoke, letters):
    result = invoke("sample", "--until", "aa", "--length", 6, "--random-seed", 1)
    assert result.stderr == "Note: --until was not reached: the sample ended at --length 6.\n"


def test_skipped_copies_need_the_training_text(invoke, letters):
    line = one_line_error(invoke("sample", "--skip-copied"), ExitCode.USAGE)
    assert "--skip-copied:" in line
    assert "--originality TEXT" in line


def test_a_sample_that_stands_in_the_training_text_is_skipped(invoke, letters, tmp_path):
    (tmp_path / "text.txt").write_text("abcd\nabcd\n")
    words = ["--lines", 1, "--skip-copied", "--originality", "text.txt"]
    line = one_line_error(invoke("sample", *words), ExitCode.USAGE)
    assert "each of 100 samples stands in the training text" in line
    (tmp_path / "text.txt").write_text("abc\nabcd abcd")
    assert invoke("sample", *words).stdout == "abcd\n"


def test_sample_tells_a_drawn_random_seed_that_gives_the_text_again(invoke, trained):
    first = invoke("sample", "--checkpoints", trained)
    drawn = re.search(r"random seed (\d+)", first.stderr).group(1)
    again = invoke("sample", "--checkpoints", trained, "--random-seed", drawn)
    assert again.stdout == first.stdout
    assert again.stderr == ""


def test_several_samples_are_separated_by_the_separator(invoke, trained):
    words = ["--num-samples", 3, "--length", 5, "--separator", "@@@", "--seed", "T", "--no-newline"]
    result = invoke("sample", "--checkpoints", trained, *words)
    samples = result.stdout.split("\n@@@\n")
    assert [len(sample) for sample in samples] == [6, 6, 6]
    assert all(sample.startswith("T") for sample in samples)


def test_sample_json_has_one_object_a_line(invoke, trained):
    words = ["--num-samples", 2, "--length", 30, "--json", "--seed", "A", "--random-seed", 5]
    result = invoke("sample", "--checkpoints", trained, *words)
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert [set(record) for record in records] == [
        {"sample", "seed", "text", "ended", "random_seed", "bits_per_char"}
    ] * 2
    assert records[0]["random_seed"] == 5
    assert len(records[1]["text"]) == 30


def test_sample_output_goes_to_the_file_alone(invoke, trained, tmp_path):
    words = ["--checkpoints", trained, "--length", 9, "--no-newline", "--output", "out.txt"]
    assert invoke("sample", *words).stdout == ""
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
    words = ["--random-seed", 1, "--length", 60, "--no-newline"]
    written = invoke("sample", "--checkpoints", trained, *words).stdout
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


def test_prompt_is_another_name_of_seed(invoke, trained):
    words = ["--checkpoints", trained, "--random-seed", 1, "--length", 20]
    seeded, prompted = (
        invoke("sample", *words, name, "Shall").stdout for name in ("--seed", "--prompt")
    )
    assert seeded == prompted
    assert prompted.startswith("Shall")


def test_the_model_is_told_with_the_random_seed_where_none_was_named(invoke, trained):
    words = ["--length", 5, "--checkpoints", trained]
    path = trained / "poems" / "best.safetensors"
    assert f", model {path}" in invoke("sample", *words).stderr
    assert "model" not in invoke("sample", "poems", *words).stderr
