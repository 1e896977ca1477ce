"""Scoring a list: each line by itself; and several files, each a document."""

import dataclasses
import json
from functools import partial

import numpy as np
import pytest
from factories import make_checkpoint, save_checkpoint, surprisal_of

from charrnn_cli.models.registry import build_decoder
from charrnn_cli.scoring.item_surprisal import ItemSurprisal

LINES = ["ab", "", "bba", "a" * 40, "abab", "b"]


def list_model(**changes):
    checkpoint = make_checkpoint("gru", vocabulary="ab\n", **changes)
    return dataclasses.replace(checkpoint, train=dataclasses.replace(checkpoint.train, lines=True))


CHECKPOINT = list_model()


def meter():
    open_decoder = partial(build_decoder, CHECKPOINT.model, CHECKPOINT.weights)
    return ItemSurprisal(open_decoder, CHECKPOINT.vocabulary.line_start)


def ids_of(text):
    return CHECKPOINT.vocabulary.encode(text).astype(np.int64)


def test_a_line_costs_what_it_costs_alone_after_a_newline():
    bits = meter().bits(ids_of("".join(f"{line}\n" for line in LINES)))
    alone = [surprisal_of(CHECKPOINT).bits(ids_of(f"\n{line}\n"))[1:] for line in LINES]
    assert np.allclose(bits, np.concatenate(alone), atol=1e-5)


@pytest.mark.parametrize("cut", [1, 2, 5, 30, 50])
def test_where_a_block_ends_does_not_count(cut):
    ids = ids_of("\n".join(LINES))
    whole, parts = meter(), meter()
    in_parts = np.concatenate([parts.bits(ids[:cut]), parts.bits(ids[cut:])])
    assert np.allclose(whole.bits(ids), in_parts, atol=1e-5)


@pytest.fixture
def folder(tmp_path):
    save_checkpoint(tmp_path / "checkpoints" / "list" / "best.safetensors", CHECKPOINT)
    plain = make_checkpoint("gru", vocabulary="ab\n")
    save_checkpoint(tmp_path / "checkpoints" / "plain" / "best.safetensors", plain)
    (tmp_path / "one.txt").write_text("abba\nbab\n")
    (tmp_path / "two.txt").write_text("bbb\naa")
    return tmp_path


def score(invoke, *words):
    result = invoke("score", *words, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_the_order_of_a_list_does_not_change_its_score(folder, invoke):
    (folder / "other.txt").write_text("bab\nabba\n")
    one, other = (score(invoke, name, "--checkpoint", "list") for name in ("one.txt", "other.txt"))
    assert one["bits"] == pytest.approx(other["bits"])
    assert one["scored"] == one["characters"] == 9


def test_an_item_is_ranked_by_itself(folder, invoke):
    facts = score(invoke, "one.txt", "--checkpoint", "list", "--lines")
    alone = meter().bits(ids_of("bab\n")).sum()
    (line,) = (line for line in facts["most_surprising"] if line["text"] == "bab")
    assert line["bits"] == pytest.approx(alone, abs=1e-4)


@pytest.mark.parametrize("model", ["plain", "list"])
def test_each_of_several_files_is_scored_as_if_it_were_alone(model, folder, invoke):
    both = score(invoke, "one.txt", "two.txt", "--checkpoint", model)
    each = [score(invoke, name, "--checkpoint", model) for name in ("one.txt", "two.txt")]
    for name in ("bits", "characters", "scored", "lines", "bytes"):
        assert both[name] == pytest.approx(sum(facts[name] for facts in each))
    assert both["text"] == "one.txt and 1 more"


def test_a_list_is_scored_while_the_model_adapts(folder, invoke):
    facts = score(invoke, "one.txt", "--checkpoint", "list", "--adapt")
    assert facts["scored"] == facts["characters"]
    assert facts["static"]["bits_per_char"] != facts["adapted"]["bits_per_char"]


def test_a_list_is_scored_with_an_n_gram_of_the_lines_before(folder, invoke):
    facts = score(invoke, "one.txt", "--checkpoint", "list", "--with-ngram")
    plain = score(invoke, "one.txt", "--checkpoint", "list")
    assert facts.pop("with_ngram")["ngram_alone"] > 0
    assert facts == plain


def test_a_file_of_a_text_of_several_is_known_as_trained_on(folder, invoke):
    import hashlib

    checksum = hashlib.sha256((folder / "one.txt").read_bytes()).hexdigest()
    checkpoint = make_checkpoint("gru", vocabulary="ab\n")
    corpus = dataclasses.replace(checkpoint.corpus, file_sha256s=(checksum, "0" * 64))
    checkpoint = dataclasses.replace(checkpoint, corpus=corpus)
    save_checkpoint(folder / "checkpoints" / "two" / "best.safetensors", checkpoint)
    assert score(invoke, "one.txt", "--checkpoint", "two")["trained_on"]
    assert not score(invoke, "two.txt", "--checkpoint", "two")["trained_on"]
