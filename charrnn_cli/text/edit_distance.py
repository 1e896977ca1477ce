"""How many edits turn one sequence into another."""

from collections.abc import Hashable, Sequence


def edit_distance(first: Sequence[Hashable], second: Sequence[Hashable]) -> int:
    """The least number of insertions, deletions and substitutions that turn one sequence into the
    other (Levenshtein 1966).

    All cells of a row of the table are computed together, as the bits of an integer (Myers 1999, in
    the form of Hyyrö 2003).
    """
    if not first:
        return len(second)
    places: dict[Hashable, int] = {}
    for place, symbol in enumerate(first):
        places[symbol] = places.get(symbol, 0) | 1 << place
    every, last = (1 << len(first)) - 1, 1 << (len(first) - 1)
    rises, falls, distance = every, 0, len(first)  # vertical differences of +1 and of -1
    for symbol in second:
        equal = places.get(symbol, 0)
        diagonal = (((equal & rises) + rises) ^ rises) | equal | falls
        up = falls | (every & ~(diagonal | rises))
        down = rises & diagonal
        distance += bool(up & last) - bool(down & last)
        up = (up << 1 | 1) & every
        down = (down << 1) & every
        rises = down | (every & ~(diagonal | up))
        falls = up & diagonal
    return distance
