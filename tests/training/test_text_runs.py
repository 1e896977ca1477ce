"""Runs on several texts, on lists, and with a held-out text of the user's own."""

import numpy as np
import pytest
import torch
from factories import SONNETS, ask_to_train, files, surprisal_of, train

from charrnn_cli.checkpoints.checkpoint import load
from charrnn_cli.errors import TextError, UsageError
from charrnn_cli.models.module import Model
from charrnn_cli.models.registry import build_decoder
from charrnn_cli.models.weights import trained_model
from charrnn_cli.scoring.item_surprisal import ItemSurprisal
from charrnn_cli.training.evaluation import held_out_loss
from charrnn_cli.training.events import Evaluated

pytestmark = pytest.mark.slow  # whole trainings

VERSE = SONNETS.read_text()
NAMES = sorted({word.strip(".,;:!?'").lower() for word in VERSE[:4_000].split()})


@pytest.fixture
def names(tmp_path):
    path = tmp_path / "names.txt"
    path.write_text("\n".join(NAMES) + "\n")
    return path


@pytest.fixture
def poems(tmp_path):
    """A folder of three texts."""
    folder = tmp_path / "poems"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.txt").write_text(VERSE[number * 5_000 :][: 900 + 200 * number])
    return folder


KINDS = {"gru": {}, "lstm": {}, "gpt2": {"num_heads": 2, "context": 16, "seq_length": None}}


@pytest.mark.parametrize("model", KINDS)
@pytest.mark.parametrize("kind", ["names", "poems"])
def test_a_run_stopped_and_resumed_has_the_bytes_of_one_undisturbed(
    kind, model, names, poems, tmp_path
):
    text = {"names": names, "poems": poems}[kind]
    wishes = {"model": model, **KINDS[model], "lines": True if kind == "names" else None}
    _, whole = train(text, tmp_path / "a", **wishes)
    train(text, tmp_path / "b", stop_at=whole.epoch_steps + 3, **wishes)
    _, resumed = train(None, tmp_path / "b", resume="")
    assert files(resumed.run) == files(whole.run)
    assert load(resumed.run.best).format == 4


def test_a_run_is_named_after_its_folder_and_knows_each_file(poems, tmp_path):
    _, trainer = train(poems, tmp_path / "runs")
    assert trainer.run.name == "poems"
    last, best = load(trainer.run.last).corpus, load(trainer.run.best).corpus
    assert (last.sources, best.sources) == ((str(poems),), ())
    assert len(best.file_sha256s) == 3
    assert best.characters == sum(len(path.read_text()) for path in poems.iterdir())


def test_a_folder_with_a_changed_file_is_refused_and_can_be_insisted_on(poems, tmp_path):
    train(poems, tmp_path, stop_at=3)
    (poems / "1.txt").write_text((poems / "1.txt").read_text()[::-1])
    with pytest.raises(TextError, match="2 of its 3 files are the same"):
        train(None, tmp_path, resume="")
    events, _ = train(None, tmp_path, resume="", changed_text=True)
    assert events[-1].reason == "complete"


def test_a_state_starts_afresh_at_each_document(poems, tmp_path):
    """The gradient of a batch whose rows all begin anew is that from a state of zero."""
    _, trainer = train(poems, tmp_path, stop_at=3)
    batches = trainer.train_part.batches(trainer.config, 0, slice(0, 4))
    index = next(i for i, batch in enumerate(batches) if i and batch.fresh.any())
    for values in trainer.updates.state.values():
        values.fill_(7.0)
    seen = {}
    forward = Model.__call__

    def watch(model, batch, state):
        seen.update({name: values.clone() for name, values in state.items()})
        return forward(model, batch, state)

    from charrnn_cli.training.batches import DeviceBatches

    on_device = DeviceBatches(batches, torch.device("cpu"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Model, "__call__", watch)
        trainer.updates.step(on_device[index], 0.0, 99)
    for values in seen.values():
        fresh = torch.from_numpy(batches[index].fresh)
        assert (values[fresh] == 0).all()
        assert (values[~fresh] == 7).all()


def test_a_text_of_the_users_own_is_held_out_whole(names, poems, tmp_path):
    val_text = tmp_path / "val.txt"
    val_text.write_text(VERSE[50_000:50_900] + "€")
    _, trainer = train(poems, tmp_path / "runs", val_sources=(str(val_text),))
    assert len(trainer.train_part) == len(trainer.dataset)
    assert "€" in trainer.dataset.vocabulary
    stored = load(trainer.run.last)
    assert stored.val_text.path == str(val_text)
    assert load(trainer.run.best).val_text.path is None
    assert stored.train.hold_out == "text"
    val_text.write_text(VERSE[50_000:50_900])
    with pytest.raises(TextError, match=r"val\.txt: not the text of run poems"):
        train(None, tmp_path / "runs", resume="", epochs=3)


def test_a_resume_finds_the_held_out_text_again(rain, tmp_path):
    val_text = tmp_path / "val.txt"
    val_text.write_text("the rain in spain falls mainly " * 9)
    wishes = {"val_sources": (str(val_text),)}
    _, whole = train(rain, tmp_path / "a", **wishes)
    train(rain, tmp_path / "b", stop_at=5, **wishes)
    _, resumed = train(None, tmp_path / "b", resume="")
    assert files(resumed.run) == files(whole.run)


def test_a_resumed_run_takes_no_new_held_out_text(rain, tmp_path):
    train(rain, tmp_path, stop_at=3)
    with pytest.raises(UsageError, match="keeps its held-out part"):
        train(None, tmp_path, resume="", val_sources=(str(rain),))


def test_blocks_held_out_are_the_same_on_a_resume(tmp_path):
    text = tmp_path / "mixed.txt"
    text.write_text(VERSE[:12_000] + "\n".join(reversed(NAMES)))
    _, whole = train(text, tmp_path / "a", epochs=0.3)
    train(text, tmp_path / "b", stop_at=3, epochs=0.3)
    _, resumed = train(None, tmp_path / "b", resume="")
    assert whole.config.hold_out == "blocks"
    assert files(resumed.run) == files(whole.run)


@pytest.mark.parametrize("model", ["gru", "rnn", "llama"])
def test_score_measures_lines_as_the_training_does(model, names, tmp_path):
    sizes = {"num_heads": 2, "context": 32, "seq_length": None} if model == "llama" else {}
    _, trainer = train(names, tmp_path, model=model, lines=True, **sizes)
    checkpoint = load(trainer.run.last)
    newline = checkpoint.vocabulary.line_start
    open_decoder = lambda count: build_decoder(checkpoint.model, checkpoint.weights, count)  # noqa: E731
    bits = ItemSurprisal(open_decoder, newline).bits(trainer.held_out_part.ids.astype(np.int64))
    loss = held_out_loss(
        trained_model(checkpoint.model, checkpoint.weights, torch.device("cpu")),
        trainer.held_out_part,
    )
    assert bits.mean() * np.log(2) == pytest.approx(loss, abs=1e-4)


def test_texts_without_lists_and_documents_are_stored_as_before(rain, tmp_path):
    _, trainer = train(rain, tmp_path)
    assert load(trainer.run.best).format == 2


def test_the_held_out_loss_of_documents_needs_no_text_between_them(poems, tmp_path):
    _, trainer = train(poems, tmp_path, epochs=3)
    loss = held_out_loss(trainer.model, trainer.held_out_part)
    checkpoint = load(trainer.run.last)
    bits = []
    spans, ids = trainer.held_out_part.spans, trainer.held_out_part.corpus.ids
    for origin, first, end in zip(*spans, strict=True):
        meter = surprisal_of(checkpoint)
        bits.append(meter.bits(ids[max(origin, first - 257) : end].astype(np.int64))[first - end :])
    assert np.concatenate(bits).mean() * np.log(2) == pytest.approx(loss, abs=1e-4)


def test_asking_for_no_text_at_all_is_refused(tmp_path):
    from charrnn_cli.training.setup import open_training

    with (
        pytest.raises(UsageError, match="name the text"),
        open_training(ask_to_train(None, tmp_path)),
    ):
        pass


def test_the_training_loss_on_a_changed_text_is_that_of_its_own_steps(rain, tmp_path):
    _, first = train(rain, tmp_path, epochs=4)
    rain.write_text(rain.read_text() + " the rain in spain")
    events, _ = train(None, tmp_path, resume="", changed_text=True, epochs=6)
    evaluated = next(event for event in events if isinstance(event, Evaluated))
    assert evaluated.train_loss == pytest.approx(first.history[-1]["train_loss"], rel=0.5)
