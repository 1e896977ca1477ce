"""Several processes that train one model: the same as one process does, decided together."""

import math

import pytest
from factories import SONNETS, of_kind
from pair_files import upper_pairs
from processes import files_in, in_processes, train_together

from charrnn_cli.checkpoints.checkpoint import load
from charrnn_cli.errors import CharRNNError
from charrnn_cli.training.distributed.group import ALONE, Group
from charrnn_cli.training.request import PairsRequest

# Groups of processes, once for all tests.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("processes")]

STEPS = 50


def learn(group, folder, text):
    return train_together(group, text, folder / "runs", STEPS)


def learn_as(group, folder, text, model):
    """The first steps of a model of this kind."""
    wishes = {"seq_length": 24, **of_kind(model)}
    return train_together(group, text, folder / "runs", STEPS, **wishes)


def do_all(group, folder, text):
    """All that two processes are asked to do, one after the other."""
    from factories import ask_to_train

    from charrnn_cli.training.setup import open_training

    whole = learn(group, folder, text)
    halved = train_together(group, text, folder / "halved", 20)
    resumed = train_together(group, None, folder.parent / "alone", STEPS, resume="half")

    with open_training(ask_to_train(text, folder / "asked", epochs=99), group) as training:
        # only the second process is asked to stop
        events = list(training.trainer.steps(lambda: not group.first))
    asked = [events[-1].reason, training.trainer.progress.step]

    def spoiled():
        with open_training(ask_to_train(text, folder / "spoiled"), group) as training:
            steps = training.trainer.steps()
            next(steps)
            if not group.first:
                head = training.trainer.model.head
                head.register_forward_hook(lambda module, inputs, logits: logits * math.inf)
            next(steps)

    def too_few():
        train_together(group, text, folder / "few", STEPS, batch_size=1)

    def other_text():
        mine = folder / "mine.txt"
        mine.write_text(text.read_text()[: None if group.first else -1])
        train_together(group, mine, folder / "other", STEPS)

    return {
        "whole": whole,
        "halved": halved,
        "resumed": resumed,
        "asked": asked,
        "errors": {f.__name__: error_of(f) for f in (spoiled, too_few, other_text)},
        "files": files_in(folder),
    }


def error_of(fail):
    """The kind and the words of the error that ends a function."""
    with pytest.raises(CharRNNError) as caught:
        fail()
    return [caught.type.__name__, str(caught.value)]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What one, two and four processes come to."""
    folder = tmp_path_factory.mktemp("processes")
    text = folder / "poems.txt"
    text.write_text(SONNETS.read_text()[:6000])
    alone = learn(ALONE, folder / "one", text)
    train_together(ALONE, text, folder / "two" / "alone", 20, name="half")
    two = in_processes(2, do_all, folder / "two", text)
    four = in_processes(4, learn, folder / "four", text)
    resumed = folder / "two" / "rank0" / "halved"
    back = train_together(ALONE, None, resumed, STEPS, resume="poems")
    return {"folder": folder, 1: alone, 2: two, 4: four, "back": back}


def test_two_and_four_processes_have_the_losses_of_one(results):
    assert len(results[1]["losses"]) == STEPS
    for several in (results[2][0]["whole"], results[4][0]):
        assert several["losses"][:STEPS] == pytest.approx(results[1]["losses"], abs=1e-5, rel=0)


def test_their_held_out_losses_are_those_of_one(results):
    assert len(results[1]["val_losses"]) == 2
    for several in (results[2][0]["whole"], results[4][0]):
        assert several["val_losses"] == pytest.approx(results[1]["val_losses"], abs=1e-5, rel=0)


def test_all_processes_hold_the_same_weights(results):
    assert len({result["whole"]["weights"] for result in results[2]}) == 1
    assert len({result["weights"] for result in results[4]}) == 1


@pytest.mark.parametrize("model", ["gpt2", "llama"])
def test_several_processes_train_a_transformer_as_one_does(model, tmp_path):
    text = tmp_path / "poems.txt"
    text.write_text(SONNETS.read_text()[:3000])
    alone = learn_as(ALONE, tmp_path / "one", text, model)
    for size in (2, 4):
        several = in_processes(size, learn_as, tmp_path / str(size), text, model)
        assert len({result["weights"] for result in several}) == 1
        for kind, count in (("losses", STEPS), ("val_losses", 1)):
            assert len(alone[kind]) >= count
            expected = pytest.approx(alone[kind], abs=1e-5, rel=0)
            assert several[0][kind][: len(alone[kind])] == expected


def learn_pairs(group, folder, pairs):
    """A training on pairs to its end, with its evaluations."""
    wishes = {"seq_length": None, "model": "attention", "hidden_size": 16, "num_layers": 1}
    done = train_together(group, pairs, folder / "runs", STEPS, pairs=PairsRequest(), **wishes)
    if group.first:
        history = load(folder / "runs" / "upper" / "last.safetensors").history
        names = "exact_matches", "character_error_rate"
        done["accuracy"] = [[record[name] for name in names] for record in history]
    return done


def test_several_processes_train_on_pairs_as_one_does(tmp_path):
    pairs = upper_pairs(tmp_path / "upper.tsv")
    alone = learn_pairs(ALONE, tmp_path / "one", pairs)
    several = in_processes(2, learn_pairs, tmp_path / "two", pairs)
    assert len({result["weights"] for result in several}) == 1
    assert len(alone["losses"]) >= STEPS
    for kind in ("losses", "val_losses"):
        expected = pytest.approx(alone[kind], abs=1e-5, rel=0)
        assert several[0][kind][: len(alone[kind])] == expected
    shared = several[0]["accuracy"][: len(alone["accuracy"])]
    assert shared == [pytest.approx(record) for record in alone["accuracy"]]


def test_a_run_of_one_goes_on_in_two(results):
    losses = results[2][0]["resumed"]["losses"]
    assert losses[: STEPS - 20] == pytest.approx(results[1]["losses"][20:], abs=1e-5, rel=0)


def test_a_run_of_two_goes_on_in_one(results):
    assert results[2][0]["halved"]["end"] == ["stopped", 21]  # known one step after it is asked
    assert results["back"]["losses"] == pytest.approx(results[1]["losses"][21:], abs=1e-5, rel=0)


def test_only_the_first_process_writes(results):
    first, second = (result["files"] for result in results[2])
    assert {"best.safetensors", "last.safetensors", "metrics.jsonl"} < set(first)
    assert set(second) == {"mine.txt"}


def test_all_stop_where_one_is_asked_to(results):
    assert [result["asked"] for result in results[2]] == [["stopped", 1]] * 2


def test_what_is_not_finite_for_one_ends_all_in_the_same_words(results):
    first, second = (result["errors"]["spoiled"] for result in results[2])
    assert first == second
    assert first[0] == "DivergedError"
    last = results["folder"] / "two/rank0/spoiled/poems/last.safetensors"
    assert load(last, training=True).progress.step == 1


def test_fewer_batch_rows_than_processes_are_refused(results):
    for result in results[2]:
        kind, message = result["errors"]["too_few"]
        assert kind == "UsageError"
        assert message.startswith("--batch-size 1: too few rows for 2 processes")


def test_processes_that_read_different_texts_are_refused(results):
    for result in results[2]:
        kind, message = result["errors"]["other_text"]
        assert kind == "TextError"
        assert "mine.txt: is not the same text for all processes" in message


class Many(Group):
    """More processes than a small batch has rows, or so it says: there is only one."""

    size = 48


def test_a_plan_has_a_batch_row_for_each_process(tmp_path):
    from factories import ask_to_train, words

    from charrnn_cli.training.setup import open_training

    text = tmp_path / "long.txt"
    text.write_text(words(90_000))
    wishes = {"epochs": 0.3, "hidden_size": 4, "batch_size": None, "seq_length": None}
    with open_training(ask_to_train(text, tmp_path, **wishes)) as training:
        assert training.trainer.config.batch_size < Many.size
    with open_training(ask_to_train(text, tmp_path, **wishes), Many()) as training:
        assert training.trainer.config.batch_size >= Many.size
