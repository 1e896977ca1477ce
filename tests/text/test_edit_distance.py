"""The edit distance of two sequences."""

from factories import fuzz
from hypothesis import given
from hypothesis import strategies as st

from charrnn_cli.text.edit_distance import edit_distance


def by_the_table(first, second) -> int:
    row = list(range(len(second) + 1))
    for place, one in enumerate(first, start=1):
        above, row = row, [place]
        for column, other in enumerate(second, start=1):
            row.append(min(above[column] + 1, row[-1] + 1, above[column - 1] + (one != other)))
    return row[-1]


@fuzz
@given(st.text("abc", max_size=12), st.text("abc", max_size=12))
def test_it_is_that_of_the_table(first, second):
    assert edit_distance(first, second) == by_the_table(first, second)


def test_symbols_of_several_characters_count_once():
    assert edit_distance(["aː", "v"], ["aː", "v", "r"]) == 1
    assert edit_distance("kitten", "sitting") == 3
    assert edit_distance("", "abc") == 3
