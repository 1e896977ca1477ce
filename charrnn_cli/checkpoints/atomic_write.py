"""Writing files so that neither a crash nor a full disk loses what was there before."""

import contextlib
import errno
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from charrnn_cli.errors import WriteError

# The errors of file systems that cannot sync a folder; some network file systems cannot.
_NO_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EACCES, errno.EBADF}


def write_file(path: Path, data: bytes, remedy: str = "choose another --checkpoints") -> None:
    """Replace a file so that the old or the new one is whole at any moment, even after a power cut.

    Raises WriteError, with the old file intact, if the target is not a regular file or cannot be
    written; `remedy` is what the message advises beside making room.
    """
    write_files({path: data}, remedy)


def write_files(files: Mapping[Path, bytes], remedy: str) -> None:
    """Replace files as `write_file` replaces one. None of them is replaced before all are on disk
    under other names: a full disk, for example, leaves the old ones."""
    temporaries: dict[Path, Path] = {}
    path = Path()
    try:
        for path, data in files.items():
            if path.is_symlink() or (path.exists() and not path.is_file()):
                raise _not_regular(path)
            temporaries[path] = path.with_name(f".{path.name}.{os.getpid()}.tmp")
            descriptor = os.open(temporaries[path], os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
            with open(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        for path, temporary in temporaries.items():
            os.replace(temporary, path)
        for folder in {path.parent for path in files}:
            sync_folder(folder)
    except OSError as error:
        _discard(temporaries.values())
        if isinstance(error, FileNotFoundError):
            raise WriteError(
                f"{path}: cannot be written: there is no such folder. Make it, or {remedy}."
            ) from None
        raise WriteError(
            f"{path}: cannot be written ({error.strerror}); "
            f"{len(files[path]) / 1e6:.1f} MB are needed. Make room or {remedy}."
        ) from None
    except BaseException:
        _discard(temporaries.values())
        raise


def append_line(path: Path, line: str) -> None:
    """Add a line at the end of a file, complete and on disk, or not at all. Raises WriteError."""
    descriptor = open_regular(path, os.O_WRONLY | os.O_APPEND)
    try:
        size = os.fstat(descriptor).st_size
        try:
            with open(descriptor, "wb", closefd=False) as file:
                file.write(f"{line}\n".encode())
            os.fsync(descriptor)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, size)
            raise WriteError(f"{path}: cannot be written ({error.strerror}). Make room.") from None
    finally:
        os.close(descriptor)


def open_regular(path: Path, flags: int) -> int:
    """Open a file, which is created if it is missing, as a descriptor. Raises WriteError if it is
    not a regular file, or if it is a link: its data would be written elsewhere."""
    # O_NONBLOCK: opening a pipe that nobody reads would otherwise wait for ever
    flags |= os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        if path.is_symlink():
            raise _not_regular(path)
        descriptor = os.open(path, flags, 0o666)
    except OSError as error:
        if os.path.lexists(path) and not os.path.isfile(path):
            raise _not_regular(path) from None
        raise WriteError(f"{path}: cannot be written ({error.strerror}).") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _not_regular(path)
    return descriptor


def _not_regular(path: Path) -> WriteError:
    return WriteError(f"{path}: is not a regular file. Move it away first.")


def _discard(paths: Iterable[Path]) -> None:
    for path in paths:
        with contextlib.suppress(OSError):  # if it could not be made, it cannot be removed either
            path.unlink()


def sync_folder(folder: Path) -> None:
    """Make new names in a folder survive a power cut, if the file system can."""
    if os.name == "posix":
        try:
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            if error.errno not in _NO_SYNC:
                raise
