"""The page of a model of pairs in a real browser, beside what `translate` says of that model."""

import dataclasses
import json

import numpy as np
import pytest
from factories import save_checkpoint
from pages import rounded, set_range, until
from pairs import EVERY_MODEL, make_pair_checkpoint

from charrnn_cli.checkpoints.records import CorpusInfo, Sample
from charrnn_cli.checkpoints.runs import Run
from charrnn_cli.models.registry import build_pair_decoder
from charrnn_cli.sampling.beam_search import attention_of
from charrnn_cli.text.pair_format import PairFormat

pytestmark = pytest.mark.slow  # each test opens a page in a browser

LINES = ("a", "bad", "cabbaged é", "abcd" * 8)
UNIMORPH = PairFormat((1,), 2, (3,))


def make(name, **how):
    """A model with weights that a page has without rounding, and clear preferences."""
    return rounded(make_pair_checkpoint(name, source="abcdeg é", layers=2, **how))


def make_turkish(**how):
    return make("attention", features=("NOM", "PL", "3;x"), pair_format=UNIMORPH, **how)


def type_line(page, line, column=1):
    """Type a line and wait until its translation is shown; return it."""
    page.fill(f"#column-{column}", line)
    return translation(page)


def translation(page):
    until(page, "document.getElementById('target').dataset.ended === 'true'")
    return page.text_content("#target").removesuffix("¶")


def translate(invoke, *words):
    words = (*words, "--json")
    result = invoke("translate", "pages/model", *words, "--checkpoints", ".")
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.parametrize(
    ("name", "adds"),
    [("seq2seq", True), ("attention", True), ("transformer", True), ("transformer", False)],
)
def test_a_page_computes_the_logits_of_pairs_that_numpy_computes(name, adds, open_page):
    checkpoint = make(name, adds_positions=adds)
    rng = np.random.default_rng(3)
    source = rng.integers(0, checkpoint.model.source_end, 120)
    target = rng.integers(0, checkpoint.model.end, 200)
    page = open_page(checkpoint)
    answer = page.evaluate(
        "async (ids) => (await ask('logits', ids)).logits.map((row) => Array.from(row))",
        {"source": source.tolist(), "target": target.tolist()},
    )
    decoder = build_pair_decoder(checkpoint.model, checkpoint.weights)
    columns = np.append(source, checkpoint.model.source_end)[:, None]
    inputs = np.append(checkpoint.model.end, target)[:, None]
    np.testing.assert_allclose(np.array(answer), decoder.logits(columns, inputs)[:, 0], atol=1e-3)


@EVERY_MODEL
def test_a_page_translates_as_translate_does(name, open_page, invoke):
    page = open_page(make(name))
    wanted = translate(invoke, *LINES, "--beam-size", 1)
    for line, record in zip(LINES, wanted, strict=True):
        assert type_line(page, line) == record["target"]
        shown = page.inner_text("#probability").removeprefix("Probability of the translation: ")
        assert float(shown.strip("<%")) == pytest.approx(100 * record["probability"], abs=0.51)


@EVERY_MODEL
def test_beam_search_finds_on_a_page_what_translate_finds(name, open_page, invoke):
    page = open_page(make(name))
    type_line(page, "cab")
    set_range(page, "beam", 4)
    until(page, "document.querySelectorAll('#found li').length > 1")
    best, *_ = translate(invoke, "cab", "--beam-size", 4, "--n-best", 4)
    wanted = [best["target"], *(other["target"] for other in best["alternatives"])]
    found = page.eval_on_selector_all("#found bdi", "all => all.map((one) => one.textContent)")
    assert [text.replace("(nothing)", "") for text in found] == wanted
    page.locator("#found button").nth(1).click()
    until(page, "document.querySelectorAll('#found button')[1].ariaPressed === 'true'")
    assert translation(page) == wanted[1]


def test_an_older_target_that_is_pressed_does_not_stop_a_new_translation(open_page):
    page = open_page(make("attention"))
    set_range(page, "beam", 4)
    wanted = type_line(page, "cab")
    type_line(page, "bad")
    page.evaluate(
        """() => {
            const field = document.getElementById("column-1");
            field.value = "cab";
            field.dispatchEvent(new Event("input"));
            document.querySelectorAll("#found button")[1].click();
        }"""
    )
    assert translation(page) == wanted
    assert page.get_attribute("#found button >> nth=0", "aria-pressed") == "true"


@pytest.mark.parametrize("name", ["attention", "transformer"])
def test_a_page_shows_the_attention_of_a_translation(name, open_page):
    checkpoint = make(name)
    page = open_page(checkpoint)
    text = type_line(page, "bad")
    symbols, decoder = checkpoint.pairs, build_pair_decoder(checkpoint.model, checkpoint.weights)
    source, target = symbols.source.encode("bad"), symbols.target.encode(text)
    expected = attention_of(decoder, source, target)
    shown = page.evaluate("translating.rows.map(({ attention }) => Array.from(attention))")
    np.testing.assert_allclose(np.array(shown), expected, atol=1e-4)
    page.locator("#target [data-index]").nth(1).hover()
    until(page, "document.querySelector('#target .here')?.dataset.index === '1'")
    colours = page.eval_on_selector_all(
        "#source span", "all => all.map((one) => one.style.backgroundColor)"
    )
    for colour, weight in zip(colours, expected[1], strict=True):
        assert bool(colour) == (weight > 0.02)
    assert page.locator("#map .here .cell").count() == (expected[1] >= 0.02).sum()


def test_a_model_without_attention_shows_none(open_page):
    page = open_page(make("seq2seq"))
    type_line(page, "bad")
    assert page.is_hidden("#map-box")
    assert "no attention" in page.inner_text("#pair-legend")


def test_features_have_a_field_of_their_own(open_page, invoke):
    page = open_page(make_turkish())
    (record,) = translate(invoke, "bad\tNOM;PL", "--beam-size", 1)
    type_line(page, "bad")
    assert type_line(page, "NOM;PL", column=3) == record["target"]
    assert page.text_content("#source") == "NOMPLbad¶"
    assert page.locator("#map text", has_text="NOM").count() == 1


def test_a_line_with_tabs_is_pasted_into_all_fields(open_page, invoke):
    page = open_page(make_turkish())
    (record,) = translate(invoke, "cab\tPL", "--beam-size", 1)
    assert type_line(page, "cab\tPL\nbad\tNOM") == record["target"]
    assert page.input_value("#column-1") == "cab"
    assert page.input_value("#column-3") == "PL"


def test_unknown_symbols_are_left_out_and_named(open_page, invoke):
    page = open_page(make_turkish())
    type_line(page, "GÈN;NOM", column=3)
    (record,) = translate(invoke, "bÁXd\tGÈN;NOM", "--unknown", "skip", "--beam-size", 1)
    assert type_line(page, "bÁXd") == record["target"]
    note = page.inner_text("#source-note")
    assert note == "Unknown, left out: the feature GÈN, Á (it knows a), X."
    unknown = page.eval_on_selector_all(
        "#source .unknown", "all => all.map((one) => one.textContent)"
    )
    assert unknown == ["GÈN", "Á", "X"]


def test_a_model_that_has_u_fffd_reads_unknown_characters_as_that(open_page, invoke):
    page = open_page(rounded(make_pair_checkpoint("attention", source="abc\ufffd")))
    (record,) = translate(invoke, "aXb", "--unknown", "replace", "--beam-size", 1)
    assert type_line(page, "aXb") == record["target"]
    assert page.inner_text("#source-note") == "Unknown, read as U+FFFD: X."


def test_a_long_line_is_cut_as_in_training(open_page, invoke):
    page = open_page(make("attention", pair_format=PairFormat(max_length=5)))
    (record,) = translate(invoke, "abcdeabcde", "--beam-size", 1)
    assert type_line(page, "abcdeabcde") == record["target"]
    assert page.inner_text("#source-note") == "Read only 5 characters, as in training."


def test_nothing_is_translated_as_nothing(open_page):
    page = open_page(make("transformer"))
    type_line(page, "bad")
    assert type_line(page, "") == ""
    assert page.text_content("#target") == ""
    assert page.locator("#likely button:visible").count() == 0


def test_pressing_an_alternative_has_the_translation_go_on_from_it(open_page):
    page = open_page(make("attention"))
    own = type_line(page, "bad")
    page.locator("#target [data-index]").nth(1).hover()
    other = page.locator('#likely button[aria-pressed="false"]').nth(0)
    sign = other.locator(".sign").inner_text()
    symbol = {"␣": " ", "¶": ""}.get(sign, sign)
    other.click()
    until(page, "!document.getElementById('own-choice').hidden")
    assert translation(page).startswith(own[:1] + symbol)
    assert translation(page) != own
    page.click("#own-choice")
    until(page, "document.getElementById('own-choice').hidden")
    assert translation(page) == own


def test_the_arrow_keys_move_through_a_translation(open_page):
    page = open_page(make("attention"), width=360)
    text = type_line(page, "bad")
    page.focus("#target")
    for key in ("End", "ArrowLeft"):
        page.keyboard.press(key)
    assert page.inner_text("#pointed").startswith({" ": "␣"}.get(text[-1], text[-1]) + ": ")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_nothing_of_a_hostile_model_of_pairs_becomes_markup(open_page):
    hostile = "</script><img src=x onerror=\"document.title='owned'\">&amp;<!--{{worker}}"
    checkpoint = make_pair_checkpoint(
        "attention", source=hostile, target=hostile, features=(hostile,), pair_format=UNIMORPH
    )
    named = CorpusInfo(hostile.replace("/", "") + ".tsv", "0" * 64, 100)
    checkpoint = dataclasses.replace(checkpoint, corpus=named)
    words = "--example", f"{hostile}\t{hostile}"
    page = open_page(rounded(checkpoint), *words, name="<img src=x onerror=alert(1)>")
    set_range(page, "beam", 3)
    until(page, "document.querySelectorAll('#found li').length > 1")
    translation(page)
    for view in ("learning", "about"):
        page.click(f"#tab-{view}")
    assert page.locator("img").count() == 0
    assert page.title() == "<img src=x onerror=alert(1)>: charrnn"


def test_control_characters_of_pairs_are_shown_as_escapes(open_page):
    checkpoint = make_pair_checkpoint("attention", source="ab\x1b\u202e", target="\x1b\u202e\x85")
    page = open_page(rounded(checkpoint))
    type_line(page, "a\x1bb\u202e")
    assert page.text_content("#source") == "a\\x1bb\\u202e¶"
    assert set(page.text_content("#target")) <= set("\\x1bu202e85¶")


def test_the_stages_of_a_run_of_pairs_are_under_a_slider(open_page, tmp_path):
    checkpoint = make("attention")
    file = save_checkpoint(tmp_path / "pages/model/best.safetensors", checkpoint)
    for step in (1, 3):
        Run(file.parent).append_sample(Sample(step, step / 10, 3.0 - step / 10, f"bad → {step}"))
    page = open_page(checkpoint)
    page.click("#tab-learning")
    set_range(page, "stage", 1)
    assert page.inner_text("#stage-text") == "bad → 3"


def test_the_loss_curve_of_a_model_of_pairs_speaks_of_pairs(open_page):
    checkpoint = make("attention")
    records = tuple(checkpoint.history[0] | {"step": step, "epoch": step / 10} for step in (3, 5))
    page = open_page(dataclasses.replace(checkpoint, history=records))
    page.click("#tab-learning")
    assert "passes through the pairs. Solid: held-out pairs." in page.inner_text("#curves")
