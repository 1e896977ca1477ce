"""What `info` shows of a checkpoint: its facts in words, and which drawings."""

import dataclasses

import pytest
from factories import later, make_checkpoint, make_run, save_checkpoint

from charrnn_cli.checkpoints.records import Baselines
from charrnn_cli.inspection.facts import inspect
from charrnn_cli.inspection.overview import drawings, table_rows, vocabulary_rows
from charrnn_cli.terminal.ascii_plots import UNICODE

BASELINES = Baselines(uniform=2.0, unigram=1.5, five_gram=1.0 + 0.1, counted=12_345)


@pytest.fixture
def facts_of(tmp_path):
    """The facts in the file of a checkpoint."""
    return lambda checkpoint: inspect(save_checkpoint(tmp_path / "c.safetensors", checkpoint))


@pytest.fixture
def rows_of(facts_of):
    """The table of a checkpoint, by the names of its rows."""
    return lambda checkpoint: dict(table_rows(facts_of(checkpoint)))


def test_the_table_of_a_best_checkpoint(facts_of):
    facts = facts_of(make_checkpoint()) | {"bytes": 1_234_567}
    assert table_rows(facts) == [
        ("file", f"{facts['file']} (1.2 MB, format 2)"),
        ("run", "the model alone; a new run starts from it with --init-from"),
        ("model", "gru, 2 layers of 4 units, dropout 0"),
        ("parameters", f"{facts['parameters']:,}"),
        ("vocabulary", "3 characters: \\nab"),
        ("categories", "lower case 2, control characters 1"),
        ("text", "tiny.txt, 100 characters"),
        ("text's SHA-256", "0" * 64),
        ("trained", "5 steps, 0.50 epochs"),
        (
            "settings",
            "1 epoch, batch 2 x 3, muon, learning rate 0.01, weight decay 0.01, float32, clip 1, "
            "held out 0.1, random seed 0",
        ),
        ("held-out loss", "1.0000 nats, 1.443 bits/char"),
        ("made with", "PyTorch 2.13.0, 1 CPU thread"),
    ]


def test_one_layer_is_no_layers(rows_of):
    assert "1 layer of" in rows_of(make_checkpoint(num_layers=1))["model"]


def test_a_finished_run_does_not_go_on(rows_of):
    assert rows_of(later(finished=True))["trained"] == "8 steps, 0.80 epochs"


def test_the_table_tells_the_runs_best_where_it_is_another(rows_of):
    rows = rows_of(later())
    assert rows["held-out loss"] == "not measured yet"
    assert rows["best of the run"] == "1.0000 nats, 1.443 bits/char, at step 5"


def test_the_table_shows_white_space_in_the_vocabulary(rows_of):
    shown = rows_of(make_checkpoint(vocabulary="a b\t\n\r"))["vocabulary"]
    assert shown == "6 characters: \\t\\n\\r␠ab"


@pytest.mark.parametrize(("size", "end"), [(120, "x"), (121, " … and 1 more")])
def test_the_table_shows_120_characters_of_a_vocabulary(rows_of, size, end):
    letters = "".join(map(chr, range(0x4E00, 0x4E00 + size)))
    shown = rows_of(make_checkpoint(vocabulary=letters))["vocabulary"]
    assert shown == f"{size} characters: {letters[:120]}{end.removeprefix('x')}"


@pytest.mark.parametrize("name", ["[bold]x[/bold].txt", "[/nothing]", "a\\[b].txt", "\x1b[31m.txt"])
def test_rows_hold_a_name_as_it_is(rows_of, name):
    """It is made safe where it is shown; no part of it is lost before."""
    checkpoint = make_checkpoint(vocabulary="[]/\\")
    corpus = dataclasses.replace(checkpoint.corpus, name=name)
    rows = rows_of(dataclasses.replace(checkpoint, corpus=corpus))
    assert rows["text"] == f"{name}, 100 characters"
    assert rows["vocabulary"] == "4 characters: /[\\]"


def test_the_table_tells_device_and_time(rows_of, tmp_path):
    on_gpu = dataclasses.replace(make_checkpoint(), device="cuda (H200)")
    assert rows_of(on_gpu)["made with"] == "PyTorch 2.13.0, on cuda (H200), 1 CPU thread"
    run = make_run(tmp_path, "mine")
    run.append_metrics({"step": 5, "seconds": 61.5})
    rows = dict(table_rows(inspect(run.best)))
    assert rows["run"] == "goes on with --resume, at step 5, after 1 min 2 s"


def test_a_run_with_two_ends_has_both_in_its_settings(rows_of):
    checkpoint = make_checkpoint()
    train = dataclasses.replace(checkpoint.train, minutes=2.5)
    rows = rows_of(dataclasses.replace(checkpoint, train=train))
    assert rows["settings"].startswith("1 epoch or 2.5 minutes, ")


def test_baselines_are_drawn_beside_the_loss_and_compared_with_it(facts_of):
    facts = facts_of(dataclasses.replace(make_checkpoint(), baselines=BASELINES))
    lines = dict(drawings(facts, 90, UNICODE))["Held-out loss beside simple baselines"]
    assert [line.split()[:3] for line in lines[1:4]] == [
        ["uniform", "2.000", "2.885"], ["unigram", "1.500", "2.164"], ["5-gram", "1.100", "1.587"],
    ]  # fmt: skip
    assert lines[4].startswith("this model    1.000      1.443  ")
    assert " ".join(lines[5:]) == (
        "0.144 bits/char better than the 5-gram, which was counted on 12,345 characters of the "
        "training part."
    )


def test_a_model_worse_than_the_5_gram_is_reported_as_such(facts_of):
    worse = dataclasses.replace(BASELINES, five_gram=0.5)
    facts = facts_of(dataclasses.replace(make_checkpoint(), baselines=worse))
    lines = dict(drawings(facts, 90, UNICODE))["Held-out loss beside simple baselines"]
    assert "0.721 bits/char worse than the 5-gram" in lines[5]


def test_what_an_old_file_lacks_is_not_drawn(facts_of):
    assert [title for title, _ in drawings(facts_of(make_checkpoint()), 80, UNICODE)] == ["Model"]


def test_every_character_is_listed_with_its_name():
    assert vocabulary_rows("\n a\u0301馬") == [
        ("U+000A", "\\n", " (control characters)"),
        ("U+0020", "␠", "SPACE (spaces)"),
        ("U+0061", "a", "LATIN SMALL LETTER A (lower case)"),
        ("U+0301", "◌\u0301", "COMBINING ACUTE ACCENT (combining marks)"),
        ("U+99AC", "馬", "CJK UNIFIED IDEOGRAPH-99AC (letters without case)"),
    ]
