"""The page of a model in a real browser, beside what the commands say of the same model."""

import dataclasses
import json

import numpy as np
import pytest
from factories import SONNETS, make_checkpoint, save_checkpoint
from pages import rounded, set_range, shown_bits, until, write
from studied import dialogue, gru_that_minds_quotes

from charrnn_cli.checkpoints.records import CorpusInfo, Sample
from charrnn_cli.checkpoints.runs import Run
from charrnn_cli.models.registry import build_decoder

pytestmark = pytest.mark.slow  # each test opens a page in a browser

ARCHITECTURES = ("gru", "lstm", "rnn", "gpt2", "llama")
TEXT = SONNETS.read_text()[:1000]


def make(architecture, vocabulary=TEXT, **changes):
    """A model with weights that a page has without rounding, and clear preferences."""
    checkpoint = make_checkpoint(architecture, 16, 2, vocabulary, **changes)
    return rounded(checkpoint)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_page_computes_the_logits_that_numpy_computes(architecture, open_page):
    checkpoint = make(architecture)
    ids = checkpoint.vocabulary.encode((TEXT * 2)[:500])  # far beyond the transformers' context
    page = open_page(checkpoint)
    answer = page.evaluate(
        "async (ids) => (await ask('logits', { ids })).logits.map((row) => Array.from(row))",
        ids.tolist(),
    )
    expected = build_decoder(checkpoint.model, checkpoint.weights).logits(ids)
    np.testing.assert_allclose(np.array(answer), expected, atol=1e-3)


@pytest.mark.parametrize("architecture", ["gru", "llama"])
def test_at_temperature_0_a_page_writes_what_sample_writes(architecture, open_page, invoke):
    page = open_page(make(architecture))
    page.fill("#seed", "The")
    written = write(page, 15, temperature=0)
    words = ["--seed", "The", "--length", 15, "--temperature", 0, "--no-newline"]
    assert written == invoke("sample", "pages/model", "--checkpoints", ".", *words).stdout


@pytest.mark.parametrize("architecture", ["lstm", "gpt2"])
def test_a_page_reads_the_bits_per_character_that_score_prints(
    architecture, open_page, invoke, tmp_path
):
    page = open_page(make(architecture))
    page.click("#tab-reading")
    page.fill("#own", TEXT[:120])
    (tmp_path / "own.txt").write_text(TEXT[:120])
    words = ["own.txt", "--checkpoint", "pages/model", "--checkpoints", ".", "--json"]
    scored = json.loads(invoke("score", *words).stdout)
    until(page, "document.getElementById('bits').textContent.includes('119 characters')")
    assert shown_bits(page) == pytest.approx(scored["bits_per_char"], abs=1e-3)


def test_typing_on_reads_the_same_as_the_whole_text_at_once(open_page):
    page = open_page(make("gpt2"))
    page.click("#tab-reading")
    bits = []
    for text in (TEXT[:200], TEXT[:90] + "e" + TEXT[90:150], TEXT[:200]):
        page.fill("#own", text)
        until(
            page,
            f"document.getElementById('bits').textContent.includes('{len(text) - 1} characters')",
        )
        bits.append(shown_bits(page))
    assert bits[0] == bits[2]
    assert bits[0] != bits[1]


def test_the_same_random_seed_gives_the_same_text_also_after_a_stop(open_page):
    page = open_page(make("gru"))
    first = write(page, 12)
    page.fill("#random-seed", "2")
    other = write(page, 12)
    page.fill("#random-seed", "1")
    set_range(page, "rate", 40)
    page.click("#go")
    until(page, "document.getElementById('written').textContent.length > 40")
    page.click("#go")
    until(page, "document.getElementById('go').textContent === 'Go on'")
    assert page.text_content("#written").startswith(first)
    assert other != first


def test_top_k_leaves_so_many_bars(open_page):
    page = open_page(make("gru"))
    assert page.locator("#likely button:visible").count() == 10
    set_range(page, "top-k", 3)
    until(page, "document.querySelectorAll('#likely li:not([hidden])').length === 3")


def test_pressing_a_bar_writes_its_character(open_page):
    page = open_page(make("gru"))
    third = page.locator("#likely button").nth(2)
    sign = third.locator(".sign").inner_text()
    third.click()
    until(page, "document.getElementById('written').textContent.length > 1")
    assert page.text_content("#written")[-1] == {"␣": " ", "↵": "\n"}.get(sign, sign)


def test_a_unit_colours_the_text_by_its_activation(open_page):
    checkpoint = make("gru")
    page = open_page(checkpoint)
    page.click("#tab-reading")
    page.fill("#own", TEXT[:30])
    page.select_option("#look", "unit")
    set_range(page, "unit", 17)
    assert page.inner_text("#unit-shown") == "2 of layer 2"
    shown_bits(page)
    until(page, "document.querySelectorAll('#coloured [style]').length === 30")
    values = page.evaluate("async () => (await ask('unit', { index: 17 })).values")
    decoder = build_decoder(checkpoint.model, checkpoint.weights)
    expected = []
    for index in checkpoint.vocabulary.encode(TEXT[:30]):
        decoder.read(int(index))
        expected.append(decoder.activations()[17])
    np.testing.assert_allclose(values, expected, atol=0.005)


def test_units_that_follow_something_in_a_text_are_offered_by_name(open_page, tmp_path):
    (tmp_path / "talk.txt").write_text(dialogue(1500))
    page = open_page(gru_that_minds_quotes(3), "--units", tmp_path / "talk.txt")
    page.click("#tab-reading")
    page.select_option("#look", "unit")
    assert "quote" in page.inner_text("#best")


@pytest.mark.parametrize("architecture", ["gpt2", "llama"])
def test_a_page_shows_the_attention_that_the_decoder_gives(architecture, open_page):
    checkpoint = make(architecture)
    ids = checkpoint.vocabulary.encode(TEXT[:12])
    page = open_page(checkpoint)
    page.click("#tab-reading")
    page.fill("#own", TEXT[:12])
    shown_bits(page)
    page.select_option("#look", "attention")
    page.locator("#coloured span").nth(8).hover()
    page.wait_for_selector("#coloured .here")
    answer = page.evaluate(
        "async (ids) => (await ask('attention', { ids, position: 8 })).weights"
        ".map((row) => Array.from(row))",
        ids.tolist(),
    )
    expected = build_decoder(checkpoint.model, checkpoint.weights).attention(ids)[:, :, 8, :9]
    np.testing.assert_allclose(np.array(answer), expected.reshape(4, 9), atol=1e-4)


def test_the_stages_of_a_run_are_under_a_slider(open_page, tmp_path):
    checkpoint = make("gru")
    file = save_checkpoint(tmp_path / "pages/model/best.safetensors", checkpoint)
    for step in (1, 3, 5, 9):  # the last one is after the checkpoint
        Run(file.parent).append_sample(Sample(step, step / 10, 3.0 - step / 10, f"text {step}"))
    page = open_page(checkpoint)
    page.click("#tab-learning")
    assert page.inner_text("#stage-text") == "text 1"
    set_range(page, "stage", 2)
    assert page.inner_text("#stage-text") == "text 5"
    assert page.get_attribute("#stage", "max") == "2"


def test_nothing_of_a_hostile_model_becomes_markup(open_page):
    hostile = "</script><img src=x onerror=\"document.title='owned'\">&amp;<!--{{worker}}\n"
    checkpoint = make("gru", hostile + "é")
    named = CorpusInfo(hostile.strip().replace("/", "") + ".txt", "0" * 64, 100)
    checkpoint = dataclasses.replace(checkpoint, corpus=named)
    page = open_page(checkpoint, name="<img src=x onerror=alert(1)>")
    page.fill("#seed", hostile)
    write(page, 3)
    page.click("#tab-reading")
    page.fill("#own", hostile)
    shown_bits(page)
    page.click("#tab-about")
    assert page.locator("img").count() == 0
    assert page.title() == "<img src=x onerror=alert(1)>: charrnn"
    assert named.name in page.inner_text("#summary")


def test_characters_that_cannot_be_seen_are_shown_as_escapes(open_page):
    page = open_page(make("gru", "ab\n\x1b\u202e\U0001f468\u200d\U0001f469é"))
    page.click("#tab-reading")
    page.fill("#own", "a\x1bb\u202ea\U0001f468\u200d\U0001f469")
    shown_bits(page)
    assert page.text_content("#coloured") == "a\\x1bb\\u202ea\U0001f468\u200d\U0001f469"
    assert page.locator("#coloured [data-index]").count() == 6  # the joined emoji are one


def test_characters_that_the_model_does_not_know_are_left_out(open_page):
    page = open_page(make("gru", "abc\n"))
    page.click("#tab-reading")
    page.fill("#own", "abXc")
    shown_bits(page)
    assert "over 2 characters; 1 that the model does not know" in page.inner_text("#bits")
    assert page.inner_text("#coloured .unknown") == "X"


def test_a_vocabulary_of_5000_works_on_a_phone(open_page):
    vocabulary = "\n" + "".join(map(chr, range(0x4E00, 0x4E00 + 5000)))
    page = open_page(make("gru", vocabulary), width=360)
    write(page, 3)
    page.click("#tab-about")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_every_view_can_be_reached_with_the_keyboard_and_fits_a_phone(open_page):
    page = open_page(make("llama"), width=360)
    page.focus("#tab-writing")
    for view in ("reading", "learning", "about"):
        page.keyboard.press("ArrowRight")
        assert page.is_visible(f"#{view}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.click("#tab-reading")
    page.fill("#own", TEXT[:20])
    shown_bits(page)
    page.focus("#coloured")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#coloured .here")
    assert page.inner_text("#pointed").startswith(f"{TEXT[1]}: ")


def test_sizes_that_do_not_divide_into_fours_give_the_logits_that_numpy_computes(open_page):
    checkpoint = rounded(make_checkpoint("gpt2", 10, 2, TEXT))
    ids = checkpoint.vocabulary.encode(TEXT[:40])
    page = open_page(checkpoint)
    answer = page.evaluate(
        "async (ids) => (await ask('logits', { ids })).logits.map((row) => Array.from(row))",
        ids.tolist(),
    )
    expected = build_decoder(checkpoint.model, checkpoint.weights).logits(ids)
    np.testing.assert_allclose(np.array(answer), expected, atol=1e-3)
