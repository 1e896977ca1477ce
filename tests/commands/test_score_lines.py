"""`charrnn score`, line by line: as a table, the most surprising, coloured, as a picture."""

import json
import re

import pytest


def test_tsv_has_a_row_for_every_line(invoke, letters):
    rows = invoke("score", "-", "--tsv", input="abcd\n\nab\té\\\ncd").stdout.splitlines()
    assert rows[0].split("\t") == ["line", "characters", "unknown", "bits", "bits_per_char", "text"]
    fields = [row.split("\t") for row in rows[1:]]
    assert [row[0] for row in fields] == ["1", "2", "3", "4"]
    assert [row[1] for row in fields] == ["5", "1", "6", "2"]
    assert [row[2] for row in fields] == ["0", "0", "3", "0"]
    assert [row[5] for row in fields] == ["abcd", "", r"ab\té\\", "cd"]


def test_tsv_adds_up_to_the_whole(invoke, letters):
    text = "abcd\nbé\ncd\n"
    rows = invoke("score", "-", "--tsv", input=text).stdout.splitlines()[1:]
    total = sum(float(row.split("\t")[3]) for row in rows)
    whole = json.loads(invoke("score", "-", "--json", input=text).stdout)
    assert total == pytest.approx(whole["bits"], abs=1e-3)


def test_lines_are_listed_with_numbers_and_figures(invoke, letters):
    shown = invoke("score", "-", "--lines", input="abcd\n" * 30 + "adbc\n").stdout
    title, first, *_ = shown.splitlines()
    assert title == "Most surprising lines"
    assert re.fullmatch(r" +31 +\d+\.\d\d  adbc", first)
    assert len(re.findall(r"^ +\d+ +\d+\.\d\d  ", shown, re.MULTILINE)) == 20


def test_a_listed_line_shows_its_words_however_deep_it_is_indented(invoke, letters):
    text = "abcd\n" * 30 + " " * 20 + "\tadbc\n" + " " * 30 + "\n"
    rows = invoke("score", "-", "--lines", "3", input=text, env={"COLUMNS": "40"}).stdout
    assert re.search(r"^ +31 +\d+\.\d\d  ~adbc$", rows, re.MULTILINE)
    wide = invoke("score", "-", "--lines", "3", input=text, env={"COLUMNS": "100"}).stdout
    assert re.search(r"^ +31 +\d+\.\d\d {26}adbc$", wide, re.MULTILINE)


def test_no_row_is_wider_than_a_narrow_page(invoke, letters):
    shown = invoke("score", "-", "--show", input="abcdabca\n" * 9, env={"COLUMNS": "40"}).stdout
    page = shown.split("text")[0]
    assert "from 12" in page
    assert max(map(len, page.splitlines())) <= 40


def test_lines_and_show_may_stand_before_the_text(invoke, letters):
    (letters / "text.txt").write_text("abcd\n" * 3)
    assert "Most" in invoke("score", "--lines", "text.txt").stdout
    assert invoke("score", "--show", "text.txt").stdout.count("abcd") == 3
    assert invoke("score", "--show", "2", "text.txt").stdout.count("abcd") == 2
    assert invoke("score", "text.txt", "--show", "all").stdout.count("abcd") == 3


def test_without_colour_marks_stand_below_what_surprises(invoke, letters):
    rows = invoke("score", "-", "--show", input="abca\n").stdout.splitlines()
    assert rows[0].endswith("  abca")
    assert rows[1] == "#".rjust(rows[0].rindex("abca") + 4) + "#"
    assert "from 12" in rows[2]


# pictures


@pytest.mark.slow
def test_plot_draws_the_text_and_still_tells_the_figures(invoke, letters):
    result = invoke("score", "-", "--plot", "page.svg", "--json", input="abca\n" * 3)
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["lines"] == 3
    assert (letters / "page.svg").read_text().startswith("<?xml")
