"""The prompt: the text that every sample begins with, as the model reads it."""

from dataclasses import dataclass

from charrnn_cli.errors import UsageError
from charrnn_cli.text.reader import read_text
from charrnn_cli.text.vocabulary import REPLACEMENT, Vocabulary, describe

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
    seed: str | None, seed_file: str | None, unknown: str, vocabulary: Vocabulary
) -> Prompt:
    """Make a prompt of a text, or of a file's text; without either, of the beginning of a line.

    Raises UsageError for characters that the vocabulary lacks, unless `unknown` is `skip`, which
    leaves them out, or `replace`, which puts U+FFFD in their place; TextError if the file cannot
    be read.
    """
    text = seed or ""
    if seed_file is not None:
        text = read_text(seed_file)
    notes: tuple[str, ...] = ()
    if lacking := vocabulary.unknown(text):
        _check_unknown(lacking, unknown, vocabulary)
        names = name_unknown(lacking, vocabulary)
        if unknown == "skip":
            text = "".join(c for c in text if c in vocabulary)
            notes = (f"left out of the seed: {names}",)
        else:
            text = "".join(c if c in vocabulary else REPLACEMENT for c in text)
            notes = (f"read as U+FFFD: {names}",)
    ids = vocabulary.encode(text).tolist() or [vocabulary.line_start]
    return Prompt(text, tuple(ids), notes)


def _check_unknown(lacking: list[str], unknown: str, vocabulary: Vocabulary) -> None:
    """Raise UsageError if the prompt's unknown characters are not to be changed, or cannot be."""
    replaceable = REPLACEMENT in vocabulary
    if unknown == "refuse":
        ways = "--unknown skip, or replace" if replaceable else "--unknown skip"
        raise UsageError(
            f"the model never saw {name_unknown(lacking, vocabulary)}. "
            f"Leave that out of the seed, or use {ways}."
        )
    if unknown == "replace" and not replaceable:
        raise UsageError(
            "--unknown replace: this model has no U+FFFD to read unknown characters as; those "
            "trained with --min-count have. Use --unknown skip"
        )


def name_unknown(characters: list[str], vocabulary: Vocabulary) -> str:
    """Name unknown characters for a message, each with the most similar known one."""
    names = []
    for character in characters[:MAX_NAMED]:
        nearest = vocabulary.nearest(character)
        names.append(describe(character) + (f" (it knows {nearest!r})" if nearest else ""))
    more = len(characters) - MAX_NAMED
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")
