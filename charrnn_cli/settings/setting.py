"""One setting: its declaration, from which its option, its help and its check are made."""

import math
import sys
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

from charrnn_cli.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting, as an option or argument of a command and as a value that is stored.

    `name` with dashes is the option; `stored_as` is the name of the field that holds its value, if
    that is another one. `group` names the argument of the command's function that receives it, or
    is `derived` for a setting that has no option. `default_words` describes a default that a value
    cannot show. `bare` lets an option stand alone on the command line, with the empty text as its
    value: before any other option ("text") or before all that is not a number ("number").
    `panel` is the heading under which --help lists the option. `completes` says what a shell
    completes: the names of runs and shipped models.
    """

    name: str
    type: type
    help: str
    group: str = "request"
    stored_as: str = ""
    default: Any = None
    default_words: str = ""
    planned: Any = None  # what a plan takes where `default` leaves the value to it
    at_least: float = -math.inf
    at_most: float = math.inf
    above: float = -math.inf
    below: float = math.inf
    choices: Collection[str] = ()
    auto: bool = False  # the option also takes `auto`, which is stored as None: not given
    flags: tuple[str, ...] = ()  # other spellings of the option
    metavar: str | None = None
    bare: Literal["", "text", "number"] = ""
    argument: bool = False
    required: bool = False
    several: bool = False  # the option may be given more than once
    panel: str = ""
    completes: Literal["", "run"] = ""

    @property
    def key(self) -> str:
        """The name under which the value is stored."""
        return self.stored_as or self.name

    @property
    def option(self) -> str:
        """The option as it is typed."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def usage(self) -> str:
        """An argument as the line of usage has it."""
        if self.metavar:
            return self.metavar
        name = self.name.upper() if self.required else f"[{self.name.upper()}]"
        return f"{name}..." if self.several else name

    @property
    def limits(self) -> str:
        """The limits in words, such as `at least 1 and at most 64`."""
        words = [
            f"{name} {limit:,.10g}"
            for name, limit in (
                ("above", self.above),
                ("at least", self.at_least),
                ("below", self.below),
                ("at most", self.at_most),
            )
            if math.isfinite(limit)
        ]
        return " and ".join(words)

    @property
    def kind(self) -> str:
        """What a value must be, in words, such as `a whole number, at least 1`."""
        if self.type not in (int, float):
            return f"one of {self.values}" if self.choices else "a text"
        words = "a whole number" if self.type is int else "a number"
        return f"{words}, {self.limits}" if self.limits else words

    @property
    def values(self) -> str:
        """The choices in words, such as `auto, float32, bfloat16`."""
        return ", ".join(("auto", *self.choices) if self.auto else self.choices)

    @property
    def full_help(self) -> str:
        """The help text of the option: meaning, choices, limits, default."""
        words = [f"{self.help.removesuffix('.')}: {self.values}." if self.choices else self.help]
        if math.isfinite(self.at_least) and math.isfinite(self.at_most):
            words.append(f"({self.at_least:,.10g} to {self.at_most:,.10g})")
        elif self.limits:
            words.append(f"({self.limits})")
        if self.default_words or self.planned is not None:
            words.append(f"[{self.default_words or format(self.planned, 'g')}]")
        return " ".join(words)

    def allows(self, value: float) -> bool:
        """Whether `value` lies within the limits; NaN and infinities never do."""
        return (
            abs(value) <= sys.float_info.max  # an integer can be too large for math.isfinite
            and self.at_least <= value <= self.at_most
            and self.above < value < self.below
        )

    def check(self, value: Any) -> None:
        """Raise UsageError, naming the option, for a value outside the limits or choices."""
        if self.choices:
            if value not in self.choices:
                raise UsageError(f"{self.option} {value}: must be one of {self.values}.")
        elif self.type in (int, float) and not self.allows(value):
            raise UsageError(
                f"{self.option} {figure(value)}: must be {self.limits or 'a finite number'}."
            )


def figure(value: Any) -> str:
    """A number as a person types it: 0 and not 0.0."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
