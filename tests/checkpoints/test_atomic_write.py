"""Writing files so that no crash spoils them."""

import errno
import os
import resource
import stat
from pathlib import Path

import pytest

from charrnn_cli.checkpoints.atomic_write import write_file
from charrnn_cli.errors import WriteError


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"a long old content")
    write_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["a"]


def test_a_file_open_for_reading_keeps_its_old_content(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with open(path, "rb") as reader:
        write_file(path, b"new")
        assert reader.read() == b"old"


def fails_with(error: BaseException):
    def fail(*_, **__):
        raise error

    return fail


FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("function", ["open", "fsync", "replace"])
def test_a_system_call_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path, monkeypatch, function
):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, function, fails_with(FULL))
        with pytest.raises(WriteError, match=r"No space left .*0\.0 MB are needed\. Make room"):
            write_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_an_interruption_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, function):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, function, fails_with(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            write_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_a_file_that_the_system_cuts_short_leaves_the_old_one_and_nothing_else(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(WriteError, match=r"File too large.*1\.0 MB are needed"):
            write_file(path, bytes(1_000_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_content_reaches_the_disk_before_its_name_and_its_name_before_the_end(
    tmp_path, monkeypatch
):
    calls = []
    fsync, replace = os.fsync, os.replace

    def noted_fsync(descriptor):
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        calls.append(f"fsync {kind} of {os.fstat(descriptor).st_size if kind == 'file' else '-'}")
        fsync(descriptor)

    def noted_replace(*paths):
        calls.append("replace")
        replace(*paths)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", noted_replace)
    write_file(tmp_path / "a", b"new")
    assert calls == ["fsync file of 3", "replace", "fsync folder of -"]


@pytest.mark.parametrize("target", ["file", "nowhere"])
def test_a_symlink_is_not_written_to(tmp_path, target):
    (tmp_path / "file").write_bytes(b"old")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / target)
    with pytest.raises(WriteError, match="is not a regular file"):
        write_file(link, b"new")
    assert link.is_symlink()
    assert (tmp_path / "file").read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == ["file", "link"]


def test_a_folder_is_not_replaced(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(WriteError, match="is not a regular file"):
        write_file(tmp_path / "folder", b"new")
    assert (tmp_path / "folder").is_dir()


def test_a_fifo_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(WriteError, match="is not a regular file"):
        write_file(tmp_path / "pipe", b"new")
    assert (tmp_path / "pipe").is_fifo()


def test_a_device_is_not_replaced():
    with pytest.raises(WriteError, match="is not a regular file"):
        write_file(Path("/dev/null"), b"new")
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize("path", ["file/a", "nowhere/a", "x" * 300])
def test_a_path_where_no_file_can_be_made_is_named(tmp_path, path):
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(WriteError, match="cannot be written") as caught:
        write_file(tmp_path / path, b"new")
    assert str(tmp_path / path) in str(caught.value)
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_permissions_follow_the_umask(tmp_path, umask, mode):
    old = os.umask(umask)
    try:
        write_file(tmp_path / "a", b"new")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == mode
