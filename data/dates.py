"""Makes data/dates.tsv: dates as people write them in nine languages, and as ISO 8601 has them.

    python data/dates.py [--lines 12000] > data/dates.tsv

The forms are those of the Unicode CLDR (through Babel), and some more that people write. What could
be two dates is left out: a form such as 3/5/1987, which is another date in America than elsewhere,
years of two digits, and any text that came out for two dates.
"""

import argparse
import random
import sys
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from unicodedata import combining, normalize

from babel.dates import format_date

FIRST, LAST = date(1900, 1, 1), date(2099, 12, 31)
LANGUAGES = ("de", "en", "es", "fr", "it", "nl", "pl", "pt", "sv")

# Forms by CLDR's letters: d and dd the day, MMM to MMMM the month in words, y the year, EEE to EEEE
# the day of the week. Text in quotes stands for itself.
COMMON = ("d MMMM y", "d MMMM y", "d MMM y", "dd MMMM y", "d-MMM-y", "EEEE d MMMM y", "EEE d MMM y")
OWN = {
    "de": ("d. MMMM y", "d. MMMM y", "d. MMM y", "EEEE, d. MMMM y", "'am' d. MMMM y",
           "'den' d. MMMM y"),
    "en": ("MMMM d, y", "MMMM d, y", "MMM d, y", "EEEE, MMMM d, y", "MMMM d y", "'on' MMMM d, y"),
    "es": ("d 'de' MMMM 'de' y", "d 'de' MMMM 'de' y", "EEEE, d 'de' MMMM 'de' y",
           "'el' d 'de' MMMM 'de' y"),
    "fr": ("'le' d MMMM y", "'le' EEEE d MMMM y"),
    "it": ("'il' d MMMM y", "EEEE, d MMMM y"),
    "nl": ("'op' d MMMM y", "EEEE, d MMMM y"),
    "pl": ("d MMMM y 'r.'", "EEEE, d MMMM y", "'dnia' d MMMM y"),
    "pt": ("d 'de' MMMM 'de' y", "d 'de' MMMM 'de' y", "EEEE, d 'de' MMMM 'de' y"),
    "sv": ("'den' d MMMM y", "'den' d:'e' MMMM y"),
}  # fmt: skip
# Forms without words: the day before the month and dots between them, or the year first.
FIGURES = ("d.M.y", "dd.MM.y", "d. M. y", "y-MM-dd", "y/MM/dd", "y.MM.dd", "yMMdd")
FIGURES_SHARE = 0.15

CASES: tuple[Callable[[str], str], ...] = (str, str, str, str.lower, str.upper, str.capitalize)


def ordinal(day: int) -> str:
    """A day as English counts it, such as `22nd`."""
    endings = {1: "st", 2: "nd", 3: "rd"}
    return f"{day}{'th' if 10 < day < 20 else endings.get(day % 10, 'th')}"


def english(day: date, rng: random.Random) -> str:
    """A date with an ordinal, such as `the 22nd of May 1987`."""
    month = format_date(day, rng.choice(("MMMM", "MMM")), "en")
    number = ordinal(day.day)
    return rng.choice(
        (
            f"{number} {month} {day.year}",
            f"{month} {number}, {day.year}",
            f"{month} {number} {day.year}",
            f"the {number} of {month} {day.year}",
            f"{number} of {month}, {day.year}",
        )
    )


def written(day: date, rng: random.Random) -> str:
    """A date as somebody might write it."""
    if rng.random() < FIGURES_SHARE:
        return str(format_date(day, rng.choice(FIGURES), "en"))
    language = rng.choice(LANGUAGES)
    if language == "en" and rng.random() < 0.4:
        text = english(day, rng)
    elif language == "fr" and day.day == 1 and rng.random() < 0.8:
        text = f"1er {format_date(day, 'MMMM y', 'fr')}"
    else:
        text = str(format_date(day, rng.choice(COMMON + OWN[language]), language))
    if rng.random() < 0.1:  # without the dots of abbreviations, or without commas
        text = text.replace(rng.choice(".,"), "")
    if rng.random() < 0.05:  # without accents
        text = "".join(c for c in normalize("NFKD", text) if not combining(c))
    return rng.choice(CASES)(text)


def pairs(count: int, rng: random.Random) -> Iterator[tuple[str, str]]:
    """So many dates with their ISO form; no text is there twice, or stands for two dates."""
    meanings: dict[str, set[date]] = {}
    while len(meanings) < count:
        day = FIRST + timedelta(rng.randrange((LAST - FIRST).days + 1))
        meanings.setdefault(written(day, rng), set()).add(day)
    for text, days in meanings.items():
        if len(days) == 1:
            yield text, min(days).isoformat()


def main() -> None:
    """Write the pairs on stdout."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--lines", type=int, default=12_000)
    arguments = parser.parse_args()
    for text, iso in pairs(arguments.lines, random.Random(0)):
        sys.stdout.write(f"{text}\t{iso}\n")


if __name__ == "__main__":
    main()
