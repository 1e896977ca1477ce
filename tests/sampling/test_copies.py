"""How much of the samples is new, and samples that are drawn again if they were copied."""

import dataclasses
import os
from hashlib import sha256

import pytest
from factories import ask_to_write, corpus_of, make_checkpoint, save_checkpoint, save_cycle, texts

from charrnn_cli.checkpoints.checkpoint import CorpusInfo, load
from charrnn_cli.errors import TextError, UsageError
from charrnn_cli.sampling.originality import compare, learned_text
from charrnn_cli.settings.configs import SamplingConfig

# how much of it is new


@pytest.fixture
def cycle_run(tmp_path):
    """A run whose model writes wxyz for ever, and whose `last` says which text it learned."""
    text = tmp_path / "text.txt"
    text.write_text("wxyzwxyzwxyz")
    corpus = CorpusInfo("text.txt", sha256(text.read_bytes()).hexdigest(), 12, str(text))
    save_cycle(tmp_path, "wxyz", corpus=dataclasses.replace(corpus, path=None))
    last = dataclasses.replace(make_checkpoint(training=True), corpus=corpus)
    save_checkpoint(tmp_path / "cycle" / "last.safetensors", last)
    return tmp_path


def learned_by(samples, source=None):
    return learned_text(samples.file, samples.checkpoint, source)


def originality_of(samples, learned):
    drawing = samples.draw()
    assert len("".join(drawing.text(""))) == 11
    return compare(drawing.texts, learned).in_words(learned)


def test_the_learned_text_is_the_one_that_the_run_names(cycle_run):
    corpus = learned_by(ask_to_write(cycle_run))
    assert corpus.vocabulary.decode(corpus.ids) == "wxyzwxyzwxyz"


def test_a_learned_text_that_was_changed_is_refused(cycle_run):
    (cycle_run / "text.txt").write_text("something else")
    with pytest.raises(TextError, match=r"text\.txt.*--originality TEXT"):
        learned_by(ask_to_write(cycle_run))


def test_a_checkpoint_alone_does_not_say_where_its_text_is(cycle_run):
    (cycle_run / "cycle" / "last.safetensors").unlink()
    with pytest.raises(UsageError, match="--originality TEXT"):
        learned_by(ask_to_write(cycle_run))


@pytest.mark.parametrize("path", ["pipe", "/dev/zero", "text.txt", "nowhere.txt"])
def test_a_path_in_a_checkpoint_is_read_only_if_it_is_of_an_ordinary_file(
    cycle_run, monkeypatch, path
):
    monkeypatch.chdir(cycle_run)
    os.mkfifo("pipe")
    descriptor = os.open("pipe", os.O_RDWR)  # should it be read after all, it does not hang
    os.write(descriptor, b"w")
    place = str(cycle_run / path) if path == "pipe" else path
    last = cycle_run / "cycle" / "last.safetensors"
    checkpoint = load(last)
    corpus = dataclasses.replace(checkpoint.corpus, path=place)
    save_checkpoint(last, dataclasses.replace(checkpoint, corpus=corpus))
    with pytest.raises(UsageError, match=r"is not there\. Give it: --originality TEXT"):
        learned_by(ask_to_write(cycle_run))
    os.close(descriptor)


def test_a_text_that_was_copied_is_not_new(cycle_run):
    samples = ask_to_write(cycle_run, seed="z", length=10, whole=True)
    words = originality_of(samples, learned_by(samples))
    assert "0%" in words
    assert "10 characters: 'wxyzwxyzwx'" in words


def test_a_text_that_was_not_learned_is_new(cycle_run, tmp_path):
    other = tmp_path / "other.txt"
    other.write_text("zyxwzyxwzyxw")
    samples = ask_to_write(cycle_run, seed="z", length=10, whole=True)
    words = originality_of(samples, learned_by(samples, str(other)))
    assert "100%" in words
    assert words.endswith("none")


# drawn again if copied


def test_samples_that_stand_in_the_learned_text_are_drawn_again(abc_runs):
    plain = texts(ask_to_write(abc_runs, length=2, num_samples=40))
    text = "\n" + "\n".join(plain[:20])
    learned = corpus_of(text)
    drawing = ask_to_write(abc_runs, length=2, num_samples=40, whole=True).draw(learned)
    list(drawing)
    assert len(drawing.texts) == 40
    new = [sample for sample in plain if f"\n{sample}" not in text]
    assert drawing.texts[: len(new)] == new


def test_a_sample_that_is_only_the_end_of_a_learned_line_is_no_copy(tmp_path):
    save_cycle(tmp_path, "wx\nyz")  # after a newline: y, z, w, x, and then the line ends
    samples = ask_to_write(tmp_path, lines=1, length=None, whole=True)
    assert texts(samples) == ["yzwx\n"]
    assert texts_of(samples.draw(corpus_of("ayzwx\nb"))) == ["yzwx\n"]
    with pytest.raises(UsageError, match="--skip-copied"):
        texts_of(samples.draw(corpus_of("yzwx\nb")))


def test_with_a_seed_a_copy_may_stand_anywhere_in_a_line(tmp_path):
    save_cycle(tmp_path, "wxyz")
    samples = ask_to_write(tmp_path, seed="wx", length=2, whole=True)
    with pytest.raises(UsageError, match="each of 100 samples stands in the training text"):
        list(samples.draw(corpus_of("--wxyz--")))


def test_too_few_new_samples_get_a_note(abc_runs):
    sampling = SamplingConfig(temperature=0.4)
    every = texts(ask_to_write(abc_runs, length=3, num_samples=3000, sampling=sampling))
    rare = min(sorted(set(every)), key=every.count)
    learned = corpus_of("".join(f"\n{text}#" for text in sorted(set(every) - {rare})))
    samples = ask_to_write(abc_runs, length=3, num_samples=30, whole=True, sampling=sampling)
    drawing = samples.draw(learned)
    assert texts_of(drawing) == [rare] * every.count(rare)
    [note] = drawing.notes()
    assert "of 30 samples: all others of 3,000 drawn stand in the training text" in note


def texts_of(drawing) -> list[str]:
    list(drawing)
    return drawing.texts
