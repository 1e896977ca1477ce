"""Where a text comes from: files, folders or stdin."""

import os
from typing import NamedTuple

from charrnn_cli.errors import TextError, UsageError
from charrnn_cli.text.normalization import NONE
from charrnn_cli.text.reader import check_place


class Sources(NamedTuple):
    """What to read: paths of files and folders, or `-` for stdin, and the pattern of the names that
    are read in folders. With `lines`, each line is an item of a list. The text is read in Unicode's
    normal form `normalize`."""

    paths: tuple[str, ...]
    glob: str | None = None
    lines: bool = False
    normalize: str = NONE

    @property
    def several(self) -> bool:
        """Whether there can be more than one file."""
        return len(self.paths) > 1 or any(map(os.path.isdir, self.paths))

    @property
    def lasting(self) -> bool:
        """Whether all of it can be read again later."""
        return all(
            path != "-" and (os.path.isfile(path) or os.path.isdir(path)) for path in self.paths
        )


def check_sources(sources: Sources) -> None:
    """Raise TextError if a source is missing, or a device; UsageError for a `glob` without any
    folder. Opens nothing."""
    for path in sources.paths:
        if not os.path.isdir(path):
            check_place(path)
    if sources.paths.count("-") > 1:
        raise TextError("stdin: can be read only once. Give - once.")
    if sources.glob is not None and sources.paths and not any(map(os.path.isdir, sources.paths)):
        raise UsageError("--glob: chooses among the files of folders; none is given. Leave it out.")
