"""Models of pairs as ONNX files, run with onnxruntime."""

import json
from pathlib import Path

import numpy as np
import pytest
from factories import one_line_error, save_checkpoint
from pairs import EVERY_MODEL, make_pair_checkpoint

from charrnn_cli.checkpoints.checkpoint import Checkpoint, load
from charrnn_cli.errors import ExitCode
from charrnn_cli.export.onnx_file import write_onnx
from charrnn_cli.models.registry import build_pair_decoder
from charrnn_cli.text.dataset import IGNORE
from charrnn_cli.text.pair_format import PairFormat

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

DATES = Path(__file__).parents[2] / "checkpoints/dates/best.safetensors"
LENGTHS = (1, 9, 4, 40)  # of the sources in a batch, without END


class Halves:
    """An encoder and a decoder, run as docs/export.md says."""

    def __init__(self, checkpoint: Checkpoint, folder) -> None:
        files = write_onnx(checkpoint, folder / "a.onnx")
        self.encoder, self.decoder = (
            onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]) for file in files
        )

    def encode(self, source) -> dict:
        """What the decoder needs of sources (B, S): its memory, and its first state."""
        return self._run(self.encoder, {"source": source})

    def step(self, ids, given: dict) -> tuple[np.ndarray, dict]:
        """The logits (B, T, V) for ids (B, T), and what to give next."""
        outputs = self._run(self.decoder, {"ids": ids} | given)
        logits = outputs.pop("logits")
        self.attention = outputs.pop("attention", None)
        return logits, given | outputs

    @staticmethod
    def _run(session, inputs: dict) -> dict:
        names = [one.name for one in session.get_outputs()]
        wanted = {one.name for one in session.get_inputs()}
        assert set(inputs) == wanted
        outputs = dict(zip(names, session.run(names, inputs), strict=True))
        return {name.removeprefix("new_"): value for name, value in outputs.items()}


def some_sources(checkpoint: Checkpoint, padding: int) -> np.ndarray:
    """Sources (B, S) of different lengths, each with its END."""
    rng, end = np.random.default_rng(2), checkpoint.pairs.source.end
    rows = np.full((len(LENGTHS), max(LENGTHS) + 1), padding)
    for row, length in zip(rows, LENGTHS, strict=True):
        row[: length + 1] = [*rng.integers(0, end, length), end]
    return rows


def some_inputs(checkpoint: Checkpoint, steps: int) -> np.ndarray:
    """Inputs (B, T) of the decoder, which begin with END."""
    end = checkpoint.pairs.target.end
    drawn = np.random.default_rng(3).integers(0, end, (len(LENGTHS), steps - 1))
    return np.concatenate([np.full((len(LENGTHS), 1), end), drawn], axis=1)


def own_logits(checkpoint: Checkpoint, inputs) -> np.ndarray:
    """The logits (B, T, V) of the NumPy decoder."""
    decoder = build_pair_decoder(checkpoint.model, checkpoint.weights)
    source = some_sources(checkpoint, IGNORE)
    return decoder.logits(source.T, inputs.T).swapaxes(0, 1)


@EVERY_MODEL
@pytest.mark.parametrize("layers", [2, pytest.param(1, marks=pytest.mark.slow)])
def test_targets_in_one_call_get_the_same_logits(name, layers, tmp_path):
    checkpoint = make_pair_checkpoint(name, layers=layers)
    halves, inputs = Halves(checkpoint, tmp_path), some_inputs(checkpoint, 300)
    given = halves.encode(some_sources(checkpoint, checkpoint.pairs.source.end))
    logits, _ = halves.step(inputs, given)
    np.testing.assert_allclose(logits, own_logits(checkpoint, inputs), atol=1e-4, rtol=1e-4)


def test_a_transformer_that_adds_no_positions_gets_the_same_logits(tmp_path):
    checkpoint = make_pair_checkpoint("transformer", adds_positions=False)
    halves, inputs = Halves(checkpoint, tmp_path), some_inputs(checkpoint, 30)
    given = halves.encode(some_sources(checkpoint, checkpoint.pairs.source.end))
    logits, _ = halves.step(inputs, given)
    np.testing.assert_allclose(logits, own_logits(checkpoint, inputs), atol=1e-4, rtol=1e-4)


@EVERY_MODEL
def test_targets_symbol_by_symbol_get_the_same_logits(name, tmp_path):
    checkpoint = make_pair_checkpoint(name, layers=2)
    halves, inputs = Halves(checkpoint, tmp_path), some_inputs(checkpoint, 60)
    given = halves.encode(some_sources(checkpoint, checkpoint.pairs.source.end))
    written = []
    for place in range(60):
        logits, given = halves.step(inputs[:, place : place + 1], given)
        written.append(logits[:, 0])
    got = np.stack(written, axis=1)
    np.testing.assert_allclose(got, own_logits(checkpoint, inputs), atol=1e-4, rtol=1e-4)


@EVERY_MODEL
def test_what_pads_a_source_after_its_end_changes_nothing(name, tmp_path):
    checkpoint = make_pair_checkpoint(name, layers=2)
    halves, inputs = Halves(checkpoint, tmp_path), some_inputs(checkpoint, 5)
    first, second = (
        halves.step(inputs, halves.encode(some_sources(checkpoint, padding)))[0]
        for padding in (0, checkpoint.pairs.source.end)
    )
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("name", ["attention", "transformer"])
def test_the_attention_is_that_of_the_decoder(name, tmp_path):
    checkpoint = make_pair_checkpoint(name, layers=2)
    halves, inputs = Halves(checkpoint, tmp_path), some_inputs(checkpoint, 3)
    halves.step(inputs, halves.encode(some_sources(checkpoint, checkpoint.pairs.source.end)))
    decoder = build_pair_decoder(checkpoint.model, checkpoint.weights)
    decoder.logits(some_sources(checkpoint, IGNORE).T, inputs.T)
    np.testing.assert_allclose(halves.attention[:, -1], decoder.attention[:, 0], atol=1e-5)


def greedy(session: Halves, facts: dict, line: str, limit: int) -> str:
    """The most likely target of a line, by the metadata alone."""
    source = [facts["source_vocabulary"].index(c) for c in line] + [int(facts["source_end"])]
    given, index, text = session.encode(np.array([source])), int(facts["begin"]), ""
    for _ in range(limit):
        logits, given = session.step(np.array([[index]]), given)
        index = int(logits[0, 0].argmax())
        if index == int(facts["end"]):
            break
        text += facts["vocabulary"][index]
    return text


@EVERY_MODEL
def test_the_most_likely_text_is_that_of_translate(name, tmp_path, invoke):
    checkpoint = make_pair_checkpoint(name, layers=2)
    file = save_checkpoint(tmp_path / "m" / "best.safetensors", checkpoint)
    halves = Halves(checkpoint, tmp_path)
    facts = halves.decoder.get_modelmeta().custom_metadata_map
    lines = ["abcd", "é", "dab", "ccc"]
    limit = checkpoint.pairs.lengths.limit(4)
    translated = invoke("translate", file, *lines, "--beam-size", 1).stdout.splitlines()
    assert [greedy(halves, facts, line, limit) for line in lines] == translated


def test_a_trained_model_translates_as_the_command_does(tmp_path, invoke):
    halves = Halves(load(DATES), tmp_path)
    facts = halves.encoder.get_modelmeta().custom_metadata_map
    lines = ["3 May 1998", "Tuesday, 14 March 2023", "1.1.01"]
    translated = invoke("translate", DATES, *lines, "--beam-size", 1).stdout.splitlines()
    assert [greedy(halves, facts, line, 20) for line in lines] == translated


def test_the_metadata_say_how_to_read_a_line(tmp_path):
    pair_format = PairFormat((1,), 3, (2,), max_length=50)
    checkpoint = make_pair_checkpoint(features=("N", "PL"), pair_format=pair_format)
    halves = Halves(checkpoint, tmp_path)
    for session, part in ((halves.encoder, "encoder"), (halves.decoder, "decoder")):
        facts = session.get_modelmeta().custom_metadata_map
        assert facts["part"] == part
        assert facts["source_vocabulary"] == "abcdé"
        assert facts["vocabulary"] == " ABCD"
        assert json.loads(facts["features"]) == ["N", "PL"]
        assert (facts["source_end"], facts["begin"], facts["end"]) == ("7", "5", "5")
        assert json.loads(facts["source_columns"]) == [1]
        assert json.loads(facts["feature_columns"]) == [2]
        assert (facts["target_column"], facts["max_length"]) == ("3", "50")
        assert facts["normalize"] == "none"


def test_the_same_model_gives_the_same_bytes(tmp_path):
    first, second = (
        write_onnx(make_pair_checkpoint("transformer"), tmp_path / name) for name in ("a", "b")
    )
    assert [f.read_bytes() for f in first] == [f.read_bytes() for f in second]


@pytest.fixture
def pairs(tmp_path):
    return save_checkpoint(tmp_path / "ice" / "best.safetensors", make_pair_checkpoint())


def test_the_command_writes_two_files_and_lists_them(invoke, pairs, tmp_path):
    result = invoke("export", pairs, "--onnx", "ice.onnx", "--json")
    assert result.exit_code == 0, result.stderr
    written = json.loads(result.stdout)["written"]
    assert [one["file"] for one in written] == ["ice.encoder.onnx", "ice.decoder.onnx"]
    assert [one["bytes"] for one in written] == [
        (tmp_path / one["file"]).stat().st_size for one in written
    ]
    assert not (tmp_path / "ice.onnx").exists()


@pytest.mark.parametrize("half", ["encoder", "decoder"])
def test_either_file_that_exists_is_refused(half, invoke, pairs, tmp_path):
    (tmp_path / f"ice.{half}.onnx").write_text("precious")
    before = {path.name for path in tmp_path.iterdir()}
    line = one_line_error(invoke("export", pairs, "--onnx", "ice.onnx"), ExitCode.WRITE)
    assert f"ice.{half}.onnx: exists" in line
    assert "--force" in line
    assert {path.name for path in tmp_path.iterdir()} == before
    assert (tmp_path / f"ice.{half}.onnx").read_text() == "precious"
    assert invoke("export", pairs, "--onnx", "ice.onnx", "--force").exit_code == 0


def test_if_one_file_cannot_be_written_the_other_stays(invoke, pairs, tmp_path):
    (tmp_path / "ice.encoder.onnx").write_text("old")
    (tmp_path / "ice.decoder.onnx").mkdir()
    line = one_line_error(invoke("export", pairs, "--onnx", "ice.onnx", "--force"), ExitCode.WRITE)
    assert "ice.decoder.onnx: is not a regular file" in line
    assert (tmp_path / "ice.encoder.onnx").read_text() == "old"
    assert {path.name for path in tmp_path.iterdir()} == {
        "ice", "ice.encoder.onnx", "ice.decoder.onnx"
    }  # fmt: skip


def test_a_folder_is_no_file_for_them(invoke, pairs):
    assert "is a folder" in one_line_error(invoke("export", pairs, "--onnx", "."), ExitCode.WRITE)
