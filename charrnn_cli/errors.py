"""The errors that a user can meet, each kind with its exit code."""

from enum import IntEnum


class ExitCode(IntEnum):
    """The codes that `charrnn` ends with."""

    DONE = 0
    BUG = 1
    USAGE = 2
    TEXT = 3
    CHECKPOINT = 4
    WRITE = 5
    RUN_IN_USE = 6
    DIVERGED = 7
    OUT_OF_MEMORY = 8
    PROCESS_LOST = 9
    HANGUP = 129
    INTERRUPTED = 130
    TERMINATED = 143


class CharRNNError(Exception):
    """An error whose one-line message names the thing at fault and the remedy."""

    exit_code = ExitCode.BUG
    reported = False  # set by the one of several processes that has shown the message


class UsageError(CharRNNError):
    """An option or argument that makes no sense."""

    exit_code = ExitCode.USAGE


class TextError(CharRNNError):
    """A text that cannot be read, or cannot be used for what was asked."""

    exit_code = ExitCode.TEXT


class CheckpointError(CharRNNError):
    """A checkpoint that is missing, damaged, foreign, or does not fit."""

    exit_code = ExitCode.CHECKPOINT


class WriteError(CharRNNError):
    """A file or folder that cannot be written."""

    exit_code = ExitCode.WRITE


class RunInUseError(CharRNNError):
    """A run folder that another process is training into."""

    exit_code = ExitCode.RUN_IN_USE


class DivergedError(CharRNNError):
    """A loss or gradient that is no longer a finite number."""

    exit_code = ExitCode.DIVERGED


class MemoryLimitError(CharRNNError):
    """A model or batch that does not fit into memory."""

    exit_code = ExitCode.OUT_OF_MEMORY


class ProcessLostError(CharRNNError):
    """Another process of the same training that ended, or cannot be reached."""

    exit_code = ExitCode.PROCESS_LOST


class Stopped(BaseException):
    """A signal came before there was anything to save. As KeyboardInterrupt, it is no Exception."""

    def __init__(self, code: ExitCode) -> None:
        super().__init__(code)
        self.code = code
