"""The command line: the Typer app with its commands, and how every error becomes one line."""

import contextlib
import functools
import os
import sys
import traceback
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from charrnn_cli import __version__
from charrnn_cli.commands import export, info, runs, sample, score, train, translate
from charrnn_cli.commands.options import Command, command_class, fit_terminal, write_example
from charrnn_cli.commands.usage import explain
from charrnn_cli.environment import environment
from charrnn_cli.errors import CharRNNError, ExitCode, Stopped, UsageError
from charrnn_cli.settings.setting import Setting
from charrnn_cli.terminal.console import say, say_error
from charrnn_cli.terminal.program import with_program


class OneLineErrors(TyperGroup):
    """Reports a mistyped command line in one line, as every other error."""

    def get_help(self, ctx: Any) -> str:
        """The help, with commands as they work here."""
        fit_terminal(ctx)
        return with_program(super().get_help(ctx))

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """The last line, whose commands stay whole."""
        write_example(self.epilog, formatter)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line; the parameters are Typer's own."""
        try:
            code = super().main(*args, **(kwargs | {"standalone_mode": False}))
            if (stdout := environment().stdout.file) is not None:
                stdout.flush()
        except SystemExit:  # how Click answers a closed pipe; any other end returns a code
            code = discard_stdout(ExitCode.DONE)
        except BrokenPipeError:
            code = discard_stdout(ExitCode.DONE)
        except OSError as error:  # of --help, --version and completion, which are Typer's own
            name = error.filename or "stdout"
            say(f"Error: {name}: cannot be written ({error.strerror}). Write elsewhere.")
            code = discard_stdout(ExitCode.WRITE)
        except Exception as error:
            # Typer's own copies of Click's errors have no public name: known by what they offer
            if not hasattr(error, "format_message"):
                raise
            message = error.format_message()
            if message.startswith("Usage:"):  # `charrnn` alone is answered with the whole help
                say(message)
            else:
                say_error(UsageError(explain(error)))
            code = ExitCode.USAGE
        sys.exit(code if isinstance(code, int) else ExitCode.DONE)


def reports_errors(command: Command) -> Callable[..., None]:
    """Turn what a command raises into one line on stderr and the exit code of `errors.py`."""

    @functools.wraps(command)
    def guarded(*args: Any, **kwargs: Any) -> None:
        try:
            code = command(*args, **kwargs)
        except Stopped as stopped:
            code = stopped.code
        except CharRNNError as error:
            if not error.reported:
                say_error(error)
            code = discard_stdout(error.exit_code)
        except KeyboardInterrupt:
            code = ExitCode.INTERRUPTED
        except BrokenPipeError:
            # the reader has had enough, as `head` has: nothing to report
            code = discard_stdout(ExitCode.DONE)
        except MemoryError:
            say("Error: out of memory. Ask for less: a shorter text, or fewer samples.")
            code = ExitCode.OUT_OF_MEMORY
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("charrnn_cli"):
                raise
            name = (error.name or "").split(".")[0]
            say(f"Error: the library {name} is missing. Install it: pip install {name}")
            code = ExitCode.USAGE
        except Exception:
            say(traceback.format_exc())
            say("This is a bug in charrnn: please report it with these lines.")
            code = ExitCode.BUG
        raise typer.Exit(code or ExitCode.DONE)

    return guarded


def discard_stdout(code: ExitCode) -> ExitCode:
    """Throw away what a failed stdout still holds, so that Python's flush at exit does not complain
    of it; returns `code`."""
    stdout = environment().stdout.file
    if stdout is not None:
        with contextlib.suppress(OSError, ValueError):
            try:
                stdout.flush()
            except OSError:
                os.dup2(os.open(os.devnull, os.O_WRONLY), stdout.fileno())
    return code


app = typer.Typer(
    cls=OneLineErrors,
    help="Train a character-level model on any text, and write new text with it.",
    epilog="Start with: charrnn train --example sonnets, then: charrnn sample --seed H --top-k 5",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _add(command: Command, options: tuple[Setting, ...], example: str) -> None:
    first_sentence = (command.__doc__ or "").split(".")[0] + "."
    app.command(cls=command_class(*options), epilog=example, short_help=first_sentence)(
        reports_errors(command)
    )


# --help lists them in this order
_add(train.train, train.OPTIONS, train.EXAMPLE)
_add(sample.sample, sample.OPTIONS, sample.EXAMPLE)
_add(translate.translate, translate.OPTIONS, translate.EXAMPLE)
_add(info.info, info.OPTIONS, info.EXAMPLE)
_add(score.score, score.OPTIONS, score.EXAMPLE)
_add(runs.runs, runs.OPTIONS, runs.EXAMPLE)
_add(export.export, export.OPTIONS, export.EXAMPLE)


def show_version(value: bool) -> None:
    """Callback of --version."""
    if value:
        print(f"charrnn {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option("--version", callback=show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Train a character-level model on any text, and write new text with it."""
