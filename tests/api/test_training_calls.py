"""Training in Python: the same runs as those of the command."""

import numpy as np
import pytest
from factories import NOISE, metrics_of, words
from terminal import loaded_by

import charrnn_cli
from charrnn_cli.checkpoints.runs import Run
from charrnn_cli.errors import TextError, UsageError

SMALL = {"hidden_size": 8, "num_layers": 1, "epochs": 2, "device": "cpu", "threads": 1}


@pytest.mark.slow
def test_a_run_that_is_not_there_is_refused_before_torch_is_imported(tmp_path):
    code = (
        "import charrnn_cli\n"
        f"try: next(charrnn_cli.train(resume='nosuch', checkpoints={str(tmp_path)!r}))\n"
        "except charrnn_cli.errors.CheckpointError: pass"
    )
    assert "torch" not in loaded_by(code)


@pytest.mark.parametrize(
    ("settings", "named"),
    [({"hiden_size": 3}, "hiden_size"), ({"epochs": "2"}, "epochs"), ({"epochs": -1}, "--epochs")],
)
def test_a_wrong_setting_is_named(tmp_path, settings, named):
    with pytest.raises(UsageError, match=named):
        next(charrnn_cli.train("a.txt", checkpoints=tmp_path, **settings))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"source_columns": [1]}, "source_columns: is for pairs"),
        ({"skip_bad_lines": True}, "skip_bad_lines: is for pairs"),
        ({"pairs": True, "source_columns": ["1"]}, "source_columns"),
        ({"pairs": True, "source_columns": [1, 1]}, "named twice"),
        ({"pairs": True, "source_columns": 1.5}, "source_columns 1.5"),
        ({"pairs": True, "source_columns": b"1"}, "source_columns b'1'"),
        ({"pairs": True, "source_columns": [True]}, r"source_columns \[True\]"),
        ({"pairs": True, "target_column": "2"}, "target_column '2'"),
        ({"pairs": True, "target_column": 2.5}, "target_column 2.5"),
        ({"pairs": True, "max_length": "5"}, "max_length '5'"),
        ({"pairs": True, "max_length": 0}, "--max-length 0"),
        ({"val_text": 3}, "val_text 3"),
        ({"val_text": b"a.txt"}, "val_text b'a.txt'"),
        ({"val_text": ["a.txt", 3]}, "val_text 3: must be a path"),
        ({"val_text": ["a.txt", b"a.txt"]}, "val_text b'a.txt': must be a path"),
        ({"pairs": True, "best_by": "luck"}, "best_by 'luck'"),
        ({"pairs": True, "val_text": ["a.txt", "a.txt"]}, "one file of held-out pairs"),
        ({"glob": "*.md"}, "--glob"),
        ({"example": "sonnets"}, "leave text out"),
        ({"from_best": True}, "--from-best"),
        ({"pairs": "no"}, "pairs 'no': must be True or False"),
        ({"from_best": "no"}, "from_best 'no': must be True or False"),
        ({"changed_text": 1}, "changed_text 1: must be True or False"),
        ({"pairs": True, "skip_bad_lines": "no"}, "skip_bad_lines 'no': must be True or False"),
        ({"name": 3}, "name 3: must be a text"),
        ({"threads": "2"}, "threads '2': must be a whole number"),
        ({"save_every": None}, "save_every None: must be a number"),
    ],
)
def test_an_argument_that_makes_no_sense_is_named(tmp_path, monkeypatch, arguments, named):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("a\tb\n")
    with pytest.raises(UsageError, match=named):
        next(charrnn_cli.train("a.txt", **arguments))
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_text_that_is_not_there_is_a_text_error(tmp_path):
    for arguments in ({"text": "no.txt"}, {"text": __file__, "val_text": "no.txt"}):
        with pytest.raises(TextError, match=r"no\.txt"):
            next(charrnn_cli.train(checkpoints=tmp_path, **arguments))


def trained_on(checkpoints, *arguments, **settings):
    """The checkpoint of a training of one epoch."""
    settings = SMALL | {"epochs": 1, "checkpoints": checkpoints} | settings
    for _ in charrnn_cli.train(*arguments, **settings):
        pass
    return charrnn_cli.load(checkpoints=checkpoints).checkpoint


@pytest.mark.slow
def test_files_of_folders_are_chosen_and_a_text_held_out(tmp_path):
    (tmp_path / "texts").mkdir()
    for file, text in (("a.md", words(100)), ("b.md", words(100, 1)), ("c.txt", "XYZ" * 100)):
        (tmp_path / "texts" / file).write_text(text)
    (tmp_path / "held.txt").write_text(words(50, 2))
    folder, held_out = tmp_path / "texts", tmp_path / "held.txt"
    made = trained_on(tmp_path / "c", [folder], glob="*.md", val_text=held_out)
    assert "X" not in made.vocabulary
    assert len(made.corpus.file_sha256s) == 2
    assert made.val_text.characters == len(words(50, 2))


@pytest.mark.slow
def test_pairs_are_read_from_the_columns_that_are_named(tmp_path):
    lines = [f"PL\t{word}\t{word}s\n" for word in words(200).split()]
    (tmp_path / "pairs.tsv").write_text("".join(lines) + "no pair\n")
    made = trained_on(
        tmp_path / "c", tmp_path / "pairs.tsv", pairs=True, source_columns=3, target_column=2,
        feature_columns=[1], max_length=4, skip_bad_lines=True, best_by="loss",
    )  # fmt: skip
    info = made.pairs
    assert info.source.features == ("PL",)
    assert (info.format.source_columns, info.format.max_length) == ((3,), 4)
    assert (info.skip_bad_lines, info.best_by) == (True, "loss")


@pytest.mark.slow
def test_columns_may_be_numbers_of_numpy(tmp_path):
    (tmp_path / "pairs.tsv").write_text("".join(f"x\t{w}\t{w}s\n" for w in words(200).split()))
    made = trained_on(
        tmp_path / "c", tmp_path / "pairs.tsv", pairs=True, source_columns=np.array([3]),
        target_column=np.int64(2), feature_columns=np.int32(1), max_length=np.int64(4),
    )  # fmt: skip
    read = made.pairs.format
    columns = read.source_columns, read.target_column, read.feature_columns
    assert (*columns, read.max_length) == ((3,), 2, (1,), 4)


@pytest.mark.slow
def test_training_yields_events_and_leaves_a_run(tmp_path):
    (tmp_path / "noise.txt").write_text(NOISE)
    events = list(charrnn_cli.train(tmp_path / "noise.txt", checkpoints=tmp_path / "c", **SMALL))
    *_, last = events
    assert last.reason == "complete"
    evaluated = [event for event in events if type(event).__name__ == "Evaluated"]
    kept = [record["val_loss"] for record in metrics_of(Run(tmp_path / "c" / "noise"))]
    assert [event.val_loss for event in evaluated] == kept
    assert len(charrnn_cli.load("noise", checkpoints=tmp_path / "c").sample(length=5)) == 5


@pytest.mark.slow
def test_a_loop_that_is_left_can_be_resumed(tmp_path):
    (tmp_path / "words.txt").write_text(words(300))
    folder = tmp_path / "c"
    for event in charrnn_cli.train(tmp_path / "words.txt", checkpoints=folder, **SMALL):
        if event.step == 2:
            break
    (first, *_, last) = charrnn_cli.train(checkpoints=folder, resume="words", device="cpu")
    assert first.step == 3
    assert last.reason == "complete"
