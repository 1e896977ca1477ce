"""What a training on pairs reports otherwise than one on a text."""

from typing import Any

from charrnn_cli.checkpoints.checkpoint import load
from charrnn_cli.formatting import bits_per_char, duration
from charrnn_cli.models.weights import trained_model
from charrnn_cli.terminal.console import to_terminal
from charrnn_cli.text.pairs import Pairs
from charrnn_cli.training.pair_accuracy import measure_accuracy
from charrnn_cli.training.preview import in_words
from charrnn_cli.training.trainer import Trainer

# After a training, some of so many held-out pairs are shown, with different sources.
SHOWN_OF = 25


def data_words(pairs: Pairs, trainer: Trainer) -> str:
    """The pairs of a run in words, for its plan."""
    train, held_out = map(len, pairs.split_rows(trainer.config.val_fraction))
    target, source = pairs.vocabulary_sizes
    return (
        f"{pairs.name}: {train:,} pairs, {held_out:,} held out; {(source or 1) - 1} source and "
        f"{target - 1} target symbols"
    )


def best_line(trainer: Trainer) -> str:
    """The best evaluation of a run, and where its checkpoint is."""
    progress, record = trainer.progress, trainer.best_evaluation()
    assert record is not None
    loss = record["val_loss"]
    accuracy = (
        ""
        if "exact_matches" not in record
        else (
            f"{record['exact_matches']:.1%} exact matches, {record['character_error_rate']:.1%} "
            "character errors, "
        )
    )
    return (
        f"Best held-out: {accuracy}loss {loss:.4f} nats ({bits_per_char(loss):.3f} bits/char) at "
        f"step {int(record['step']):,} of {progress.step:,}, in {duration(trainer.seconds())}: "
        f"{trainer.run.best}"
    )


def best_examples(trainer: Trainer) -> list[str]:
    """Some held-out sources and what the best checkpoint makes of them, a line each."""
    best = load(trainer.run.best)
    model = trained_model(best.model, best.weights, trainer.device)
    held_out = trainer.held_out_part
    assert isinstance(held_out, Pairs)
    accuracy = measure_accuracy(model, held_out.first(SHOWN_OF))
    return [f"  {to_terminal(in_words(example))}" for example in accuracy.examples]


def best_accuracy(trainer: Trainer) -> dict[str, Any]:
    """The accuracy of the best checkpoint by name, as JSON can hold it; nothing for a text."""
    if trainer.pairs is None:
        return {}
    record = trainer.best_evaluation() or {}
    return {name: record.get(name) for name in ("exact_matches", "character_error_rate")}
