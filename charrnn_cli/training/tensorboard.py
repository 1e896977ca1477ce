"""A run's evaluations for TensorBoard."""

import contextlib
import importlib.util
import time
from typing import Any

from charrnn_cli.checkpoints.runs import Run
from charrnn_cli.errors import UsageError, WriteError


def check_tensorboard() -> None:
    """Raise UsageError if TensorBoard is missing."""
    if importlib.util.find_spec("tensorboard") is None:
        raise UsageError(
            "--tensorboard: TensorBoard is missing. Install it: pip install tensorboard"
        )


class ScalarLog:
    """Writes a run's `metrics.jsonl` as TensorBoard's scalars; used as a context.

    Each field is a scalar of its own name, at its step. The file of each session holds the whole
    run and makes TensorBoard discard the files of earlier sessions. So every step is shown exactly
    once, however those sessions ended.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.writer: Any = None
        self.written = 0.0  # the last step that is in the file

    def __enter__(self) -> "ScalarLog":
        return self

    def __exit__(self, *error: object) -> None:
        if self.writer is not None:
            with contextlib.suppress(OSError):  # the next session writes what is missing
                self.writer.close()

    def update(self) -> None:
        """Write the evaluations that are new. Raises WriteError."""
        records = [r for r in self.run.metrics_until() if r["step"] > self.written]
        if not records:  # another program has changed the file
            return
        try:
            if self.writer is None:
                self._open()
            began = time.time() - records[-1]["seconds"]
            for record in records:
                for name, value in record.items():
                    if name not in ("step", "seconds"):
                        self.writer.add_scalar(
                            name, value, record["step"], walltime=began + record["seconds"]
                        )
            self.writer.flush()
        except OSError as error:
            raise WriteError(
                f"{self.run.folder}: TensorBoard's file cannot be written ({error.strerror}). "
                "Make room there, or leave --tensorboard out."
            ) from None
        self.written = records[-1]["step"]

    def _open(self) -> None:
        from torch.utils.tensorboard import SummaryWriter

        # purge_step 0: a running TensorBoard, too, discards what it has read before
        self.writer = SummaryWriter(str(self.run.folder), purge_step=0)
