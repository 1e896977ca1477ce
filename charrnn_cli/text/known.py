"""A text as a model can read it: unknown characters are replaced or left out."""

from collections.abc import Iterable
from typing import NamedTuple

from charrnn_cli.errors import TextError
from charrnn_cli.text.normalization import NONE, form_note, in_known_form
from charrnn_cli.text.reader import TextStream
from charrnn_cli.text.vocabulary import REPLACEMENT, Vocabulary, describe

MAX_NAMED = 5  # At most this many unknown characters are named in one message.


class KnownText(NamedTuple):
    """A text of characters that a model knows. `name` is that of its source; `notes` says in words
    what was changed in reading it."""

    name: str
    text: str
    notes: tuple[str, ...]


def read_known(
    source: str,
    vocabulary: Vocabulary,
    reads_replacement: bool,
    form: str = NONE,
    *,
    most: int,
    least: int,
    option: str,
) -> KnownText:
    """Read the first `most` characters of a text (a path, or `-` for stdin) in a normal form.

    A letter that is known in its other normal form alone is read in that. Any other unknown
    character is read as the most similar known one (such as a letter without its accent) or left
    out; with `reads_replacement` it is read as U+FFFD. Raises TextError, also if fewer than `least`
    characters remain, which `option` needs.
    """
    stream = TextStream(source, normalize=form)
    text, is_cut = _beginning(stream, most)
    notes = [*stream.notes]
    if is_cut:
        notes.append(f"the first {most:,} characters are read")
    text, forms = in_known_form(text, vocabulary)
    if forms:
        notes.append(form_note(stream.name, forms))
    text, changed = _as_known(text, vocabulary, reads_replacement)
    if len(text) < least:
        raise TextError(
            f"{stream.name}: {len(text):,} characters that the model knows; {option} needs at "
            f"least {least:,}. Give a longer text."
        )
    return KnownText(stream.name, text, (*notes, *changed))


def _beginning(stream: Iterable[str], most: int) -> tuple[str, bool]:
    """Read the first `most` characters of a text; return them and whether there are more."""
    pieces, length = [], 0
    for piece in stream:
        pieces.append(piece)
        length += len(piece)
        if length > most:
            break
    return "".join(pieces)[:most], length > most


def _as_known(
    text: str, vocabulary: Vocabulary, reads_replacement: bool
) -> tuple[str, tuple[str, ...]]:
    """The text with unknown characters replaced or left out, and a note that names them."""
    substitutes: dict[str, str | int | None] = {
        character: REPLACEMENT if reads_replacement else vocabulary.nearest(character)
        for character in vocabulary.unknown(text)
    }
    if not substitutes:
        return text, ()
    names = []
    for character, known in substitutes.items():
        change = f" read as {known!r}" if known else " left out"
        names.append(describe(character) + ("" if reads_replacement else change))
    more = len(names) - MAX_NAMED
    named = ", ".join(names[:MAX_NAMED]) + (f" and {more} more kinds" if more > 0 else "")
    number = f"{sum(map(text.count, substitutes)):,} characters"
    note = f"{number} that the model never saw: {named}"
    if reads_replacement:
        note = f"{number} that the model does not know, read as U+FFFD: {named}"
    return text.translate(str.maketrans(substitutes)), (note,)
