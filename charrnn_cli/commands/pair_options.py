"""The options of `charrnn train` and `charrnn score` for pairs."""

from typing import Any

from charrnn_cli.commands.options import Values
from charrnn_cli.errors import UsageError
from charrnn_cli.settings.setting import Setting
from charrnn_cli.settings.table import BEST_BY
from charrnn_cli.text.pair_format import MAX_COLUMN, MAX_LENGTH, make_format

COLUMN_OPTIONS = (
    Setting(
        name="source_columns",
        type=str,
        group="pairs",
        metavar="N[,N…]",
        default_words="1",
        help="Columns that are the source, counted from 1.",
    ),
    Setting(
        name="target_column",
        type=int,
        group="pairs",
        at_least=1,
        at_most=MAX_COLUMN,
        default_words="2",
        help="Column that is the target.",
    ),
    Setting(
        name="feature_columns",
        type=str,
        group="pairs",
        metavar="N[,N…]",
        default_words="none",
        help="Columns of features separated by ';', each of which is read as one symbol.",
    ),
    Setting(
        name="skip_bad_lines",
        type=bool,
        default=False,
        group="pairs",
        help="Count and skip lines that are no pair.",
    ),
)

PAIR_OPTIONS = (
    Setting(
        name="pairs",
        type=bool,
        default=False,
        group="pairs",
        help="TEXT has a source, a tab and a target on each line: learn to turn one into the "
        "other.",
    ),
    *COLUMN_OPTIONS,
    Setting(
        name="max_length",
        type=int,
        group="pairs",
        at_least=1,
        at_most=16_384,
        default_words=str(MAX_LENGTH),
        help="Characters after which a source or a target is cut.",
    ),
    Setting(
        name="best_by",
        type=str,
        group="pairs",
        choices=BEST_BY,
        default_words="exact",
        help="What the best checkpoint of pairs is chosen by: exact matches or the loss.",
    ),
)


def check_pair_options(pairs: Values) -> None:
    """Raise UsageError for an option of --pairs without it, or one that makes no sense."""
    if not pairs["pairs"]:
        for setting in PAIR_OPTIONS:
            if pairs[setting.key]:
                raise UsageError(f"{setting.option}: is for pairs. Add --pairs.")
    pairs_as_asked(pairs)


def pairs_as_asked(pairs: Values) -> dict[str, Any]:
    """The fields of a `PairsRequest` but its held-out file. Raises UsageError."""
    names = ("source_columns", "target_column", "feature_columns", "max_length")
    return {
        "format": make_format(**{name: pairs[name] for name in names}),
        "skip_bad_lines": pairs["skip_bad_lines"],
        "best_by": pairs["best_by"] or "exact",
    }


def columns_given(pairs: Values) -> tuple[tuple[str, Any], ...]:
    """The columns that were named, by the fields of `PairFormat`. Raises UsageError."""
    names = ("source_columns", "target_column", "feature_columns")
    named = {name: pairs[name] for name in names if pairs[name] is not None}
    chosen = make_format(**named)
    return tuple((name, getattr(chosen, name)) for name in named)
