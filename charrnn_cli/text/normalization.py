"""Unicode's normal forms: an accented letter is one code point (NFC), or a letter and a mark."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from charrnn_cli.text.vocabulary import Vocabulary

NONE = "none"
FORM_NAMES = {"NFC": "composed", "NFD": "decomposed"}
MAX_HELD_BACK = 1000  # At most so many characters of a piece wait for the next one.
# Below this code point no character joins the one before it.
_FIRST_MARK = "\u0300"


def normalized(text: str, form: str) -> str:
    """The text in a normal form; `none` leaves it as it is."""
    return text if form == NONE else unicodedata.normalize(form, text)  # type: ignore[arg-type]


def normalized_pieces(pieces: Iterable[str], form: str) -> Iterator[str]:
    """A text that comes in pieces, in a normal form, as if it were normalised whole."""
    if form == NONE:
        yield from pieces
        return
    held_back = ""
    for piece in pieces:
        whole = held_back + piece
        edge = safe_edge(whole)
        held_back = whole[edge:]
        if edge:
            yield normalized(whole[:edge], form)
    if held_back:
        yield normalized(held_back, form)


def safe_edge(text: str) -> int:
    """Where a text may be cut in two so that marks which follow later join no other letter: at
    most `MAX_HELD_BACK` characters before its end, if there is such a place."""
    for edge in range(len(text) - 1, max(-1, len(text) - 1 - MAX_HELD_BACK), -1):
        if text[edge] < _FIRST_MARK or "\u3400" <= text[edge] <= "\u9fff":
            return edge
    return len(text) if len(text) > MAX_HELD_BACK else 0


def as_read(text: str, form: str, vocabulary: "Vocabulary") -> tuple[str, Counter[str]]:
    """The text as a model reads it that was trained in a normal form, or `none`: in that form, and
    otherwise as `in_known_form`. The count is of 1 for a text that was normalised as a whole."""
    whole = normalized(text, form)
    read, forms = in_known_form(whole, vocabulary)
    return read, forms + Counter({form: int(whole != text)})


def in_known_form(text: str, vocabulary: "Vocabulary") -> tuple[str, Counter[str]]:
    """The text with each letter that the vocabulary lacks in its other normal form, where it has
    that one; and how many letters were changed to each form."""
    forms: Counter[str] = Counter()
    if not any(map(_has_forms, vocabulary.unknown(text))):
        return text, forms
    letters = []
    for letter in _letters(text):
        known = letter
        if vocabulary.unknown(letter):
            for form in FORM_NAMES:
                other = normalized(letter, form)
                if other != letter and not vocabulary.unknown(other):
                    known = other
                    forms[form] += 1
                    break
        letters.append(known)
    return "".join(letters), forms


def form_note(what: str, forms: Counter[str]) -> str:
    """A sentence about letters that were changed to another form; `what` names their text."""
    (form, _), *_ = forms.most_common()
    name = f"Unicode's {FORM_NAMES[form]} form ({form})"
    return f"{what} is read in {name}, the one that the model knows"


def _has_forms(character: str) -> bool:
    """Whether a character can look different in another normal form."""
    return character >= "\u00a0" and (
        joins(character) or unicodedata.normalize("NFD", character) != character
    )


def joins(character: str) -> bool:
    """Whether a character belongs to the letter before it: a mark, or a later part of a Korean
    syllable."""
    return character >= _FIRST_MARK and (
        unicodedata.combining(character) > 0 or "\u1160" <= character <= "\u11ff"
    )


def _letters(text: str) -> Iterator[str]:
    """A text's letters, each with its marks."""
    start = 0
    for place in range(1, len(text)):
        if not joins(text[place]):
            yield text[start:place]
            start = place
    if text:
        yield text[start:]
