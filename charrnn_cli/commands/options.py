"""The options of commands, made for Typer from rows of `settings.Setting`."""

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from charrnn_cli.errors import ExitCode
from charrnn_cli.settings.setting import Setting
from charrnn_cli.settings.table import SETTINGS
from charrnn_cli.terminal.console import broken, text_width
from charrnn_cli.terminal.program import with_program

Values = dict[str, Any]
"""Values of settings by their stored names; None where an option without a default is left out."""

Command = Callable[..., ExitCode | None]

CLICK_MIN_COLUMNS = 52  # the narrowest terminal that Click's help fits itself
ARGUMENTS = "charrnn.arguments"  # where a context keeps the words of its command line

CHECKPOINT = Setting(
    name="checkpoint",
    type=str,
    argument=True,
    completes="run",
    help="A run's name or folder, or a checkpoint file [the newest run].",
)


def takes(*settings: Setting) -> Callable[[Command], Command]:
    """Give a command the options and arguments that `settings` declare, in this order.

    The command gets a dictionary of values for each group of settings, as the argument of the
    group's name. Raises UsageError for a value that its setting does not allow.
    """

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def checked(**values: Any) -> ExitCode | None:
            groups: dict[str, Values] = {setting.group: {} for setting in settings}
            for setting in settings:
                value = values[setting.name]
                if setting.auto and value == "auto":
                    value = None
                if value is not None:
                    setting.check(value)
                groups[setting.group][setting.key] = value
            return command(**groups)

        signature = inspect.Signature([_parameter(setting) for setting in settings])
        vars(checked)["__signature__"] = signature  # what Typer reads
        return checked

    return decorate


def _parameter(setting: Setting) -> inspect.Parameter:
    """A setting as a parameter of a function that Typer makes a command of."""
    kind: Any = list[setting.type] if setting.several else setting.type  # type: ignore[name-defined]
    if setting.default is None and not setting.required:
        kind = kind | None
    info = (
        typer.Argument(
            help=setting.full_help, metavar=setting.metavar, autocompletion=_completion(setting)
        )
        if setting.argument
        else typer.Option(
            setting.option,
            *setting.flags,
            help=setting.full_help,
            metavar=setting.metavar,
            autocompletion=_completion(setting),
            rich_help_panel=setting.panel or None,
            show_default=not setting.default_words and setting.planned is None,
        )
    )
    return inspect.Parameter(
        setting.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if setting.required else setting.default,
        annotation=Annotated[kind, info],
    )


def _completion(setting: Setting) -> Callable[[Any, str], list[str]] | None:
    """What completes a setting's value in a shell, if anything but its files does."""
    return _run_names if setting.completes == "run" else None


def _run_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """The runs and shipped models whose names begin with what was typed."""
    from charrnn_cli.checkpoints.shipped import known_names

    folder = ctx.params.get("checkpoints") or SETTINGS["checkpoints"].default
    return [name for name in known_names(Path(folder)) if name.startswith(incomplete)]


def fit_terminal(ctx: Any) -> None:
    """Let the help of a context be as narrow as the terminal: Click stops at 50 columns."""
    columns = text_width(80)
    if ctx.terminal_width is None and columns < CLICK_MIN_COLUMNS:
        ctx.terminal_width = max(20, columns - 2)


def write_example(line: str | None, formatter: Any) -> None:
    """The last line of a help text, broken between words but never inside a command."""
    if line:
        formatter.write_paragraph()
        for row in broken(with_program(line), formatter.width - 2):
            formatter.write(f"  {row}\n")


def command_class(*settings: Setting) -> type[TyperCommand]:
    """A command some of whose options may stand alone, without a value: --resume, for the newest
    run. Their value is the empty text then. Its --help lists the options under the headings of
    their panels, in the order in which those first occur."""
    bare = {setting.option: setting.bare for setting in settings if setting.bare}
    declared = settings

    class OptionalValues(TyperCommand):
        settings = declared

        def get_help(self, ctx: Any) -> str:
            fit_terminal(ctx)
            return with_program(super().get_help(ctx))

        def collect_usage_pieces(self, ctx: Any) -> list[str]:
            return ["[OPTIONS]", *(s.usage for s in declared if s.argument)]

        def format_epilog(self, ctx: Any, formatter: Any) -> None:
            write_example(self.epilog, formatter)

        def format_options(self, ctx: Any, formatter: Any) -> None:
            panels: dict[str, list[tuple[str, str]]] = {}
            for param in self.get_params(ctx):
                record = param.get_help_record(ctx)
                kind = "Options"
                if param.param_type_name == "argument":
                    kind = "Arguments"
                    setting = next(s for s in declared if s.name == param.name)
                    record = setting.metavar or setting.name.upper(), setting.full_help
                panel = getattr(param, "rich_help_panel", None) or kind
                if record is not None:
                    panels.setdefault(panel, []).append(record)
            order = [
                "Arguments",
                *(s.panel for s in declared if s.panel and not s.argument),
                "Options",
            ]
            for panel in dict.fromkeys(order):
                if panel in panels:
                    with formatter.section(panel):
                        formatter.write_dl(panels[panel])

        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            end = args.index("--") if "--" in args else len(args)  # what follows it is no option
            given = []
            for word, after in zip(args[:end], [*args[1:end], "-"], strict=False):
                given.append(word)
                is_number = after.isdecimal() or after == "all"
                if (bare.get(word) == "text" and after.startswith("-")) or (
                    bare.get(word) == "number" and not is_number
                ):
                    given.append("")
            ctx.meta[ARGUMENTS] = list(args)
            try:
                return super().parse_args(ctx, given + args[end:])
            except Exception as error:
                if getattr(error, "ctx", ctx) is None:  # the parser's errors do not know theirs
                    error.ctx = ctx  # type: ignore[attr-defined]
                raise

    return OptionalValues
