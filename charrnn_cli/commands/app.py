"""The Typer app: how options are declared from settings, and how every error becomes one line."""

import contextlib
import functools
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from charrnn_cli import __version__
from charrnn_cli.config import SETTINGS
from charrnn_cli.errors import CharRNNError, ExitCode, Stopped
from charrnn_cli.terminal.console import say, say_error

CHECKPOINTS = Path("checkpoints")

CheckpointsFolder = Annotated[Path, typer.Option("--checkpoints", help="Folder of the runs.")]
CheckpointArgument = Annotated[
    str | None,
    typer.Argument(help="A run's name or folder, or a checkpoint file [the newest run]."),
]
DeviceOption = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:N or mps.")]


class OneLineErrors(TyperGroup):
    """Reports a mistyped command line in one line, as every other error."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line; the parameters are Typer's own."""
        try:
            code = super().main(*args, **(kwargs | {"standalone_mode": False}))
            if sys.stdout is not None:
                sys.stdout.flush()
        except SystemExit:  # how Click answers a closed pipe; any other end returns a code
            code = forget_stdout(ExitCode.DONE)
        except BrokenPipeError:
            code = forget_stdout(ExitCode.DONE)
        except OSError as error:  # of --help, --version and completion, which are Typer's own
            name = error.filename or "stdout"
            say(f"Error: {name}: cannot be written ({error.strerror}). Write elsewhere.")
            code = forget_stdout(ExitCode.WRITE)
        except Exception as error:
            # Typer's own copies of Click's errors have no public name: known by what they offer
            if not hasattr(error, "format_message"):
                raise
            message = error.format_message()
            # `charrnn` alone is answered with the whole help
            say(message if "\n" in message else f"Error: {message}")
            code = ExitCode.USAGE
        sys.exit(code if isinstance(code, int) else ExitCode.DONE)


class OptionalValues(TyperCommand):
    """Lets some options stand alone, without a value: --resume, for the newest run."""

    may_stand_alone = ("--resume", "--originality")
    may_lack_number = ("--lines", "--show")

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Give such an option without a value the empty one; the parameters are Typer's own."""
        end = args.index("--") if "--" in args else len(args)  # what follows it is no option
        given = []
        for word, after in zip(args[:end], [*args[1:end], "-"], strict=False):
            given.append(word)
            alone = after.startswith("-")
            number = after.isdecimal() or after == "all"
            if (word in self.may_stand_alone and alone) or (
                word in self.may_lack_number and not number
            ):
                given.append("")
        return super().parse_args(ctx, given + args[end:])


app = typer.Typer(
    cls=OneLineErrors,
    help="Train a character-level recurrent network on any text, and write new text with it.",
    epilog="Start with: charrnn train data/sonnets.txt, then: charrnn sample --seed H --top-k 5",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def reports_errors(command: Callable[..., None]) -> Callable[..., None]:
    """Turn what a command raises into one line on stderr and the exit code of `errors.py`."""

    @functools.wraps(command)
    def guarded(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except typer.Exit:
            raise
        except Stopped as stopped:
            raise typer.Exit(stopped.code) from None
        except CharRNNError as error:
            if not error.reported:
                say_error(error)
            raise typer.Exit(forget_stdout(error.exit_code)) from None
        except KeyboardInterrupt:
            raise typer.Exit(ExitCode.INTERRUPTED) from None
        except BrokenPipeError:
            # the reader has had enough, as `head` has: nothing to report
            raise typer.Exit(forget_stdout(ExitCode.DONE)) from None
        except MemoryError:
            say("Error: out of memory. Ask for less: a shorter text, or fewer samples.")
            raise typer.Exit(ExitCode.OUT_OF_MEMORY) from None
        except Exception:
            say(traceback.format_exc())
            say("This is a bug in charrnn: please report it with these lines.")
            raise typer.Exit(ExitCode.BUG) from None

    return guarded


def forget_stdout(code: ExitCode) -> ExitCode:
    """Keep Python's own flush at exit from complaining of a stdout that failed; pass on `code`."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        try:
            sys.stdout.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def option(name: str, *flags: str, default: str = "") -> Any:
    """The Typer option of a setting: its meaning and limits as `config.py` states them."""
    setting = SETTINGS[name]
    words = [setting.help]
    if setting.limits:
        words.append(f"({setting.limits})")
    if default:
        words.append(f"[{default}]")
    return typer.Option(
        f"--{name.replace('_', '-')}", *flags, help=" ".join(words), show_default=not default
    )


def show_version(value: bool) -> None:
    """Callback of --version."""
    if value:
        print(f"charrnn {__version__}")
        raise typer.Exit
