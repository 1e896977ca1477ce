"""`charrnn translate` as a user meets it: lines in, lines out, errors, the attention."""

import json
import os
import random
import subprocess
import sys

import pytest
from factories import make_checkpoint, one_line_error, save_checkpoint
from pairs import make_pair_checkpoint
from terminal import CHARRNN, modules_after, on_terminal
from typer.testing import CliRunner

from charrnn_cli.__main__ import app
from charrnn_cli.errors import ExitCode
from charrnn_cli.text.pair_format import PairFormat
from charrnn_cli.text.vocabulary import REPLACEMENT

pytestmark = pytest.mark.xdist_group("capitals")  # its model is trained once


@pytest.fixture(scope="session")
def capitals(tmp_path_factory):
    """A folder of runs with a model that has learned to write abcd in capitals: `upper`."""
    folder = tmp_path_factory.mktemp("capitals")
    rng = random.Random(1)
    words = ["".join(rng.choices("abcd", k=rng.randint(1, 5))) for _ in range(300)]
    (folder / "up.tsv").write_text("".join(f"{word}\t{word.upper()}\n" for word in words))
    options = ["--hidden-size", "32", "--num-layers", "1", "--dropout", "0", "--epochs", "12"]
    options += ["--learning-rate", "0.02", "--batch-size", "16", "--device", "cpu"]
    command = ["train", str(folder / "up.tsv"), "--pairs", *options, "--name", "upper"]
    result = CliRunner().invoke(app, [*command, "--checkpoints", str(folder / "runs")])
    assert result.exit_code == 0, result.stderr
    return folder / "runs"


@pytest.fixture
def translate(invoke, capitals):
    """Runs `charrnn translate upper`."""

    def run(*words, **options):
        return invoke("translate", "upper", *words, "--checkpoints", capitals, **options)

    return run


def stored(folder, **made):
    """A run `tiny` with random weights in `folder`."""
    save_checkpoint(folder / "checkpoints/tiny/best.safetensors", make_pair_checkpoint(**made))


LINES = ["abcd", "", "dcba", "bb", "aabb", "c"]
CAPITALS = "ABCD\n\nDCBA\nBB\nAABB\nC\n"


def test_a_line_out_for_each_line_in(translate, tmp_path):
    (tmp_path / "words.txt").write_text("\n".join(LINES) + "\n")
    from_arguments = translate(*LINES)
    assert (from_arguments.stdout, from_arguments.stderr) == (CAPITALS, "")
    assert translate("--file", "words.txt").stdout == CAPITALS
    assert translate(input="\n".join(LINES)).stdout == CAPITALS
    assert translate("--file", "-", input="\r\n".join(LINES)).stdout == CAPITALS


def test_no_line_in_no_line_out(translate):
    assert translate(input="").stdout == ""
    assert translate(input="\n").stdout == "\n"


@pytest.mark.slow
@pytest.mark.parametrize("wishes", [[], ["--beam-size", 4], ["--n-best", 3]])
def test_the_size_of_a_batch_changes_nothing(translate, wishes):
    rng = random.Random(2)
    lines = "".join("".join(rng.choices("abcd", k=rng.randint(0, 9))) + "\n" for _ in range(80))
    expected = translate(*wishes, input=lines).stdout
    assert expected.count("\n") == 80
    for size in (1, 7):
        assert translate(*wishes, "--batch-size", size, input=lines).stdout == expected


def test_without_a_beam_size_three_candidates_are_kept(translate):
    lines = "\n".join(LINES)
    wanted = translate("--json", "--beam-size", 3, input=lines).stdout
    assert translate("--json", input=lines).stdout == wanted


def test_n_best_are_distinct_and_the_first_is_what_a_beam_of_that_size_finds(translate):
    several = translate("abca", "--n-best", 4).stdout.removesuffix("\n").split("\t")
    assert len(set(several)) == 4
    assert translate("abca", "--beam-size", 4).stdout == f"{several[0]}\n"


def test_json_has_the_line_its_translation_and_the_alternatives(translate):
    lines = translate("abc", "", "--json", "--n-best", 2).stdout.splitlines()
    first, empty = map(json.loads, lines)
    (other,) = first.pop("alternatives")
    assert 0 < other["probability"] < first.pop("probability") <= 1
    assert first == {"line": 1, "source": "abc", "target": "ABC"}
    assert empty == {
        "line": 2, "source": "", "target": "", "probability": None, "alternatives": [],
    }  # fmt: skip


def test_a_line_of_the_training_file_is_read_without_its_target(translate):
    assert translate("abc\tABC").stdout == "ABC\n"


def test_features_are_columns_of_a_line(invoke, tmp_path):
    columns = PairFormat(feature_columns=(3,))
    stored(tmp_path, features=("PL", "SG"), pair_format=columns)
    alone = invoke("translate", "tiny", "abc\tPL;SG")
    assert alone.exit_code == 0, alone.stderr
    assert invoke("translate", "tiny", "abc\tABC\tPL;SG").stdout == alone.stdout
    line = one_line_error(invoke("translate", "tiny", "abc"), ExitCode.TEXT)
    assert "the lines given: line 1: has 1 column. This model reads columns 1, 3 of lines" in line
    line = one_line_error(invoke("translate", "tiny", "abc\tPL;DU"), ExitCode.TEXT)
    assert "the lines given: line 1: the model never saw the feature 'DU'" in line


# unknown characters


def test_an_unknown_character_is_refused_after_the_lines_before_it(translate):
    result = translate(input="ab\ncb\nxé\nab\n")
    assert result.exit_code == ExitCode.TEXT
    assert result.stdout == "AB\nCB\n"
    assert result.stderr == (
        "Error: stdin: line 3: the model never saw 'x' (U+0078), 'é' (U+00E9). Leave that out, or "
        "use --unknown skip.\n"
    )


def test_unknown_characters_are_skipped_and_told(translate):
    result = translate("axb", "xx", "ab", "--unknown", "skip")
    assert result.stdout == "AB\n\nAB\n"
    assert result.stderr == "unknown, left out in 2 lines: 'x' (U+0078)\n"


def test_unknown_characters_are_replaced_if_the_model_can_read_that(invoke, translate, tmp_path):
    line = one_line_error(translate("axb", "--unknown", "replace"), ExitCode.USAGE)
    assert "this model has no U+FFFD" in line
    stored(tmp_path, source=f"ab{REPLACEMENT}")
    result = invoke("translate", "tiny", "axb", "--unknown", "replace")
    assert result.stdout == invoke("translate", "tiny", f"a{REPLACEMENT}b").stdout
    assert result.stderr == "unknown, read as U+FFFD in 1 line: 'x' (U+0078)\n"


def test_a_long_line_is_cut_as_in_training_and_that_is_told(invoke, tmp_path):
    stored(tmp_path, pair_format=PairFormat(max_length=5))
    result = invoke("translate", "tiny", "abcda" * 3)
    assert result.stdout == invoke("translate", "tiny", "abcda").stdout
    assert result.stderr == "read only 5 characters of 1 line, as in training\n"


# the attention


def test_attention_shows_for_each_character_what_it_looked_at(translate):
    shown = translate("abcd", "", "--attention").stdout.splitlines()
    assert shown[0] == "ABCD"
    assert shown[1].split() == ["a", "b", "c", "d", "¶"]
    assert [line.split()[0] for line in shown[2:7]] == ["A", "B", "C", "D", "¶"]
    assert shown[7].startswith("weight:   . = 0.1 to 0.25")
    assert shown[8:] == ["", ""]  # after the map, and the empty line


@pytest.mark.slow
def test_attention_is_coloured_on_a_terminal(capitals):
    shown, code = on_terminal(
        "translate", "upper", "abcd", "--attention", "--checkpoints", capitals, cwd=capitals
    )
    assert code == 0
    assert "\x1b[" in shown
    assert "from 0.75" in shown


def test_attention_of_a_model_without_any_is_refused(invoke, tmp_path):
    stored(tmp_path, name="seq2seq")
    result = invoke("translate", "tiny", "abc", "--attention")
    assert result.exit_code == ExitCode.USAGE
    assert "--attention: a model of kind seq2seq has none" in result.stderr


def test_a_transformers_attention_is_shown(invoke, tmp_path):
    stored(tmp_path, name="transformer")
    result = invoke("translate", "tiny", "abc", "--attention")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines()[1].split() == ["a", "b", "c", "¶"]


@pytest.mark.slow
def test_plot_draws_one_line_and_writes_its_translation(translate, tmp_path):
    assert translate("abcd", "--plot", "a.svg").stdout == "ABCD\n"
    assert "<svg" in (tmp_path / "a.svg").read_text()
    line = one_line_error(translate("ab", "cd", "--plot", "b.svg"), ExitCode.USAGE)
    assert "--plot: draws one line, and there are 2." in line
    assert not (tmp_path / "b.svg").exists()


# what is refused


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["ab", "--file", "x.txt"], "--file and LINES exclude each other"),
        (["ab", "--beam-size", "2", "--n-best", "3"], "--beam-size 2: finds no 3 translations"),
        (["ab", "--attention", "--json"], "--attention and --json exclude each other"),
        (["ab", "--plot", "a.txt"], "--plot a.txt: must end in"),
        (["ab", "--beam-size", "0"], "--beam-size 0: must be at least 1"),
    ],
)
def test_wishes_that_contradict_are_refused(translate, words, message):
    assert message in one_line_error(translate(*words), ExitCode.USAGE)


def test_a_line_where_the_model_belongs_is_told_that_the_model_comes_first(invoke, capitals):
    result = invoke("translate", "3. Mai 1987", "--checkpoints", capitals)
    line = one_line_error(result, ExitCode.CHECKPOINT)
    assert "The model comes before the lines: charrnn translate MODEL LINE" in line


def test_a_file_that_is_not_there_is_told(translate):
    line = one_line_error(translate("--file", "nosuch.txt"), ExitCode.TEXT)
    assert "nosuch.txt: no such file" in line


def test_sample_and_translate_name_each_other_for_the_others_models(invoke, tmp_path):
    stored(tmp_path)
    line = one_line_error(invoke("sample", "tiny"), ExitCode.USAGE)
    assert line.endswith("charrnn translate tiny")
    save_checkpoint(tmp_path / "checkpoints/abc/best.safetensors", make_checkpoint())
    line = one_line_error(invoke("translate", "abc", "x"), ExitCode.USAGE)
    assert line.endswith("charrnn sample abc")


def test_the_newest_model_is_the_newest_of_its_kind(invoke, tmp_path):
    stored(tmp_path)
    save_checkpoint(tmp_path / "checkpoints/abc/best.safetensors", make_checkpoint())
    for older, newer in (("abc", "tiny"), ("tiny", "abc")):
        os.utime(tmp_path / f"checkpoints/{older}/best.safetensors", (1, 1))
        os.utime(tmp_path / f"checkpoints/{newer}/best.safetensors")
        assert invoke("sample", "--length", 5).exit_code == 0
        assert invoke("translate", input="abc\n").exit_code == 0


def test_without_any_run_each_names_the_shipped_model_of_its_kind(invoke):
    for command, name in (("translate", "dates"), ("sample", "sonnets")):
        line = one_line_error(invoke(command, input="abc\n"), ExitCode.CHECKPOINT)
        assert line.endswith(f"comes with charrnn: {name}")


# as a process


@pytest.mark.slow
def test_neither_torch_nor_matplotlib_is_imported(capitals):
    modules = modules_after("translate", "upper", "abc", "--checkpoints", capitals, cwd=capitals)
    assert not {"torch", "matplotlib"} & modules


@pytest.mark.slow
def test_who_writes_a_line_gets_its_translation_before_writing_the_next(capitals):
    words = ["translate", "upper", "--checkpoints", str(capitals)]
    with subprocess.Popen(
        [*CHARRNN, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        for word in ("ab", "", "dcb", "a"):
            process.stdin.write(word + "\n")
            assert process.stdout.readline() == word.upper() + "\n"
        process.stdin.close()
        assert process.stdout.read() == ""
    assert process.returncode == 0


@pytest.mark.slow
def test_a_terminal_shows_the_same_text_as_a_pipe(capitals):
    words = ["translate", "upper", "abcd", "bb", "--checkpoints", capitals]
    shown, code = on_terminal(*words, cwd=capitals)
    assert code == 0
    assert shown.replace("\r\n", "\n") == "ABCD\nBB\n"


@pytest.mark.slow
def test_a_closed_pipe_ends_quietly(capitals):
    command = f"{sys.executable} -m charrnn_cli translate upper --checkpoints {capitals}"
    done = subprocess.run(
        ["bash", "-c", f"yes abc | head -5000 | {command} | head -1; exit ${{PIPESTATUS[2]}}"],
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("ABC\n", "", 0)
