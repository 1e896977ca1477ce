"""The arguments of calls, each checked for its type: a wrong one is an error of one line."""

from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from os import PathLike, fspath
from typing import Any

from charrnn_cli.errors import UsageError
from charrnn_cli.settings.setting import Setting
from charrnn_cli.settings.table import SETTINGS

Source = str | PathLike[str]

_KINDS: Mapping[type, str] = {
    int: "a whole number", float: "a number", str: "a text", bool: "True or False",
}  # fmt: skip
_NUMBERS: Mapping[type, type] = {int: Integral, float: Real}
_LONGEST = 60  # characters of a wrong value that an error shows


def settings(**values: Any) -> dict[str, Any]:
    """Values of settings, each in the type of its setting. Raises UsageError for one of another
    type, or outside its limits; None passes where a setting has no default."""
    return {name: setting(SETTINGS[name], value) for name, value in values.items()}


def setting(row: Setting, value: Any) -> Any:
    """A value in the type of its setting, see `settings`."""
    if value is None and row.default is None:
        return None
    value = of_type(row.key, value, row.type)
    row.check(value)
    return value


def optional(name: str, value: Any, kind: type) -> Any:
    """As `of_type`; None passes."""
    return None if value is None else of_type(name, value, kind)


def of_type(name: str, value: Any, kind: type) -> Any:
    """A value as an int, float, str or bool; NumPy's numbers are numbers, too. Raises UsageError
    for a value of another type."""
    number = _NUMBERS.get(kind, kind)
    if isinstance(value, number) and (kind is bool or not isinstance(value, bool)):
        return value if isinstance(value, kind) else kind(value)
    raise UsageError(f"{name} {shown(value)}: must be {_KINDS[kind]}.")


def shown(value: Any) -> str:
    """A wrong value on one line."""
    return " ".join(repr(value).split())[:_LONGEST]


def path(name: str, given: Any) -> str:
    """A path as text. Raises UsageError."""
    try:
        found = fspath(given)
    except TypeError:
        found = None
    if not isinstance(found, str):
        raise UsageError(f"{name} {shown(given)}: must be a path.")
    return found


def paths(name: str, given: Source | Sequence[Source] | None) -> tuple[str, ...]:
    """The paths of a text, of several or of none. Raises UsageError."""
    if given is None:
        return ()
    if isinstance(given, str | PathLike):
        return (path(name, given),)
    if isinstance(given, bytes) or not isinstance(given, Iterable):
        raise UsageError(f"{name} {shown(given)}: must be a path or a list of paths.")
    return tuple(path(name, one) for one in given)


def columns(name: str, given: int | Sequence[int] | None) -> str | None:
    """Columns in the form in which the command takes them, `1,3`. Raises UsageError."""
    if given is None:
        return None
    numbers: list[Any] = [given]
    if isinstance(given, Iterable) and not isinstance(given, bytes):
        numbers = list(given)
    try:
        return ",".join(str(of_type(name, column, int)) for column in numbers)
    except UsageError:
        raise UsageError(
            f"{name} {shown(given)}: must be numbers of columns, such as [1, 3]."
        ) from None


def several(name: str, given: Any, what: str) -> list[Any]:
    """The members of a list, or of anything else to iterate over but a text. Raises UsageError that
    says `what` they are."""
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise UsageError(f"{name} {shown(given)}: must be a list of {what}.")
    return list(given)
