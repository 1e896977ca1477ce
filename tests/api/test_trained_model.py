"""A trained model in Python: the same results as the commands, without their printing."""

import json

import numpy as np
import pytest
from factories import make_checkpoint, save_checkpoint
from pairs import make_pair_checkpoint
from terminal import loaded_by
from typer.testing import CliRunner

import charrnn_cli
from charrnn_cli.__main__ import app
from charrnn_cli.errors import CheckpointError, TextError, UsageError
from charrnn_cli.scoring.score import MAX_HTML, score_text
from charrnn_cli.text.pair_format import PairFormat


@pytest.fixture
def model(tmp_path):
    save_checkpoint(tmp_path / "tiny" / "best.safetensors", make_checkpoint())
    return charrnn_cli.load("tiny", checkpoints=tmp_path)


@pytest.mark.slow
def test_importing_the_package_is_light():
    assert loaded_by("import charrnn_cli").isdisjoint({"torch", "numpy", "typer", "rich"})


@pytest.mark.slow
def test_sampling_and_scoring_do_not_import_torch(model):
    code = (
        f"import charrnn_cli; m = charrnn_cli.load({str(model.file)!r}); m.sample(length=3); "
        "m.score('abab'); m.info"
    )
    assert "torch" not in loaded_by(code)


def test_the_package_has_no_other_attributes():
    with pytest.raises(AttributeError, match="translate"):
        charrnn_cli.translate  # noqa: B018


def test_a_sample_is_that_of_the_command(model):
    options = [
        "--seed",
        "ab",
        "--length",
        "30",
        "--random-seed",
        "7",
        "--top-k",
        "2",
        "--no-newline",
    ]
    command = CliRunner().invoke(app, ["sample", str(model.file), *options])
    assert model.sample("ab", length=30, random_seed=7, top_k=2) == command.stdout


def test_a_seed_that_the_model_does_not_know_is_refused(model):
    with pytest.raises(UsageError, match="never saw"):
        model.sample("Z")
    assert model.sample("Za", unknown="skip", length=2, random_seed=1)[0] == "a"


def test_an_endless_sample_is_refused(model):
    with pytest.raises(UsageError, match="--length"):
        model.sample(length=0)


def test_info_is_that_of_the_command(model):
    assert model.info["val_loss"] == 1.0
    assert model.info["file"] == str(model.file)


def test_a_missing_model_is_a_checkpoint_error(tmp_path):
    with pytest.raises(CheckpointError, match="nothing-here"):
        charrnn_cli.load("nothing-here", checkpoints=tmp_path)


def test_a_model_of_texts_does_not_translate(model):
    with pytest.raises(UsageError, match="does not translate"):
        model.translate(["a"])


def test_translations_are_those_of_the_command(tmp_path):
    file = save_checkpoint(tmp_path / "pairs" / "best.safetensors", make_pair_checkpoint())
    lines = ["ab", "ba"]
    command = CliRunner().invoke(app, ["translate", str(file), *lines])
    model = charrnn_cli.load(file)
    assert model.translate(lines) == command.stdout.splitlines()
    assert model.translate([]) == []
    with pytest.raises(UsageError, match="newline"):
        model.translate(["a\nb"])


@pytest.fixture
def pair_model(tmp_path):
    file = save_checkpoint(tmp_path / "pairs" / "best.safetensors", make_pair_checkpoint())
    return charrnn_cli.load(file)


def test_a_model_of_pairs_neither_samples_nor_scores_a_text(pair_model):
    with pytest.raises(UsageError, match="translate"):
        pair_model.sample()
    with pytest.raises(UsageError, match=r"Give a list of pairs.*translate"):
        pair_model.score("ab")


def test_a_score_of_pairs_is_that_of_the_command(pair_model, tmp_path):
    pairs = [("abc", "A B"), ("d", "D"), ("é", pair_model.translate(["é"])[0] or "A")]
    (tmp_path / "a.tsv").write_text("".join(f"{source}\t{target}\n" for source, target in pairs))
    words = ["--checkpoint", str(pair_model.file), "--symbols", " ", "--json"]
    command = CliRunner().invoke(app, ["score", str(tmp_path / "a.tsv"), *words])
    facts = json.loads(command.stdout)
    score = pair_model.score(pairs, symbols=" ")
    figures = {name: value for name, value in vars(score).items() if name != "pairs"}
    assert figures == {name: facts[name] for name in figures}
    assert [one.target for one in score.pairs] == [target for _, target in pairs]
    assert [one.number for one in pair_model.score(iter(pairs)).pairs] == [1, 2, 3]


def test_a_source_of_several_columns_is_scored_as_it_is_translated(tmp_path):
    made = make_pair_checkpoint(features=("PL",), pair_format=PairFormat((1,), 2, (3,)))
    model = charrnn_cli.load(save_checkpoint(tmp_path / "pairs" / "best.safetensors", made))
    (scored,) = model.score([("ab\tPL", "AB")]).pairs
    assert scored.source == "PL ab"
    with pytest.raises(TextError, match="pair 1: the source must have columns 1, 3"):
        model.score([("ab", "AB")])


@pytest.mark.parametrize(
    ("pairs", "named"),
    [
        ([], "no pairs to score"),
        ([("a", "A"), ("", "A")], "pair 2: the source is empty"),
        ([("a", "")], "pair 1: the target is empty"),
        ([("a", "A\n")], "pair 1: has a newline"),
        ([("a", 3)], r"pair 1, \('a', 3\): must be two texts"),
        (["ab"], "pair 1, 'ab': must be two texts"),
        (3, "text 3: must be a list of pairs"),
    ],
)
def test_what_is_no_pair_is_named(pair_model, pairs, named):
    with pytest.raises((TextError, UsageError), match=named):
        pair_model.score(pairs)


@pytest.mark.parametrize(
    ("wishes", "named"),
    [
        ({"seed": 3}, "seed 3: must be a text"),
        ({"length": "5"}, "length '5': must be a whole number"),
        ({"length": True}, "length True: must be a whole number"),
        ({"temperature": "hot"}, "temperature 'hot': must be a number"),
        ({"temperature": None}, "temperature None: must be a number"),
        ({"top_k": 1.5}, r"top_k 1\.5: must be a whole number"),
        ({"until": ["a"]}, r"until \['a'\]: must be a text"),
        ({"unknown": 3}, "unknown 3: must be a text"),
        ({"random_seed": np.zeros((9, 9))}, r"random_seed array\(.*: must be a whole number"),
    ],
)
def test_a_value_of_a_wrong_type_is_named_on_one_line(model, wishes, named):
    with pytest.raises(UsageError, match=named) as caught:
        model.sample(**wishes)
    assert "\n" not in str(caught.value)


def test_numbers_of_numpy_are_numbers(model):
    as_numpy = {"length": np.int64(9), "temperature": np.float32(1), "random_seed": np.uint8(1)}
    assert model.sample(**as_numpy) == model.sample(length=9, random_seed=1)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((5,), "lines 5: must be a list of lines"),
        (([1],), "line 1: must be a text"),
        ((["a"], "x"), "beam_size 'x': must be a whole number"),
        ((["a"], 0), "--beam-size 0: must be at least 1"),
        ((["a"], 1, "luck"), "--unknown luck: must be one of"),
    ],
)
def test_what_cannot_be_translated_is_named(pair_model, arguments, named):
    lines, *rest = arguments
    with pytest.raises(UsageError, match=named):
        pair_model.translate(lines, **dict(zip(("beam_size", "unknown"), rest, strict=False)))


def test_a_name_that_is_no_path_is_named():
    with pytest.raises(UsageError, match="name 5: must be a path"):
        charrnn_cli.load(5)


def test_a_score_is_that_of_the_command(model, tmp_path):
    text = tmp_path / "a.txt"
    text.write_text("abba\nab")
    options = ["--checkpoint", str(model.file), "--json", "--quiet"]
    command = CliRunner().invoke(app, ["score", str(text), *options])
    score = model.score("abba\nab")
    assert f'"bits_per_char": {score.bits_per_char}' in command.stdout
    assert len(score.bits) == 7
    assert np.isnan(score.bits[0])
    assert np.nanmean(score.bits) == pytest.approx(score.bits_per_char)


@pytest.mark.parametrize("text", ["", "a"])
def test_too_short_a_text_is_not_scored(model, text):
    with pytest.raises(TextError):
        model.score(text)


def test_nothing_of_a_scored_text_becomes_markup():
    text = "<img onerror=x>&\"'\u202e\x1b"
    page = score_text(text, make_checkpoint(vocabulary=text))._repr_html_()
    assert "<img" not in page
    assert "&lt;" in page
    assert "\\x1b" in page
    assert "\u202e" not in page


def test_a_long_score_shows_its_beginning(model):
    page = model.score("ab" * MAX_HTML)._repr_html_()
    assert page.count("title=") == MAX_HTML - 1
    assert f"and {MAX_HTML:,} more characters" in page
