"""The record of evaluations: whole lines, whatever happened to the last."""

import errno
import os
import resource
from pathlib import Path

import pytest
from factories import make_run, metrics_of

from charrnn_cli.checkpoints.runs import Run
from charrnn_cli.errors import WriteError


def test_metrics_are_one_json_record_a_line(tmp_path):
    run = make_run(tmp_path, "mine")
    records = [{"step": 1, "val_loss": 2.5}, {"step": 2, "val_loss": None}]
    for record in records:
        run.append_metrics(record)
    assert metrics_of(run) == records
    assert run.metrics.read_bytes().endswith(b"}\n")


def test_metrics_that_cannot_be_written_are_named(tmp_path):
    run = Run(tmp_path / "nowhere")
    with pytest.raises(WriteError, match=r"metrics\.jsonl: cannot be written"):
        run.append_metrics({"step": 1})


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("outside")])
def test_metrics_go_into_a_regular_file_alone(tmp_path, make):
    run = make_run(tmp_path, "mine")
    make(run.metrics)
    with pytest.raises(WriteError, match=r"metrics\.jsonl: is not a regular file"):
        run.append_metrics({"step": 1})
    assert not (run.folder / "outside").exists()


def test_metrics_are_on_the_disk_when_they_are_said_to_be(tmp_path, monkeypatch):
    run, synced = make_run(tmp_path, "mine"), []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_size))
    run.append_metrics({"step": 1})
    assert synced == [len('{"step": 1}\n')]


def test_a_line_that_cannot_be_written_whole_leaves_the_metrics_as_they_were(tmp_path):
    run = make_run(tmp_path, "mine")
    run.append_metrics({"step": 1})
    before = run.metrics.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 5, limits[1]))
    try:
        with pytest.raises(WriteError, match="File too large"):
            run.append_metrics({"step": 2})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert run.metrics.read_bytes() == before


@pytest.mark.parametrize("seconds", ['"x"', "null", "[]"])
def test_a_time_that_is_no_number_counts_as_none(tmp_path, seconds):
    run = make_run(tmp_path, "mine")
    run.metrics.write_text(f'{{"step": 1, "seconds": {seconds}}}\n')
    assert run.seconds_until(5) == 0


def test_metrics_past_a_step_are_dropped_and_the_rest_kept(tmp_path):
    run = make_run(tmp_path, "mine")
    for step in (10, 20, 30):
        run.append_metrics({"step": step, "seconds": 1.5, "val_loss": 1.0})
    run.drop_metrics_after(20)
    assert [record["step"] for record in metrics_of(run)] == [10, 20]


@pytest.mark.parametrize(
    "torn",
    [
        b'{"step": 2',
        b'{"step": 20, "seconds": 1.5}{"st',
        b"\0\0\0\0",
        b"\xff\xfe\x80",
        b"[1]",
        b"7",
        b"null",
        b'{"loss": 1}',
        b'{"step": null}',
        b'{"step": "3"}',
        b'{"step": 3}',
        b'{"step": 3.5, "seconds": 1}',
        b'{"step": -3, "seconds": 1}',
        b'{"step": 3, "seconds": Infinity}',
        b'{"step": 3, "seconds": -1}',
        b'{"step": 3, "seconds": 1, "val_loss": NaN}',
        b'{"step": 3, "seconds": 1, "val_loss": null}',
        b'{"step": 1' + 400 * b"0" + b', "seconds": 1}',
    ],
)
def test_a_torn_line_is_dropped_and_the_next_record_stands_on_its_own(tmp_path, torn):
    run = make_run(tmp_path, "mine")
    run.append_metrics({"step": 10, "seconds": 1.5})
    with open(run.metrics, "ab") as file:
        file.write(torn)
    run.drop_metrics_after(100)
    run.append_metrics({"step": 20, "seconds": 1.5})
    assert [record["step"] for record in metrics_of(run)] == [10, 20]


def test_a_last_line_that_lacks_only_its_end_is_kept(tmp_path):
    run = make_run(tmp_path, "mine")
    run.metrics.write_text('{"step": 10, "seconds": 1.5}\n{"step": 20, "seconds": 1.5}')
    run.drop_metrics_after(20)
    assert run.metrics.read_text() == '{"step": 10, "seconds": 1.5}\n{"step": 20, "seconds": 1.5}\n'


def test_dropping_from_no_metrics_leaves_none(tmp_path):
    run = make_run(tmp_path, "mine")
    run.drop_metrics_after(20)
    assert metrics_of(run) == []


def test_metrics_that_cannot_be_read_are_named(tmp_path, monkeypatch):
    run = make_run(tmp_path, "mine")
    run.append_metrics({"step": 1, "seconds": 1.5})

    def fail(*_, **__):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "read_text", fail)
    with pytest.raises(WriteError, match=r"metrics\.jsonl: cannot be read \(Input"):
        run.seconds_until(1)
