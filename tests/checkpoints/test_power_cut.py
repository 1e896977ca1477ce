"""Power cuts, simulated: whatever a disk had written by then, the old file or the new one is whole.

A disk may keep back all that was not synced: a file's content until that file is, a folder's new
names until that folder is. From a record of what `write_file` asks of the system, every state that
a cut could leave is put together and looked at.
"""

import itertools
import os
import stat

import pytest

from charrnn_cli.checkpoints.atomic_write import write_file

OLD, NEW = b"old content", b"the new content"


def record(path, monkeypatch, without=()) -> list[tuple]:
    """Replace the file at `path`, and return the calls made, in order: ("create", name, its
    number), ("fsync file", number, content), ("rename", from, to), ("fsync folder",). Calls named
    in `without` are left out, as a careless writer would."""
    calls, numbers = [], itertools.count()
    real = {name: getattr(os, name) for name in ("open", "fsync", "replace")}
    inodes = {}

    def opened(name, flags, *mode):
        descriptor = real["open"](name, flags, *mode)
        if flags & os.O_CREAT:
            number = next(numbers)
            inodes[os.fstat(descriptor).st_ino] = name, number
            calls.append(("create", os.path.basename(name), number))
        return descriptor

    def synced(descriptor):
        found = os.fstat(descriptor)
        if "fsync" in without:
            return
        if stat.S_ISDIR(found.st_mode):
            calls.append(("fsync folder",))
        else:
            name, number = inodes[found.st_ino]
            calls.append(("fsync file", number, (path.parent / name).read_bytes()))
        real["fsync"](descriptor)

    def replaced(old, new):
        calls.append(("rename", os.path.basename(old), os.path.basename(new)))
        real["replace"](old, new)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", opened)
        patch.setattr(os, "fsync", synced)
        patch.setattr(os, "replace", replaced)
        write_file(path, NEW)
    return calls


def states_after(calls: list[tuple]) -> set[bytes]:
    """What the file may hold after a power cut that came when these calls were made."""
    synced = {0: b""} | {call[1]: call[2] for call in calls if call[0] == "fsync file"}
    folder_synced = max((i for i, c in enumerate(calls) if c[0] == "fsync folder"), default=-1)
    states = set()
    renames = [i for i, call in enumerate(calls) if call[0] == "rename"]
    if not any(i < folder_synced for i in renames):
        states.add(OLD)  # the new name may not have got there
    if renames:  # or it may have, and of the content what was synced, or any beginning of it
        content = synced[0]
        states |= {content} if content == NEW else {NEW[:cut] for cut in range(len(NEW) + 1)}
    return states


def states_of_all_cuts(calls: list[tuple]) -> set[bytes]:
    return set().union(*(states_after(calls[:count]) for count in range(len(calls) + 1)))


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "last.safetensors"
    path.write_bytes(OLD)
    return path


def test_a_power_cut_at_any_moment_leaves_the_old_file_or_the_new(path, monkeypatch):
    assert states_of_all_cuts(record(path, monkeypatch)) == {OLD, NEW}


def test_once_written_a_power_cut_leaves_the_new_file(path, monkeypatch):
    assert states_after(record(path, monkeypatch)) == {NEW}


def test_without_fsync_the_simulation_finds_torn_files(path, monkeypatch):
    """It bites: a writer that does not sync is found out."""
    calls = record(path, monkeypatch, without=["fsync"])
    assert states_of_all_cuts(calls) - {OLD, NEW}
    assert OLD in states_after(calls)


def test_without_a_replace_the_old_file_is_gone_before_the_new_is_whole(path, monkeypatch):
    """It bites: a writer that opens the file itself is found out by its reader."""
    seen = []
    fsync = os.fsync

    def looked_at(descriptor):
        seen.append(path.read_bytes())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", looked_at)
    write_file(path, NEW)
    assert seen == [OLD, NEW]
    seen.clear()
    with open(path, "wb") as file:  # what it would be without
        file.write(OLD[:3])
        file.flush()
        os.fsync(file.fileno())
    assert seen == [OLD[:3]]
