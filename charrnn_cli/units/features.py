"""Features of a text that a person can name: each is a number for every character.

The state of a model after reading a character is compared with the feature's value there. So most
features depend on the text up to that character; a few depend on the text after it, which a model
has to predict.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]

NEAR = 10  # The last 10 characters of a line count as near its end.
LONGEST_SENTENCE = 200  # Positions in a sentence are counted up to 200 characters.
LONGEST_PARAGRAPH = 20  # Lines of a paragraph are counted up to 20.
LONGEST_SPAN = 2000  # A quote or tag closes within 2,000 characters: this bounds the search for it.

VOWELS = frozenset("aeiouæøœαεηιουωаеиоуыэюяіє")


class Text:
    """A text of N characters, with queries that are answered for all of them at once."""

    def __init__(self, text: str) -> None:
        self.text = text
        points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
        distinct, self._which = np.unique(points, return_inverse=True)
        self._distinct = [chr(point) for point in distinct]
        self.newline = self.where("\n".__eq__)

    def __len__(self) -> int:
        return len(self.text)

    def where(self, holds: Callable[[str], bool]) -> Mask:
        """Which characters (N,) satisfy a predicate."""
        table = np.array([holds(character) for character in self._distinct], dtype=bool)
        return table[self._which]

    def inside(self, *patterns: str) -> Mask:
        """Which characters (N,) lie in a match of a pattern: from its first character to the one
        before its last. The model has read the first one then, and not yet the last."""
        mask = np.zeros(len(self), dtype=bool)
        for pattern in patterns:
            for match in re.finditer(pattern, self.text, re.MULTILINE):
                mask[match.start() : match.end() - 1] = True
        return mask

    def ends_of(self, pattern: str) -> Mask:
        """Which characters (N,) are the last of a match."""
        mask = np.zeros(len(self), dtype=bool)
        mask[[match.end() - 1 for match in re.finditer(pattern, self.text)]] = True
        return mask

    def per_line(self, values: Iterable[float]) -> Values:
        """Repeat one value per line for each of its characters (N,), its newline included."""
        lengths = [len(line) + 1 for line in self.text.split("\n")]
        return np.repeat(np.fromiter(values, np.float32), lengths)[: len(self)]


@dataclass(frozen=True)
class Feature:
    """Something that a person can name; `values` computes it for each character of a text, (N,)."""

    name: str
    meaning: str
    values: Callable[[Text], npt.NDArray[np.generic]]


FEATURES: list[Feature] = []
"""All features, in the order in which they are defined below."""


def _feature(
    name: str, meaning: str
) -> Callable[[Callable[[Text], npt.NDArray[np.generic]]], Callable[[Text], object]]:
    """Decorate a function of a text: it becomes the next of FEATURES."""

    def register(values: Callable[[Text], npt.NDArray[np.generic]]) -> Callable[[Text], object]:
        FEATURES.append(Feature(name, meaning, values))
        return values

    return register


# lines


@_feature("line position", "characters since the line began")
def _line_position(text: Text) -> Counts:
    return _since(text.newline)


@_feature("line's end near", f"{NEAR} at the last character of a line, one less for each before it")
def _line_end_near(text: Text) -> Counts:
    left = _since(text.newline[::-1])[::-1]  # 0 at the newline itself
    return np.where(text.newline, 0, np.maximum(NEAR + 1 - left, 0))


@_feature("line end next", "the next character is a newline")
def _line_end_next(text: Text) -> Mask:
    return _next(text.newline)


@_feature(
    "indentation", "white space that the line began with; of an empty line, the line before's"
)
def _indentation(text: Text) -> Counts:
    depths, depth = [], 0
    for line in text.text.split("\n"):
        if line.strip():
            depth = len(line) - len(line.lstrip())
        depths.append(depth)
    depth_here = text.per_line(depths).astype(np.int64)
    return np.where(text.newline, depth_here, np.minimum(_since(text.newline), depth_here))


@_feature("colon line", "the line ends with a colon, as a speaker's name or an `if` does")
def _colon_line(text: Text) -> Values:
    return text.per_line(line.rstrip().endswith(":") for line in text.text.split("\n"))


# paragraphs, or stanzas: what stands between empty lines


@_feature("paragraph line", f"lines since the last empty one, up to {LONGEST_PARAGRAPH}")
def _paragraph_line(text: Text) -> Values:
    counts, count = [], 0
    for line in text.text.split("\n"):
        count = min(count + 1, LONGEST_PARAGRAPH) if line.strip() else 0
        counts.append(count)
    return text.per_line(counts)


@_feature("last line", "the last line before an empty one")
def _last_line(text: Text) -> Values:
    full = [bool(line.strip()) for line in text.text.split("\n")]
    return text.per_line(
        line and not after for line, after in zip(full, [*full[1:], False], strict=True)
    )


@_feature("sentence position", f"characters since . ! or ?, up to {LONGEST_SENTENCE}")
def _sentence_position(text: Text) -> Counts:
    ends = text.ends_of(r"[.!?…。！？][\"'”’)\]]*(?=\s|$)|\n\s*\n")
    return np.minimum(_since(ends), LONGEST_SENTENCE)


# pairs of signs


@_feature("double quotes", "between double quotes, in one paragraph")
def _double_quotes(text: Text) -> Mask:
    return text.inside(
        *(
            rf"{opens}(?:[^{opens}{closes}\n]|\n(?!\s*\n)){{0,{LONGEST_SPAN}}}{closes}"
            for opens, closes in ('""', "“”", "„“", "«»", "「」")
        )
    )


@_feature("single quotes", "between single quotes, the last one beside another sign")
def _single_quotes(text: Text) -> Mask:
    # 'tis and lords' are no quotes, and it's is not the end of one
    return text.inside(
        rf"(?<!\w)['‘](?=\S)(?:[^'‘’\n]|(?<=\w)['’](?=\w)|\n(?!\s*\n)){{1,{LONGEST_SPAN}}}"
        r"(?:(?<=[^\w\s])['’](?!\w)|['’](?=[^\w\s]))"
    )


@_feature("open brackets", "how many of ( [ { are open; none at an empty line")
def _open_brackets(text: Text) -> Counts:
    changes = np.zeros(len(text), dtype=np.int64)
    depth = 0
    for match in re.finditer(r"[(\[{]|[)\]}]|\n[ \t]*(?=\n)", text.text):
        sign = match[0][0]
        after = depth + 1 if sign in "([{" else 0 if sign == "\n" else max(depth - 1, 0)
        changes[match.start()] = after - depth
        depth = after
    return changes.cumsum()


@_feature("tag", "between < and >, as in HTML")
def _tag(text: Text) -> Mask:
    return text.inside(rf"</?[A-Za-z!?][^<>]{{0,{LONGEST_SPAN}}}>")


@_feature("comment", "from # or // to the line's end, or between /* and */, <!-- and -->")
def _comment(text: Text) -> Mask:
    mask = text.inside(r"(?:(?<!\S)#|(?<![:\S])//).*(?:\n|\Z)")
    for opens, closes in (("/*", "*/"), ("<!--", "-->")):
        start = text.text.find(opens)
        while start >= 0 and (end := text.text.find(closes, start + len(opens))) >= 0:
            mask[start : end + len(closes) - 1] = True
            start = text.text.find(opens, end + len(closes))
    return mask


# words and letters


@_feature("word position", "letters and digits since the word began; none between words")
def _word_position(text: Text) -> Counts:
    return _since(~text.where(_of_a_word))


@_feature("word end next", "the last letter or digit of a word")
def _word_end_next(text: Text) -> Mask:
    word = text.where(_of_a_word)
    return word & ~_next(word)


@_feature("capitalised word", "the word began with a capital letter")
def _capitalised_word(text: Text) -> Mask:
    word = text.where(_of_a_word)
    start = np.arange(len(text)) - np.maximum(_since(~word) - 1, 0)
    return word & text.where(str.isupper)[start]


@_feature("after a capital", "the character before is a capital letter")
def _after_a_capital(text: Text) -> Mask:
    return _before(text.where(str.isupper))


@_feature("capitals", "this character and the one before are capital letters")
def _capitals(text: Text) -> Mask:
    capital = text.where(str.isupper)
    return capital & _before(capital)


@_feature("capital letter", "this character is one")
def _capital_letter(text: Text) -> Mask:
    return text.where(str.isupper)


@_feature("vowel", "this character is one, Latin, Greek or Cyrillic, with any accent")
def _vowel(text: Text) -> Mask:
    return text.where(lambda c: unicodedata.normalize("NFD", c)[0].lower() in VOWELS)


@_feature("digit", "this character is one")
def _digit(text: Text) -> Mask:
    return text.where(str.isdigit)


@_feature("punctuation", "this character is a sign, neither letter nor digit nor white space")
def _punctuation(text: Text) -> Mask:
    return text.where(lambda c: unicodedata.category(c)[0] in "PS")


@_feature("white space", "this character is a space, a tab or a newline")
def _white_space(text: Text) -> Mask:
    return text.where(str.isspace)


def _of_a_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _since(mask: Mask) -> Counts:
    """The distance to the last character in `mask`, 0 at it; the text counts as preceded by one."""
    places = np.arange(len(mask))
    return places - np.maximum.accumulate(np.where(mask, places, -1))


def _before(mask: Mask) -> Mask:
    """The mask of the character before each; False for the first."""
    return np.append(False, mask[:-1])


def _next(mask: Mask) -> Mask:
    """The mask of the character after each; False for the last."""
    return np.append(mask[1:], False)
