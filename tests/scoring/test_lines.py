"""The lines of a scored text: put together from blocks, and ranked in one pass."""

import math
import random

import numpy as np
import pytest

from charrnn_cli.scoring.lines import (
    MAX_LISTED,
    MAX_SHOWN,
    PRIOR,
    Line,
    Lines,
    Ranking,
    ScoredBlock,
)

# put together


def lines_of(*blocks):
    """The lines of blocks whose every character costs 2 bits; `?` is unknown, `^` free."""
    lines, ended = Lines(), []
    for block in blocks:
        bits = np.array([math.nan if c == "^" else 2.0 for c in block])
        ended += lines.feed(ScoredBlock(block, bits, np.array([c != "?" for c in block], bool)))
    return ended + list(lines.finish())


def test_lines_are_put_together_over_blocks():
    lines = lines_of("on", "e\nt?o\n\nthr", "", "ee")
    assert [(line.number, line.text) for line in lines] == [
        (1, "one\n"), (2, "t?o\n"), (3, "\n"), (4, "three"),
    ]  # fmt: skip
    assert [line.characters for line in lines] == [4, 4, 1, 5]
    assert [line.unknown for line in lines] == [0, 1, 0, 0]
    assert [line.bits for line in lines] == [8, 8, 2, 10]


def test_what_is_free_is_no_part_of_a_lines_mean():
    line, free = lines_of("^ab\n"), lines_of("^")
    assert (line[0].characters, line[0].scored, line[0].bits_per_char) == (4, 3, 2.0)
    assert free[0].bits_per_char is None


def test_only_a_newline_ends_a_line():
    assert len(lines_of("a\rb\u2028c\x0bd\u0085e")) == 1


def test_of_a_huge_line_only_the_beginning_is_kept():
    [line] = lines_of(*["abcde" * 1000] * 10)
    assert len(line.text) == len(line.values) == MAX_SHOWN
    assert (line.characters, line.bits) == (50_000, 100_000)


# ranked


def line_of(number, length, mean):
    return Line(number, "x" * length, [mean] * length, length, length, 0, length * mean)


def ranked(lines, count):
    ranking = Ranking(count)
    ranking.add(lines)
    average = sum(line.bits for line in lines) / sum(line.scored for line in lines)
    most, least = ranking.most(average), ranking.least(average)
    return [line.number for line in most], [line.number for line in least], average


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("count", [1, 7, 1000])
def test_one_pass_finds_what_sorting_all_lines_does(seed, count):
    rng = random.Random(seed)
    lines = [line_of(n, rng.randint(1, 60), rng.choice([1, 2, 5])) for n in range(1, 300)]
    most, least, average = ranked(lines, count)

    def mean(line):
        return (line.bits + PRIOR * average) / (line.scored + PRIOR)

    assert most == [x.number for x in sorted(lines, key=lambda x: (-mean(x), x.number))[:count]]
    assert least == [x.number for x in sorted(lines, key=lambda x: (mean(x), x.number))[:count]]


def test_a_short_line_needs_more_surprisal_than_a_long_one():
    ordinary = [line_of(n, 40, 2) for n in range(3, 100)]
    most, least, _ = ranked([line_of(1, 1, 6), line_of(2, 40, 5), *ordinary], 2)
    assert most == [2, 1]
    _, least, _ = ranked([line_of(1, 1, 0.5), line_of(2, 40, 1), *ordinary], 2)
    assert least == [2, 1]


def test_lines_that_cost_nothing_are_not_ranked():
    assert Ranking(3).most(1.0) == []
    ranking = Ranking(3)
    ranking.add([Line(1, "a", [float("nan")], 1, 0)])
    assert ranking.most(2.0) == ranking.least(2.0) == []


def test_very_long_lines_are_ranked_and_cut_short():
    ranking = Ranking(1)
    ranking.add([line_of(1, 5000, 2), line_of(2, 5000, 4)])
    [line] = ranking.most(3.0)
    assert (line.number, line.characters, len(line.text)) == (2, 5000, MAX_LISTED)


def test_memory_does_not_grow_with_the_text():
    ranking = Ranking(2)
    ranking.add(line_of(n, 1 + n % 3000, n % 7) for n in range(20_000))
    kept = sum(map(len, ranking._most.values())) + sum(map(len, ranking._least.values()))
    assert kept <= 2 * 2 * (512 + 30)
