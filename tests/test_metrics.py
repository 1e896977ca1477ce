"""The record of evaluations: whole lines, whatever happened to the last."""

import pytest
from factories import make_run, metrics_of

from charrnn_cli.errors import WriteError


def test_metrics_are_one_json_record_a_line(tmp_path):
    run = make_run(tmp_path, "mine")
    records = [{"step": 1, "val_loss": 2.5}, {"step": 2, "val_loss": None}]
    for record in records:
        run.append_metrics(record)
    assert metrics_of(run) == records
    assert run.metrics.read_bytes().endswith(b"}\n")


def test_metrics_that_cannot_be_written_are_named(tmp_path):
    run = make_run(tmp_path, "mine")
    run.metrics.mkdir()
    with pytest.raises(WriteError, match=r"metrics\.jsonl: cannot be written"):
        run.append_metrics({"step": 1})


def test_metrics_past_a_step_are_dropped_and_the_rest_kept(tmp_path):
    run = make_run(tmp_path, "mine")
    for step in (10, 20, 30):
        run.append_metrics({"step": step, "val_loss": 1.0})
    run.drop_metrics_after(20)
    assert [record["step"] for record in metrics_of(run)] == [10, 20]


@pytest.mark.parametrize(
    "torn",
    [
        b'{"step": 2',
        b'{"step": 20}{"st',
        b"\0\0\0\0",
        b"\xff\xfe\x80",
        b"[1]",
        b"7",
        b"null",
        b'{"loss": 1}',
        b'{"step": null}',
        b'{"step": "3"}',
    ],
)
def test_a_torn_line_is_dropped_and_the_next_record_stands_on_its_own(tmp_path, torn):
    run = make_run(tmp_path, "mine")
    run.append_metrics({"step": 10})
    with open(run.metrics, "ab") as file:
        file.write(torn)
    run.drop_metrics_after(100)
    run.append_metrics({"step": 20})
    assert [record["step"] for record in metrics_of(run)] == [10, 20]


def test_a_last_line_that_lacks_only_its_end_is_kept(tmp_path):
    run = make_run(tmp_path, "mine")
    run.metrics.write_text('{"step": 10}\n{"step": 20}')
    run.drop_metrics_after(20)
    assert run.metrics.read_text() == '{"step": 10}\n{"step": 20}\n'


def test_dropping_from_no_metrics_leaves_none(tmp_path):
    run = make_run(tmp_path, "mine")
    run.drop_metrics_after(20)
    assert metrics_of(run) == []
