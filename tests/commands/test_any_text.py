"""Any text at all: trained on for two steps, saved, loaded, and sampled from."""

import hypothesis.strategies as st
import pytest
from factories import ask_to_train, ask_to_write, fuzzed, texts, train
from hypothesis import given

from charrnn_cli.checkpoints.checkpoint import load
from charrnn_cli.text.vocabulary import Vocabulary
from charrnn_cli.training.setup import open_training

# surrogates are no characters: no UTF-8 file can hold one
unicode_text = st.text(st.characters(exclude_categories=["Cs"]))


@fuzzed(200)
@given(unicode_text.filter(bool))
def test_any_text_is_encoded_and_decoded_to_itself(text):
    vocabulary = Vocabulary.of(text)
    assert vocabulary.decode(vocabulary.encode(text)) == text


@pytest.mark.slow
@fuzzed(15)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=2, max_size=40).filter(
    lambda text: len(set(text.replace("\r\n", "\n").lstrip("\ufeff"))) > 1
    and text.count("\0") < 5
    and text[0] != "\ufeff"
))  # fmt: skip
def test_any_text_can_be_trained_on_saved_loaded_and_sampled_from(tmp_path_factory, text):
    folder = tmp_path_factory.mktemp("any")
    path = folder / "any.txt"
    text = (text * 30)[:400] if len(text) < 40 else text
    path.write_bytes((text * 3).encode())
    sizes = {"hidden_size": 4, "num_layers": 1, "batch_size": 2, "seq_length": 4}
    with open_training(ask_to_train(path, folder, **sizes)) as training:
        trainer = training.trainer
        list(trainer.steps(lambda: trainer.progress.step >= 2))
        read = trainer.dataset.vocabulary
    assert load(trainer.run.last, training=True).vocabulary.characters == read.characters
    [sample] = texts(ask_to_write(folder, length=10))
    assert len(sample) == 10
    assert set(sample) <= set(read.characters)
    _, resumed = train(None, folder, stop_at=3, resume="")
    assert resumed.progress.step >= 3
