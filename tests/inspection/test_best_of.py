"""The list of runs, their comparison and the facts of `last` tell the same best of a run."""

import dataclasses

import pytest
from factories import later, make_checkpoint, make_run, save_checkpoint

from charrnn_cli.checkpoints.records import CorpusInfo
from charrnn_cli.inspection.comparison import curve_facts
from charrnn_cli.inspection.facts import inspect
from charrnn_cli.inspection.runs_table import list_facts

OTHER = CorpusInfo("other.txt", "1" * 64, 100)


@pytest.fixture
def run(tmp_path):
    """A run that went on from its middle: its `best`, of step 5, is from the course before."""
    run = make_run(tmp_path, "mine")
    newest = later(step=4, epoch=0.4, best_val_loss=1.25, best_step=3)
    record = {"step": 3, "epoch": 0.3, "train_loss": 1.5, "val_loss": 1.25}
    save_checkpoint(run.last, dataclasses.replace(newest, history=(record,)))
    return run


def told(run):
    """The loss, step and epoch of the best, as each of the three tells it."""
    listed, facts = list_facts(run.folder.parent, "name")[0], inspect(run.last)
    compared = curve_facts(run)
    assert compared["best_val_loss"] == listed["val_loss"] == facts["best_val_loss"]
    assert listed["best_step"] == facts["best_step"]
    return listed["val_loss"], listed["best_step"], compared["best_epoch"]


def test_a_best_of_an_earlier_course_is_the_best_of_the_run(run):
    assert told(run) == (1.0, 5, 0.5)


@pytest.mark.parametrize("changes", [{"corpus": OTHER}, {"val_text": OTHER}])
def test_a_best_of_another_text_is_not(run, changes):
    save_checkpoint(run.best, dataclasses.replace(make_checkpoint(), **changes))
    assert told(run) == (1.25, 3, 0.3)


def test_without_a_best_it_is_that_of_last(run):
    run.best.unlink()
    assert told(run) == (1.25, 3, 0.3)


def test_a_damaged_best_hides_neither_the_comparison_nor_the_facts_of_last(run):
    run.best.write_bytes(b"junk")
    assert curve_facts(run)["best_val_loss"] == inspect(run.last)["best_val_loss"] == 1.25


def test_an_evaluation_that_the_history_has_lost_still_has_its_epoch(run):
    save_checkpoint(run.last, dataclasses.replace(later(), history=()))
    run.best.unlink()
    assert told(run) == (1.0, 5, pytest.approx(0.5))
