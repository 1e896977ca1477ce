"""Models as ONNX files, run with onnxruntime."""

from dataclasses import replace

import numpy as np
import pytest
from factories import make_checkpoint

from charrnn_cli.checkpoints.checkpoint import Checkpoint
from charrnn_cli.export.onnx_file import metadata, write_onnx
from charrnn_cli.models.registry import build_decoder

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

VOCABULARY = "abcdefgh\n é😀\0"
RECURRENT = ("gru", "lstm", "rnn")
EVERY_ARCHITECTURE = pytest.mark.parametrize(
    "architecture",
    [
        "gru",
        "gpt2",
        *(pytest.param(one, marks=pytest.mark.slow) for one in ("lstm", "rnn", "llama")),
    ],
)


def long_checkpoint(architecture: str, context: int = 1000) -> Checkpoint:
    """A random model that reads 1,000 characters at once. Its weights are so small that a recurrent
    state is not chaotic: rounding errors would grow."""
    checkpoint = make_checkpoint(architecture, hidden_size=16, vocabulary=VOCABULARY)
    model = checkpoint.model
    if architecture not in RECURRENT:
        model = replace(model, context=context)
    rng = np.random.default_rng(3)
    shapes = model.parameter_shapes()
    weights = {n: rng.normal(size=s).astype(np.float32) * 0.2 for n, s in shapes.items()}
    return replace(checkpoint, model=model, weights=weights)


def open_session(checkpoint: Checkpoint, path):
    write_onnx(checkpoint, path)
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def beginning(session, rows: int) -> dict:
    """The state before any character: zeros, and an empty cache."""
    sizes = {"batch": rows, "past": 0}
    return {
        one.name: np.zeros([sizes.get(size, size) for size in one.shape], np.float32)
        for one in session.get_inputs()
        if one.name != "ids"
    }


def run(session, ids, state: dict) -> tuple[np.ndarray, dict]:
    """The logits (B, T, V) for ids (B, T), and the state after them."""
    names = [one.name for one in session.get_outputs()]
    outputs = dict(zip(names, session.run(names, {"ids": ids, **state}), strict=True))
    logits = outputs.pop("logits")
    return logits, {name.removeprefix("new_"): value for name, value in outputs.items()}


def some_ids(*shape: int) -> np.ndarray:
    return np.random.default_rng(7).integers(0, len(VOCABULARY), shape)


@EVERY_ARCHITECTURE
def test_a_text_in_one_call_gives_the_same_logits(architecture, tmp_path):
    checkpoint = long_checkpoint(architecture)
    session = open_session(checkpoint, tmp_path / "a.onnx")
    ids = some_ids(1, 1000)
    logits, _ = run(session, ids, beginning(session, 1))
    own = build_decoder(checkpoint.model, checkpoint.weights).logits(ids[0])
    np.testing.assert_allclose(logits[0], own, atol=1e-4, rtol=1e-4)


@EVERY_ARCHITECTURE
def test_a_text_character_by_character_gives_the_same_logits(architecture, tmp_path):
    checkpoint = long_checkpoint(architecture)
    session = open_session(checkpoint, tmp_path / "a.onnx")
    ids, state, written = some_ids(1, 1000), beginning(session, 1), []
    for place in range(1000):
        logits, state = run(session, ids[:, place : place + 1], state)
        written.append(logits[0, 0])
    own = build_decoder(checkpoint.model, checkpoint.weights).logits(ids[0])
    np.testing.assert_allclose(np.array(written), own, atol=1e-4, rtol=1e-4)


@EVERY_ARCHITECTURE
def test_rows_of_a_batch_are_read_side_by_side(architecture, tmp_path):
    checkpoint = long_checkpoint(architecture)
    session = open_session(checkpoint, tmp_path / "a.onnx")
    ids = some_ids(3, 9)
    first, state = run(session, ids[:, :4], beginning(session, 3))
    second, _ = run(session, ids[:, 4:], state)
    own = build_decoder(checkpoint.model, checkpoint.weights, 3).logits(ids.T)  # (T, B, V)
    both = np.concatenate([first, second], axis=1).swapaxes(0, 1)
    np.testing.assert_allclose(both, own, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("architecture", ["gpt2", "llama"])
def test_a_full_context_begins_again_with_its_newer_half(architecture, tmp_path):
    """What docs/export.md tells the caller to do beyond the context."""
    checkpoint = long_checkpoint(architecture, context=10)
    session = open_session(checkpoint, tmp_path / "a.onnx")
    context = int(session.get_modelmeta().custom_metadata_map["context"])
    ids, window, state, written = some_ids(40), [], beginning(session, 1), []
    for index in ids:
        new = [index]
        if len(window) == context:
            window = window[context - context // 2 :]
            new, state = [*window, index], beginning(session, 1)
        logits, state = run(session, np.array([new]), state)
        window.append(index)
        written.append(logits[0, -1])
    own = build_decoder(checkpoint.model, checkpoint.weights).logits(ids)
    np.testing.assert_allclose(np.array(written), own, atol=1e-4, rtol=1e-4)


def test_the_metadata_hold_the_vocabulary(tmp_path):
    import onnx

    checkpoint = long_checkpoint("gru")
    session = open_session(checkpoint, tmp_path / "a.onnx")
    held = {p.key: p.value for p in onnx.load(tmp_path / "a.onnx").metadata_props}
    assert held["vocabulary"] == checkpoint.vocabulary.characters
    assert held["architecture"] == session.get_modelmeta().custom_metadata_map["architecture"]
    assert held["val_loss"] == "1.0"


def test_the_metadata_say_that_lines_are_items():
    checkpoint = long_checkpoint("gru")
    assert "lines" not in metadata(checkpoint)
    items = replace(checkpoint, train=replace(checkpoint.train, lines=True))
    assert metadata(items)["lines"] == "true"


def test_the_same_model_gives_the_same_bytes(tmp_path):
    for name in ("a.onnx", "b.onnx"):
        write_onnx(make_checkpoint("llama"), tmp_path / name)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
