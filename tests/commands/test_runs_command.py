"""`charrnn runs` as a user meets it: the list, comparisons, new names, deleting."""

import dataclasses
import json

import pytest
from factories import make_checkpoint, make_run, one_line_error, save_checkpoint
from terminal import on_terminal, open_terminal, without_styles

from charrnn_cli.checkpoints.checkpoint import load
from charrnn_cli.errors import ExitCode


@pytest.fixture
def runs(tmp_path):
    """A folder with the runs `old` and `new`, the second with a lower loss."""
    folder = tmp_path / "checkpoints"
    for name, losses in (("old", (3.0, 2.5, 2.25)), ("new", (2.75, 2.0, 1.5))):
        run = make_run(folder, name)
        for path in (run.best, run.last):
            checkpoint = load(path, training=path == run.last)
            history = tuple(
                {"step": n, "epoch": n / 2, "train_loss": loss, "val_loss": loss}
                for n, loss in enumerate(losses, start=1)
            )
            progress = dataclasses.replace(
                checkpoint.progress, step=3, epoch=1.5, best_val_loss=losses[-1], best_step=3
            )
            changed = dataclasses.replace(checkpoint, history=history, progress=progress)
            save_checkpoint(path, changed)
    return folder


# the list


def test_runs_alone_lists_them_as_info_all_does(invoke, runs):
    listed = invoke("runs", "--sort", "name").stdout
    assert listed == invoke("info", "--all", "--sort", "name").stdout
    assert [line.split()[0] for line in listed.splitlines()] == ["run", "new", "old"]


def test_the_list_as_json_is_that_of_info_all(invoke, runs):
    assert invoke("runs", "--json").stdout == invoke("info", "--all", "--json").stdout


def test_an_empty_folder_says_how_to_train(invoke):
    result = invoke("runs")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "charrnn train TEXT" in result.stderr


# comparisons


def test_a_comparison_has_the_lowest_loss_first_and_both_curves_in_one_drawing(invoke, runs):
    shown = invoke("runs", "compare", "old", "new").stdout.splitlines()
    assert [line.split()[0] for line in shown[1:3]] == ["new", "old"]
    drawn = [line for line in shown if "│" in line]
    assert drawn[0].startswith("3.000 │a")  # the first named is a: it begins at the highest loss
    assert drawn[-1].startswith("1.500 │")
    assert drawn[-1].endswith("b")
    assert shown[-1] == "a old   b new"


def test_without_names_all_runs_are_compared(invoke, runs):
    record = json.loads(invoke("runs", "compare", "--json").stdout)
    assert {run["name"]: run["best_val_loss"] for run in record["runs"]} == {
        "old": 2.25,
        "new": 1.5,
    }


def test_a_damaged_run_does_not_hide_the_others_but_is_refused_by_name(invoke, runs):
    (runs / "old" / "last.safetensors").write_bytes(b"junk")
    record = json.loads(invoke("runs", "compare", "--json").stdout)
    assert [run["name"] for run in record["runs"]] == ["new"]
    one_line_error(invoke("runs", "compare", "old"), ExitCode.CHECKPOINT)


def test_runs_of_different_texts_get_a_note(invoke, runs):
    other = make_checkpoint()
    corpus = type(other.corpus)("other.txt", "1" * 64, 100, None)
    save_checkpoint(
        runs / "other/best.safetensors", type(other)(**vars(other) | {"corpus": corpus})
    )
    note = invoke("runs", "compare", "old", "other").stderr
    assert "learned different texts (old: tiny.txt, other: other.txt)" in note
    assert invoke("runs", "compare", "old", "new").stderr == ""


@pytest.mark.slow
def test_a_comparison_is_drawn_into_a_picture(invoke, runs, tmp_path):
    assert invoke("runs", "compare", "--plot", "both.svg").exit_code == 0
    assert "</svg>" in (tmp_path / "both.svg").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("columns", [40, 80])
def test_a_comparison_fits_the_terminal(runs, columns):
    shown, code = on_terminal("runs", "compare", cwd=runs.parent, columns=columns)
    assert code == 0
    assert max(map(len, without_styles(shown).splitlines())) <= columns


# names


def test_a_run_gets_another_name_and_keeps_its_files(invoke, runs):
    before = (runs / "old" / "last.safetensors").read_bytes()
    result = invoke("runs", "rename", "old", "first")
    assert result.exit_code == 0, result.stderr
    assert not (runs / "old").exists()
    assert (runs / "first" / "last.safetensors").read_bytes() == before
    assert "first" in invoke("runs").stdout


@pytest.mark.parametrize("taken", ["new", "empty"])
def test_a_name_that_is_taken_is_refused(invoke, runs, taken):
    (runs / "empty").mkdir()
    line = one_line_error(invoke("runs", "rename", "old", taken), ExitCode.USAGE)
    assert f"checkpoints/{taken}: exists. Choose another name." in line
    assert (runs / "old").exists()


@pytest.mark.parametrize("name", ["a/b", "..", "", ".hidden"])
def test_what_is_no_plain_name_is_refused(invoke, runs, name):
    line = one_line_error(invoke("runs", "rename", "old", name), ExitCode.USAGE)
    assert "must be a plain name" in line


@pytest.mark.parametrize("words", [["rename", "old", "b"], ["delete", "old", "--yes"]])
def test_a_run_in_training_is_left_alone(invoke, runs, words):
    from charrnn_cli.checkpoints.runs import Run

    with Run(runs / "old").locked():
        line = one_line_error(invoke("runs", *words), ExitCode.RUN_IN_USE)
    assert "run old is being trained by process" in line
    assert "--name" not in line
    assert (runs / "old" / "last.safetensors").is_file()


# deleting


def test_yes_deletes_the_named_runs_and_no_other(invoke, runs):
    result = invoke("runs", "delete", "old", "--yes")
    assert result.stderr == "old is deleted.\n"
    assert [path.name for path in runs.iterdir()] == ["new"]


def test_where_nobody_can_answer_nothing_is_deleted(invoke, runs):
    line = one_line_error(invoke("runs", "delete", "old", input="y\n"), ExitCode.USAGE)
    assert "Add --yes." in line
    assert (runs / "old").is_dir()


def test_one_wrong_name_of_several_deletes_none(invoke, runs):
    line = one_line_error(invoke("runs", "delete", "old", "newer", "-y"), ExitCode.CHECKPOINT)
    assert "no run 'newer' in checkpoints. Did you mean new?" in line
    assert (runs / "old").is_dir()


def test_files_of_others_stay_and_are_named(invoke, runs):
    (runs / "old" / "notes.txt").write_text("mine")
    result = invoke("runs", "delete", "old", "--yes")
    assert "files that charrnn did not write: notes.txt" in result.stderr
    assert [path.name for path in (runs / "old").iterdir()] == ["notes.txt"]


def test_of_a_link_only_the_link_is_deleted(invoke, runs, tmp_path):
    (runs / "old").rename(tmp_path / "elsewhere")
    (runs / "old").symlink_to(tmp_path / "elsewhere")
    assert invoke("runs", "delete", "old", "--yes").exit_code == 0
    assert not (runs / "old").is_symlink()
    assert (tmp_path / "elsewhere" / "last.safetensors").is_file()


def test_a_shipped_model_is_no_run_to_delete(invoke, runs):
    line = one_line_error(invoke("runs", "delete", "sonnets", "--yes"), ExitCode.CHECKPOINT)
    assert "sonnets: comes with charrnn" in line


@pytest.mark.slow
@pytest.mark.parametrize(("answer", "left"), [(b"y\n", ["new"]), (b"\n", ["new", "old"])])
def test_a_person_is_asked_and_no_answer_means_no(runs, answer, left):
    import os

    pid, screen = open_terminal("runs", "delete", "old", cwd=runs.parent)
    shown = b""
    while b"[y/N]" not in shown:
        shown += os.read(screen, 1000)
    assert b"Delete checkpoints/old (0.0 MB)?" in shown
    os.write(screen, answer)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert sorted(path.name for path in runs.iterdir()) == left


# what makes no sense


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rm", "old"], "no action 'rm'. Did you mean delete?"),
        (["renam", "old"], "no action 'renam'. Did you mean rename?"),
        (["rename", "old"], "give two names: charrnn runs rename OLD NEW"),
        (["delete"], "name the runs: charrnn runs delete RUN"),
        (["list", "old"], "One run: charrnn info old"),
        (["compare", "--yes"], "--yes is for charrnn runs delete"),
        (["--plot", "a.png"], "--plot is for charrnn runs compare"),
        (["compare", "--plot", "a.jpg"], ".png, .svg or .pdf"),
    ],
)
def test_the_remedy_is_named(invoke, runs, words, message):
    assert message in one_line_error(invoke("runs", *words), ExitCode.USAGE)
