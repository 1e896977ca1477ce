"""The prompt: the text that every sample begins with, as the model reads it."""

import re
from dataclasses import dataclass

from charrnn_cli.errors import UsageError
from charrnn_cli.text.normalization import NONE, as_read, form_note
from charrnn_cli.text.reader import read_text
from charrnn_cli.text.vocabulary import REPLACEMENT, Vocabulary, describe

_ESCAPES = {r"\n": "\n", r"\t": "\t", r"\\": "\\"}
_NEWLINE_DROPPED = (
    "Note: the newline at the end of the seed's file is dropped, so that the sample goes on in "
    "that line. Two newlines begin a new one."
)

MAX_NAMED = 5  # At most this many unknown characters are named in one message.


@dataclass(frozen=True)
class Prompt:
    """The text that every sample begins with, and the ids that the model reads, at least one.

    `notes` says in words which characters of the user's text were changed.
    """

    text: str
    ids: tuple[int, ...]
    notes: tuple[str, ...]


def read_prompt(
    seed: str | None,
    seed_file: str | None,
    unknown: str,
    vocabulary: Vocabulary,
    normalize: str = NONE,
) -> Prompt:
    """Make a prompt of a text, or of a file's text; without either, of the beginning of a line.

    Of a file's text one newline at its end is dropped, which `echo` and editors put there. Letters
    that the vocabulary has only in their other normal form are read in that one.

    Raises UsageError for characters that the vocabulary lacks, unless `unknown` is `skip`, which
    leaves them out, or `replace`, which puts U+FFFD in their place; TextError if the file cannot
    be read.
    """
    text = seed or ""
    notes: tuple[str, ...] = ()
    if seed_file is not None:
        text = read_text(seed_file)
        if text.endswith("\n"):
            text = text[:-1]
            notes += (_NEWLINE_DROPPED,)
    text, forms = as_read(text, normalize, vocabulary)
    if forms:
        notes += (f"Note: {form_note('the seed', forms)}.",)
    if lacking := vocabulary.unknown(text):
        _check_unknown(text, lacking, unknown, vocabulary)
        names = name_unknown(lacking, vocabulary)
        if unknown == "skip":
            text = "".join(c for c in text if c in vocabulary)
            notes += (f"left out of the seed: {names}",)
        else:
            text = "".join(c if c in vocabulary else REPLACEMENT for c in text)
            notes += (f"read as U+FFFD: {names}",)
    ids = vocabulary.encode(text).tolist() or [vocabulary.line_start]
    return Prompt(text, tuple(ids), notes)


def _check_unknown(text: str, lacking: list[str], unknown: str, vocabulary: Vocabulary) -> None:
    """Raise UsageError if the prompt's unknown characters are not to be changed, or cannot be."""
    replaceable = REPLACEMENT in vocabulary
    if unknown == "refuse":
        ways = "--unknown skip, or replace" if replaceable else "--unknown skip"
        raise UsageError(
            f"the model never saw {name_unknown(lacking, vocabulary)}. "
            f"Leave that out of the seed, or use {ways}.{_likely_meant(text, lacking)}"
        )
    if unknown == "replace" and not replaceable:
        raise UsageError(
            "--unknown replace: this model has no U+FFFD to read unknown characters as; those "
            "trained with --min-count have. Use --unknown skip"
        )


def _likely_meant(seed: str, lacking: list[str]) -> str:
    """A hint for a seed that was probably meant in another way, or nothing."""
    if seed.isdecimal():
        return f" The seed of the random generator is --random-seed {seed}"
    return escape_hint(lacking)


def escape_hint(lacking: list[str]) -> str:
    """A hint for unknown characters with a backslash among them, or nothing."""
    if "\\" not in lacking:
        return ""
    return " With --escapes, \\n is a newline, \\t a tab and \\\\ a backslash."


def unescape(option: str, text: str) -> str:
    r"""The text with `\n`, `\t` and `\\` as the characters that they stand for. Raises UsageError,
    naming the option, for any other backslash."""

    def character(escape: re.Match[str]) -> str:
        if escape[0] not in _ESCAPES:
            raise UsageError(
                f"{option}: {escape[0]} is not one of the escapes \\n, \\t and \\\\. Write a "
                "backslash as \\\\, or leave --escapes out."
            )
        return _ESCAPES[escape[0]]

    return re.sub(r"\\.?", character, text, flags=re.DOTALL)


def name_unknown(characters: list[str], vocabulary: Vocabulary) -> str:
    """Name unknown characters for a message, each with the most similar known one."""
    names = []
    for character in characters[:MAX_NAMED]:
        nearest = vocabulary.nearest(character)
        names.append(describe(character) + (f" (it knows {nearest!r})" if nearest else ""))
    more = len(characters) - MAX_NAMED
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")
