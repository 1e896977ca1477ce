"""Run folders: finding and locking them, finding a run's text, recording evaluations."""

import contextlib
import json
import math
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from charrnn_cli.checkpoints.atomic_write import append_line, open_regular, write_file
from charrnn_cli.checkpoints.checkpoint import MAX_COUNT, Checkpoint, peek, to_bytes
from charrnn_cli.checkpoints.records import MAX_VALUE, CorpusInfo, Sample, from_json
from charrnn_cli.checkpoints.shipped import is_base_model
from charrnn_cli.errors import CheckpointError, RunInUseError, WriteError

try:
    import fcntl
except ImportError:  # Windows has no flock: nothing there prevents two trainings in one run
    fcntl = None  # type: ignore[assignment]

HOW_TO_TRAIN = "Make one: charrnn train TEXT"


@dataclass(frozen=True)
class Run:
    """A folder that holds one training: `best`, `last`, `middle` and the metrics."""

    folder: Path

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.folder.name or self.folder.resolve().name

    @property
    def best(self) -> Path:
        """The checkpoint with the lowest held-out loss."""
        return self.folder / "best.safetensors"

    @property
    def last(self) -> Path:
        """The checkpoint to resume from."""
        return self.folder / "last.safetensors"

    @property
    def middle(self) -> Path:
        """The checkpoint that a longer resume goes on from."""
        return self.folder / "middle.safetensors"

    @property
    def metrics(self) -> Path:
        """One JSON record a line, an evaluation each."""
        return self.folder / "metrics.jsonl"

    @property
    def sample_file(self) -> Path:
        """One JSON record a line, a text that the model wrote in training each."""
        return self.folder / "samples.jsonl"

    @property
    def launch(self) -> Path:
        """Which launch of several processes made the run."""
        return self.folder / ".launch"

    @property
    def newest(self) -> float:
        """When a checkpoint was last written here, in seconds; 0 if there is none."""
        # os.path returns False for a name that is too long; pathlib raises OSError
        files = (path for path in (self.best, self.last) if os.path.isfile(path))
        return max(map(os.path.getmtime, files), default=0.0)

    @property
    def checkpoint(self) -> Path:
        """`best`, or `last` while there is no best yet."""
        return self.best if self.best.is_file() or not self.last.is_file() else self.last

    @property
    def in_training(self) -> bool:
        """Whether a process on this machine trains it now; always False without flock."""
        if not fcntl:
            return False
        try:
            with open(self.folder / ".lock", "rb") as file:
                holder = int(file.read(20))
                # Probing could block a run that is starting, so a dead holder's is not probed.
                with contextlib.suppress(PermissionError):  # alive, and another user's
                    os.kill(holder, 0)
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except (OSError, ValueError, OverflowError):
            return False
        return False

    def save(self, path: Path, checkpoint: Checkpoint) -> None:
        """Write `best`, `last` or `middle`."""
        write_file(path, to_bytes(checkpoint))

    def append_metrics(self, record: Mapping[str, float | None]) -> None:
        """Add one evaluation. Raises WriteError."""
        append_line(self.metrics, json.dumps(record))

    def drop_metrics_after(self, step: int) -> None:
        """Remove evaluations after `step`, and an incomplete line that a crash left."""
        lines = (json.dumps(record) + "\n" for record in self.metrics_until(step))
        write_file(self.metrics, "".join(lines).encode())

    def seconds_until(self, step: int) -> float:
        """The time spent on the run up to its last evaluation at or before `step`."""
        records = self.metrics_until(step)
        return float(records[-1]["seconds"]) if records else 0.0

    def metrics_until(self, step: float = math.inf) -> list[dict[str, float]]:
        """The evaluations up to a step, in their order; lines that are no record are skipped.
        Raises WriteError if the file cannot be read."""
        try:
            text = self.metrics.read_text("utf-8", "replace") if self.metrics.is_file() else ""
        except OSError as error:
            raise WriteError(f"{self.metrics}: cannot be read ({error.strerror}).") from None
        records = []
        for line in text.splitlines():
            with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
                record = json.loads(line)
                if _is_evaluation(record) and record["step"] <= step:
                    records.append(record)
        return records

    def append_sample(self, sample: Sample) -> None:
        """Keep a text that the model wrote in training; it may be lost if it cannot be written."""
        with contextlib.suppress(WriteError):
            append_line(self.sample_file, json.dumps(vars(sample)))

    def samples(self) -> list[Sample]:
        """The texts kept, by rising step; those after a step that a resume went back to are left
        out, as is what cannot be read."""
        found: list[Sample] = []
        try:
            lines = self.sample_file.read_bytes().splitlines()
        except OSError:
            return found
        for line in lines:
            with contextlib.suppress(AttributeError, RecursionError, TypeError, ValueError):
                sample = from_json(Sample, json.loads(line))
                found = [earlier for earlier in found if earlier.step < sample.step]
                found.append(sample)
        return found

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run for one training. Raises RunInUseError, naming the holder, or WriteError."""
        path = self.folder / ".lock"
        descriptor = open_regular(path, os.O_RDWR)
        try:
            self._take_lock(path, descriptor)
            self._remove_temporary_files()
            yield  # the file stays: if it were removed, two later trainings could both hold a lock
        finally:
            os.close(descriptor)

    def _remove_temporary_files(self) -> None:
        """Remove what a process that was killed left, as far as possible."""
        with contextlib.suppress(OSError):
            for stale in self.folder.glob(".*.tmp"):
                if stale.is_file():  # a folder is not ours
                    stale.unlink()

    def _take_lock(self, path: Path, descriptor: int) -> None:
        """Lock an open file and write this process's number into it."""
        try:
            if fcntl:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.write(descriptor, str(os.getpid()).encode())
        except BlockingIOError:
            holder = os.read(descriptor, 20).decode("ascii", "replace").strip()
            raise RunInUseError(
                f"run {self.name} is being trained by process {holder or 'unknown'}. "
                "Wait for it, or stop it there with Ctrl-C, which saves everything."
            ) from None
        except OSError as error:
            raise WriteError(f"{path}: cannot be written ({error.strerror}).") from None

    def remove_if_empty(self) -> None:
        """Remove the folder of a training that ended before its first checkpoint."""
        if not self.newest:
            with contextlib.suppress(OSError):  # it may be gone, or hold other files
                self.launch.unlink(missing_ok=True)
                self.middle.unlink(missing_ok=True)
                (self.folder / ".lock").unlink(missing_ok=True)
                self.folder.rmdir()


class ReadOnlyRun(Run):
    """A run for the processes that leave the writing to the first: its changes do nothing."""

    def save(self, path: Path, checkpoint: Checkpoint) -> None:
        """Done by the first process."""

    def append_metrics(self, record: Mapping[str, float | None]) -> None:
        """Done by the first process."""

    def append_sample(self, sample: Sample) -> None:
        """Done by the first process."""

    def drop_metrics_after(self, step: int) -> None:
        """Done by the first process."""

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Done by the first process."""
        yield

    def remove_if_empty(self) -> None:
        """Done by the first process."""


def _is_evaluation(record: Any) -> bool:
    """Whether a line of the metrics has a step, a time, and nothing but numbers within limits."""
    return (
        type(record["step"]) is int
        and 0 <= record["step"] <= MAX_COUNT
        and record["seconds"] >= 0
        and all(
            type(value) in (int, float) and abs(value) <= MAX_VALUE for value in record.values()
        )
    )


def stored_checksums(checkpoint: Checkpoint) -> tuple[str, str | None]:
    """Those of the text that a run was trained on, and of a held-out one of the user's own."""
    val_text = checkpoint.val_text
    return checkpoint.corpus.sha256, None if val_text is None else val_text.sha256


def best_beside(run: Run) -> Checkpoint | None:
    """The header of a run's `best`; None if it is missing or damaged."""
    try:
        return peek(run.best) if run.best.is_file() else None
    except CheckpointError:
        return None


def list_runs(checkpoints: Path) -> list[Run]:
    """The runs in a folder that hold a checkpoint, the newest first, without the base model that
    lies beside the runs of the repository."""
    folders = checkpoints.iterdir() if os.path.isdir(checkpoints) else ()
    runs = [Run(folder) for folder in folders if folder.is_dir() and not is_base_model(folder)]
    # runs of the same time are sorted by name, so that the same one is always the newest
    return sorted(
        (run for run in runs if run.newest), key=lambda run: (run.newest, run.name), reverse=True
    )


def text_paths(corpus: CorpusInfo) -> tuple[str, ...]:
    """Where a checkpoint says that its text is, if all of it is there; else nothing.

    The files are only read, and their checksum compared. Still, whoever made the checkpoint chose
    the paths: they must be absolute, of folders or of regular files that are not empty, which the
    endless files of a system are not.
    """
    paths = corpus.sources or (() if corpus.path is None else (corpus.path,))
    return paths if all(map(_is_text_place, paths)) else ()


def _is_text_place(path: str) -> bool:
    try:
        found = os.stat(path) if os.path.isabs(path) else None
    except (OSError, ValueError):
        return False
    if found is None:
        return False
    return stat.S_ISDIR(found.st_mode) or bool(stat.S_ISREG(found.st_mode) and found.st_size)
