"""Transformers as folders for Hugging Face's library, which loads and runs them here."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest
from factories import make_checkpoint
from safetensors.numpy import load_file

from charrnn_cli.checkpoints.checkpoint import Checkpoint
from charrnn_cli.checkpoints.records import CorpusInfo
from charrnn_cli.errors import UsageError
from charrnn_cli.export.hugging_face import write_hugging_face
from charrnn_cli.models.registry import build_decoder

# with a combining mark, an emoji and control characters, which tokenizers like to change
TEXT = "To be,  or\tnot?\n\n é e\u0301 😀👍🏽 \r\n\0 ## ▁"
KINDS = ("gpt2", "llama")


def loads_transformers(test):
    """Marks a test that imports the library, which takes many seconds: in one process is enough."""
    for mark in (
        pytest.mark.slow,
        pytest.mark.filterwarnings("ignore"),
        pytest.mark.xdist_group("transformers"),
    ):
        test = mark(test)
    return test


def trained(kind: str, context: int = 64, text: str = TEXT) -> Checkpoint:
    """A random model whose weights are large enough to make its answers differ."""
    checkpoint = make_checkpoint(kind, hidden_size=24, num_layers=3, vocabulary=text)
    model = replace(checkpoint.model, context=context)
    rng = np.random.default_rng(5)
    shapes = model.parameter_shapes()
    weights = {n: rng.normal(size=s).astype(np.float32) * 0.5 for n, s in shapes.items()}
    return replace(checkpoint, model=model, weights=weights)


@pytest.fixture
def transformers():
    os.environ["HF_HUB_OFFLINE"] = "1"
    library = pytest.importorskip("transformers")
    library.logging.set_verbosity_error()
    return library


def greedy(checkpoint: Checkpoint, prompt: str, length: int) -> str:
    """The likeliest text after a prompt, as the decoder in NumPy writes it."""
    decoder = build_decoder(checkpoint.model, checkpoint.weights)
    logits, text = decoder.prefill(checkpoint.vocabulary.encode(prompt).tolist()), prompt
    for _ in range(length):
        best = int(logits.argmax())
        text += checkpoint.vocabulary.characters[best]
        logits = decoder.step(best)
    return text


@loads_transformers
@pytest.mark.parametrize(
    ("kind", "name"), [("gpt2", "GPT2LMHeadModel"), ("llama", "Qwen3ForCausalLM")]
)
def test_transformers_gives_the_same_logits(kind, name, tmp_path, transformers):
    import torch

    checkpoint = trained(kind)
    write_hugging_face(checkpoint, tmp_path / "hf")
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "hf")
    assert type(model).__name__ == name
    ids = np.random.default_rng(1).integers(0, checkpoint.model.vocabulary_size, 64)
    with torch.no_grad():
        logits = model(torch.tensor(ids)[None]).logits[0].numpy()
    own = build_decoder(checkpoint.model, checkpoint.weights).logits(ids)
    np.testing.assert_allclose(logits, own, atol=1e-4, rtol=1e-4)


@loads_transformers
@pytest.mark.parametrize("kind", KINDS)
def test_no_weight_is_missing_or_left_over(kind, tmp_path, transformers):
    write_hugging_face(trained(kind), tmp_path / "hf")
    _, report = transformers.AutoModelForCausalLM.from_pretrained(
        tmp_path / "hf", output_loading_info=True
    )
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]


@loads_transformers
@pytest.mark.parametrize("kind", KINDS)
def test_the_pipeline_writes_the_same_greedy_text(kind, tmp_path, transformers):
    checkpoint = trained(kind)
    write_hugging_face(checkpoint, tmp_path / "hf")
    write = transformers.pipeline("text-generation", model=str(tmp_path / "hf"), device="cpu")
    (found,) = write(TEXT[:20], do_sample=False, max_new_tokens=40)
    assert found["generated_text"] == greedy(checkpoint, TEXT[:20], 40)


@loads_transformers
def test_a_llama_writes_beyond_its_context(tmp_path, transformers):
    checkpoint = trained("llama", context=8)
    write_hugging_face(checkpoint, tmp_path / "hf")
    write = transformers.pipeline("text-generation", model=str(tmp_path / "hf"), device="cpu")
    (found,) = write("To be", do_sample=False, max_new_tokens=40)
    assert len(found["generated_text"]) == 45
    assert found["generated_text"][:8] == greedy(checkpoint, "To be", 3)


@loads_transformers
def test_the_tokenizer_keeps_every_character(tmp_path, transformers):
    checkpoint = trained("gpt2")
    write_hugging_face(checkpoint, tmp_path / "hf")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "hf")
    ids = tokenizer(TEXT)["input_ids"]
    assert ids == checkpoint.vocabulary.encode(TEXT).tolist()
    assert tokenizer.decode(ids) == TEXT
    assert len(tokenizer) == len(checkpoint.vocabulary)


@loads_transformers
def test_rare_characters_are_read_as_the_model_learned_them(tmp_path, transformers):
    checkpoint = trained("gpt2", text="ab\n\ufffd")
    checkpoint = replace(checkpoint, train=replace(checkpoint.train, min_count=2))
    write_hugging_face(checkpoint, tmp_path / "hf")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "hf")
    expected = checkpoint.vocabulary.encode("a\ufffdb").tolist()
    assert tokenizer("aZb")["input_ids"] == expected


@loads_transformers
def test_an_unknown_character_is_an_error_not_a_silent_loss(tmp_path, transformers):
    write_hugging_face(trained("gpt2", text="ab\n"), tmp_path / "hf")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "hf")
    with pytest.raises(Exception, match="WordLevel"):
        tokenizer("aZb")


@pytest.mark.parametrize("kind", ["gru", "lstm", "rnn"])
def test_a_recurrent_model_is_sent_to_onnx(kind, tmp_path):
    with pytest.raises(UsageError, match="--onnx"):
        write_hugging_face(make_checkpoint(kind), tmp_path / "hf")
    assert not (tmp_path / "hf").exists()


def test_the_card_holds_the_losses_and_no_markup_of_the_corpus(tmp_path):
    checkpoint = trained("gpt2")
    name = "a`<img src=x>`|\n# b.txt"
    corpus = CorpusInfo(name, "0" * 64, 1234)
    write_hugging_face(replace(checkpoint, corpus=corpus), tmp_path)
    card = (tmp_path / "README.md").read_text("utf-8")
    assert "| **this model** | 1.000 | 1.443 |" in card
    assert "on `a_<img src=x>___# b.txt` (1,234 characters)" in card


def test_the_weights_are_whole_float32_tensors(tmp_path):
    paths = write_hugging_face(trained("llama"), tmp_path)
    assert [path.name for path in paths][-1] == "config.json"
    tensors = load_file(tmp_path / "model.safetensors")
    assert {values.dtype for values in tensors.values()} == {np.dtype(np.float32)}
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["head_dim"] == 12
