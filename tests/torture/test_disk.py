"""Disks that are full, read-only, or limited: one line, exit 5, and nothing that was there lost."""

import os
import resource
import subprocess

import pytest
from workshop import (
    RESUME,
    TRAIN,
    checkpoints_are_whole,
    copy,
    make_text,
    result,
    run,
    stopped_at,
    the_run,
)

CHECKPOINTS = 60_000  # bytes: more than `best`, `last` and a temporary file take


@pytest.fixture
def disk(tmp_path):
    """A small file system of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder])
    if mounted.returncode:
        pytest.skip("only root can mount a file system")
    yield folder
    subprocess.run(["umount", folder], check=True)


def remount(disk, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", disk], check=True)


def one_line(folder) -> str:
    lines = (folder / "stderr").read_text().splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("Error: ")
    return lines[0]


def test_a_disk_that_fills_up_costs_nothing_once_there_is_room(disk, tmp_path):
    whole = result(stopped_at(tmp_path / "whole", 10_000))
    stopped_at(tmp_path / "before", 20)
    for left in range(0, CHECKPOINTS, 4096):  # bytes that are still free
        folder = copy(tmp_path / "before", disk / "run")
        filler = disk / "filler"
        with open(filler, "wb") as file:
            free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
            file.write(bytes(max(0, free - left)))
        # stderr is on a disk that has room
        code = run(*RESUME, "--checkpoints", folder / "checkpoints", cwd=tmp_path)
        if code == 0:
            break
        assert code == 5, left
        assert "No space left" in one_line(tmp_path)
        checkpoints_are_whole(folder)
        for line in (the_run(folder) / "metrics.jsonl").read_text().splitlines(keepends=True):
            assert line.endswith("}\n")
        filler.unlink()
        assert run(*RESUME, "--checkpoints", folder / "checkpoints", cwd=tmp_path) == 0
        assert result(folder) == whole
    assert 2 * 4096 < left < CHECKPOINTS - 4096, "the disk was never full, or always"
    print(f"\nfull disks with 0 to {left} bytes left: each run went on to the same bytes")


def test_a_read_only_disk_is_found_before_training(disk, tmp_path):
    before = copy(stopped_at(tmp_path / "before", 20), disk / "run")
    kept = result(before)
    remount(disk, "ro")
    for command in (RESUME, [*TRAIN, "--name", "other"]):
        work = make_text(tmp_path / "work")
        assert run(*command, "--checkpoints", before / "checkpoints", cwd=work) == 5
        assert "Read-only file system" in one_line(work)
    assert result(before) == kept


def test_a_limit_on_file_sizes_costs_nothing_once_it_is_lifted(tmp_path):
    whole = result(stopped_at(tmp_path / "whole", 10_000))
    before = stopped_at(tmp_path / "before", 20)
    for limit in (0, 1, 4096, 12_000):  # as ulimit -f sets it

        def limited(limit=limit):
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        folder = copy(before, tmp_path / "limited")
        # a limit of nothing holds for stderr, too
        assert run(*RESUME, cwd=folder, first=limited) == 5
        assert limit < 4096 or "File too large" in one_line(folder)
        checkpoints_are_whole(folder)
        assert run(*RESUME, cwd=folder) == 0
        assert result(folder) == whole
