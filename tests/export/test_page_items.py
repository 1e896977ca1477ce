"""The page of a model of a list, and of one with a normal form, beside what the commands say."""

import dataclasses
import json
import unicodedata

import numpy as np
import pytest
from factories import make_checkpoint, make_train_config
from pages import rounded, set_range, shown_bits, until, write

from charrnn_cli.models.registry import build_decoder

pytestmark = pytest.mark.slow  # each test opens a page in a browser

ITEMS = "Anna\nBo\nCarolina\nAnnabelle\n"


def make(architecture, vocabulary=ITEMS, seed=0, **train):
    checkpoint = make_checkpoint(architecture, 16, 2, vocabulary, seed=seed)
    return rounded(dataclasses.replace(checkpoint, train=make_train_config(**train)))


def sample(invoke, *words):
    words = ("--checkpoints", ".", "--temperature", 0, "--no-newline", *words)
    result = invoke("sample", "pages/model", *words)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def score(invoke, tmp_path, text):
    (tmp_path / "own.txt").write_text(text)
    words = ["own.txt", "--checkpoint", "pages/model", "--checkpoints", ".", "--json"]
    return json.loads(invoke("score", *words).stdout)["bits_per_char"]


def read(page, text):
    page.click("#tab-reading")
    page.fill("#own", text)
    until(page, "document.getElementById('bits').dataset.ended === 'true'")
    return shown_bits(page)


@pytest.mark.parametrize("seed", ["", "An", "\nBo"])
def test_each_item_begins_with_the_seed_as_sample_writes_it(seed, open_page, invoke):
    page = open_page(make("gru", seed=12, lines=True))
    page.fill("#seed", seed)
    words = ("--seed", seed) if seed else ()
    item = sample(invoke, *words)
    assert item.endswith("\n")
    wanted = item + item.lstrip("\n")
    assert write(page, len(item) * 2 - 2 * len(seed), temperature=0).startswith(wanted)


def test_what_an_item_starts_with_is_shown_as_seed(open_page):
    page = open_page(make("gru", seed=12, lines=True))
    page.fill("#seed", "Bo")
    set_range(page, "rate", 40)
    page.click("#go")
    until(page, "document.querySelectorAll('#written .seed').length > 3")
    shown = page.eval_on_selector_all("#written .seed", "all => all.map((one) => one.textContent)")
    assert set(shown) == {"Bo"}


@pytest.mark.parametrize("architecture", ["gru", "llama"])
def test_items_are_read_each_by_itself_as_score_reads_them(
    architecture, open_page, invoke, tmp_path
):
    page = open_page(make(architecture, lines=True))
    assert read(page, ITEMS) == pytest.approx(score(invoke, tmp_path, ITEMS), abs=1e-3)
    assert f"over {len(ITEMS)} characters" in page.inner_text("#bits")
    changed = ITEMS.replace("Carolina", "Carol")
    assert read(page, changed) == pytest.approx(score(invoke, tmp_path, changed), abs=1e-3)


def test_attention_of_an_item_stays_in_the_item(open_page):
    checkpoint = make("gpt2", lines=True)
    vocabulary = checkpoint.vocabulary
    page = open_page(checkpoint)
    read(page, ITEMS)
    ids = vocabulary.encode(ITEMS).tolist()
    place = ITEMS.index("Car") + 2
    answer = page.evaluate(
        "async (given) => { const { begin, weights } = await ask('attention', given);"
        "return { begin, weights: weights.map((row) => Array.from(row)) }; }",
        {"ids": ids, "position": place},
    )
    decoder = build_decoder(checkpoint.model, checkpoint.weights)
    expected = decoder.attention(vocabulary.encode("\nCar"))[:, :, 3]
    np.testing.assert_allclose(np.array(answer["weights"]), expected.reshape(4, 4), atol=1e-4)
    assert answer["begin"] == ITEMS.index("Car") - 1


@pytest.mark.parametrize(
    ("vocabulary_form", "normalize"),
    [("NFC", "NFC"), ("NFD", "NFD"), ("NFC", "none"), ("NFD", "none")],
)
def test_a_text_is_read_in_the_form_in_which_the_model_was_trained(
    vocabulary_form, normalize, open_page, invoke, tmp_path
):
    known = unicodedata.normalize(vocabulary_form, "aé\u1ea5bö\n")
    page = open_page(make("gru", known, normalize=normalize))
    other = {"NFC": "NFD", "NFD": "NFC"}[vocabulary_form]
    text = unicodedata.normalize(other, "béa\u1ea5böb\u1ea5a")
    assert read(page, text) == pytest.approx(score(invoke, tmp_path, text), abs=1e-3)
    assert f"({vocabulary_form})" in page.inner_text("#own-note")
    assert page.text_content("#coloured") == unicodedata.normalize(vocabulary_form, text)
    page.click("#tab-writing")
    page.fill("#seed", text)
    written = write(page, 5, temperature=0)
    assert written == sample(invoke, "--seed", text, "--length", 5)
    assert f"({vocabulary_form})" in page.inner_text("#writing-note")


def test_marks_in_another_order_are_read_as_the_model_knows_them(open_page):
    page = open_page(make("gru", "ab\u0323\u0301", normalize="NFD"))
    read(page, "a\u0301\u0323b")
    assert page.text_content("#coloured") == "a\u0323\u0301b"


def test_what_still_comes_of_an_older_text_is_not_taken_for_the_new_one(open_page):
    page = open_page(make("gru", seed=12))
    page.click("#tab-reading")
    page.wait_for_selector('#bits[data-ended="true"]', state="attached")
    ended = page.evaluate(
        """() => {
          const field = document.getElementById("own");
          const late = { turn: reading.turn, ended: true, bits: [null, 9], likely: [] };
          field.value = "Anna";
          field.dispatchEvent(new Event("input"));
          listeners.read(late);
          return reading.ended;
        }"""
    )
    assert not ended
    page.wait_for_selector('#bits[data-ended="true"]', state="attached")
    assert "over 3 characters" in page.text_content("#bits")
