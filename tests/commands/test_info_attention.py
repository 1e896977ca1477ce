"""`charrnn info --attention` on a page: tables, and what each character of an excerpt looks at."""

import os
import re

import numpy as np
import pytest
from factories import make_checkpoint, save_checkpoint
from studied import RANDOM, gpt2_that_repeats, with_weights
from terminal import on_terminal, without_styles

from charrnn_cli.attention.report import report_attention
from charrnn_cli.models.registry import build_decoder, untrained_weights

pytestmark = pytest.mark.slow  # each test studies a model


def below(shown, label):
    """The lines with a label in the first excerpt of an induction head."""
    excerpt = shown.split("1:0 follows induction")[1]
    return next(line for line in excerpt.splitlines() if line.startswith(label))[10:]


# the tables and the text


def test_the_table_of_patterns_has_the_best_head_with_its_figures(repeats, invoke):
    lines = invoke("info", "--attention", "random.txt").stdout.splitlines()
    heading = next(i for i, line in enumerate(lines) if line.split()[:2] == ["head", "weight"])
    head, weight, even, untrained, *pattern = lines[heading + 1].split()
    assert (head, weight) == ("0:0", "1.00")
    assert float(even) < 0.1
    assert float(untrained) < 0.2
    assert " ".join(pattern) == "previous character: the one before this"


def test_the_table_of_heads_says_what_each_follows(repeats, invoke):
    shown = invoke("info", "--attention", "random.txt", env={"COLUMNS": "100"}).stdout
    rows = shown.split("All heads")[1].split("follows\n")[1].split("\n\n")[0].splitlines()
    assert [row.split()[0] for row in rows] == ["0:0", "1:0", "0:1", "1:1"]
    assert rows[0].split()[1:] == ["1.0", "1.0", "previous", "character", "1.00"]
    assert rows[3].endswith("nothing found")


def test_what_is_found_in_no_head_is_said(repeats, invoke):
    checkpoint = gpt2_that_repeats()
    fresh = with_weights(checkpoint, untrained_weights(checkpoint.model))
    save_checkpoint(repeats / "checkpoints/fresh/best.safetensors", fresh)
    shown = invoke("info", "fresh", "--attention", "random.txt").stdout
    said = " ".join(shown.split())
    assert re.search(
        r"Nothing found for [^:]*previous character[^:]*: no head is 0.05 above what needs no "
        "learning",
        said,
    )
    assert "head weight even" not in said
    assert "follows nothing that was found" in said


def test_patterns_that_name_too_little_are_said(repeats, invoke):
    said = " ".join(invoke("info", "--attention", "random.txt").stdout.split())
    assert (
        "Left out, as they name too little here: line start, word start, 3-gram induction." in said
    )


def test_below_each_character_stands_the_one_that_the_head_looks_at_most(repeats, invoke):
    shown = invoke("info", "--attention", "random.txt", env={"COLUMNS": "80"}).stdout
    assert "\x1b" not in shown
    report = report_attention(
        repeats / "checkpoints/repeats/best.safetensors", str(repeats / "random.txt")
    )
    (excerpt,) = (e for e in report.excerpts if e.finding.pattern.name == "induction")
    assert below(shown, "text") == excerpt.text
    assert below(shown, "looks at") == "".join(character for _, _, character in excerpt.most)
    checkpoint, (back, weight, character) = gpt2_that_repeats(), excerpt.most[-1]
    end = excerpt.start + len(excerpt.text)
    window = checkpoint.vocabulary.encode(RANDOM[end - 16 : end])
    attention = build_decoder(checkpoint.model, checkpoint.weights).attention(window)[1, 0, -1]
    assert back == 15 - int(np.argmax(attention))
    assert weight == pytest.approx(attention.max(), abs=1e-5)
    assert character == RANDOM[end - 1 - back]


def test_how_far_back_is_a_digit_or_a_plus(repeats, invoke):
    shown = invoke("info", "--attention", "random.txt").stdout
    excerpt = shown.split("0:0 follows previous character")[1]
    back = next(line for line in excerpt.splitlines() if line.startswith("back"))[10:]
    assert set(back[1:]) == {"1"}
    assert re.fullmatch(r"[\d+]+", below(shown, "back"))


def test_a_terminal_gets_colours_and_no_line_of_symbols(repeats):
    shown, code = on_terminal("info", "--attention", "random.txt", cwd=repeats)
    assert code == 0
    excerpt = shown.split("0:0 follows previous character")[1]
    looks_at = next(line for line in excerpt.splitlines() if "looks at" in line)
    assert re.search(r"\x1b\[[0-9;]*\b(4|10)\d[0-9;]*m", looks_at)  # sets a background
    assert not any(line.startswith("weight ") for line in without_styles(excerpt).splitlines())
    assert max(map(len, without_styles(shown).splitlines())) <= 100


@pytest.mark.parametrize("columns", [40, 60, 200])
def test_a_page_of_any_width_loses_nothing(repeats, invoke, columns):
    shown = invoke("info", "--attention", "random.txt", env={"COLUMNS": str(columns)}).stdout
    excerpts = shown.split("0:0 follows")[1]
    rows = [line[10:] for line in excerpts.splitlines() if line.startswith("text ")]
    assert "".join(rows[: -(-16 // (columns - 10))]) in RANDOM
    assert "the character after the last occurrence of this one" in " ".join(shown.split())
    assert max(map(len, shown.splitlines())) <= max(columns, 64)  # the table's narrowest


def test_signs_of_an_ascii_page_are_ascii(repeats, charrnn):
    text = "".join(f"{RANDOM[at : at + 5]}\n " for at in range(0, 2000, 5))
    (repeats / "lines.txt").write_text(text)
    save_checkpoint(
        repeats / "checkpoints/lines/best.safetensors", make_checkpoint("llama", vocabulary=text)
    )
    for encoding, sign in (("ascii", "$"), ("utf-8", "↵")):
        environment = os.environ | {"PYTHONIOENCODING": encoding}
        done = charrnn("info", "lines", "--attention", "lines.txt", env=environment)
        assert done.returncode == 0, done.stderr
        assert sign in done.stdout
        assert "\\u" not in done.stdout


def test_text_of_any_kind_is_shown_and_commands_nothing(repeats, invoke):
    matplotlib = pytest.importorskip("matplotlib")
    text = "漢字\x1b]0;x\x07\t$é\u0301\u200d\u0301 שלום سلام\n" * 120
    (repeats / "odd.txt").write_text(text, "utf-8")
    save_checkpoint(
        repeats / "checkpoints/odd/best.safetensors", make_checkpoint("gpt2", vocabulary=text)
    )
    result = invoke("info", "odd", "--attention", "odd.txt", "--plot", "odd.png")
    assert result.exit_code == 0, result.stderr
    assert not set("\x1b\x07") & set(result.stdout + result.stderr)
    assert matplotlib.image.imread(repeats / "odd.png").shape[0] > 300


def test_the_text_that_heads_read_may_come_through_a_pipe(repeats, invoke):
    given = invoke("info", "--attention", "-", input=RANDOM.encode())
    assert given.stdout.replace("stdin", "random.txt").split() == (
        invoke("info", "--attention", "random.txt").stdout.split()
    )


def test_heads_are_shown_without_pytorch(repeats, charrnn):
    (repeats / "torch.py").write_text("raise SystemExit('torch was imported')")
    done = charrnn("info", "--attention", "random.txt")
    assert done.returncode == 0, done.stderr
    assert "1:0 follows induction" in done.stdout
