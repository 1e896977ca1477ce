"""Writing files so that neither a crash nor a full disk costs what was there before."""

import contextlib
import os
from pathlib import Path

from charrnn_cli.errors import WriteError


def write_file(path: Path, data: bytes, remedy: str = "choose another --checkpoints") -> None:
    """Replace a file so that at any moment, power cuts included, the old or the new one is whole.

    Raises WriteError, the old file intact, if the target is no regular file or cannot be written;
    `remedy` is what helps then, beside making room.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise WriteError(f"{path}: is not a regular file. Move it away first.")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        _discard(temporary)
        raise WriteError(
            f"{path}: cannot be written ({error.strerror}); "
            f"{len(data) / 1e6:.1f} MB are needed. Make room or {remedy}."
        ) from None
    except BaseException:
        _discard(temporary)
        raise


def _discard(path: Path) -> None:
    with contextlib.suppress(OSError):  # where it could not be made, it cannot be removed either
        path.unlink()


def sync_folder(folder: Path) -> None:
    """Make new names in a folder survive a power cut, where the system can."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
