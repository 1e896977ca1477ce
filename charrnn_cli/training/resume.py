"""What a run needs in order to go on: its last state, its own text, and something left to do."""

import os
import stat
from collections.abc import Callable

from charrnn_cli.checkpoints.checkpoint import Checkpoint, load
from charrnn_cli.checkpoints.records import CorpusInfo
from charrnn_cli.checkpoints.runs import Run
from charrnn_cli.config import TrainConfig
from charrnn_cli.errors import CheckpointError, TextError, UsageError
from charrnn_cli.text.corpus import Corpus, read_corpus
from charrnn_cli.training.planning import planned_steps


def load_to_resume(run: Run, from_best: bool) -> Checkpoint:
    """The checkpoint that a run goes on from: `last`, or `best` if told so.

    Raises CheckpointError, naming the ways on, if that one is missing or damaged.
    """
    if from_best:
        return load(run.best)
    again = f"charrnn train TEXT --resume {run.name} --from-best"
    if not run.last.is_file():
        raise CheckpointError(
            f"run {run.name} holds a model but no training to go on with. Go on from its weights: "
            f"{again}; or start a new run from them: charrnn train TEXT --init-from {run.name}"
        )
    try:
        return load(run.last, training=True)
    except CheckpointError as error:
        if not run.best.is_file():
            raise
        raise CheckpointError(f"{error} To go on from its best instead: {again}") from None


def text_to_resume(
    run: Run,
    checkpoint: Checkpoint,
    source: str | None,
    changed_text: bool,
    from_best: bool = False,
    read: Callable[[str], Corpus] = read_corpus,
) -> tuple[Corpus, tuple[str, ...]]:
    """The text that a run goes on with, in its model's vocabulary, and what to know of it: `source`
    or the text where it was. Another text is refused unless `changed_text` insists on it.
    `read` reads it.

    Raises TextError for that, or if a changed text has characters that the model does not know.
    """
    source = source or text_path(checkpoint.corpus)
    if source is None:
        path = checkpoint.corpus.path
        again = f"charrnn train TEXT --resume {run.name}"
        again += " --from-best" * from_best + " --changed-text" * changed_text
        if from_best and path is None:  # `best` never has it: it may be given to others
            raise UsageError(f"{run.best} does not say where its text is; give it: {again}")
        raise UsageError(
            f"the text of run {run.name}, {path or 'which came through a pipe'}, is not there; "
            f"give it again: {again}"
        )
    corpus = read(source)
    old, new = checkpoint.corpus.sha256[:12], corpus.sha256[:12]
    config = checkpoint.train
    changed = corpus.sha256 != checkpoint.corpus.sha256
    if changed and not changed_text:
        raise TextError(
            f"{corpus.name}: not the text of run {run.name} (SHA-256 {new}…, was {old}…). Give "
            "that text, insist on this one with --changed-text, or train a new run on it: "
            f"--init-from {run.name}"
        )
    corpus.recode(checkpoint.vocabulary, fold=config.min_count > 1)
    train_part, _ = corpus.split(config.val_fraction)
    if not train_part.steps_per_epoch(config):
        needed = config.batch_size * config.seq_length + 1
        raise TextError(
            f"{corpus.name}: {len(train_part):,} characters to train on; the batches of run "
            f"{run.name} need {needed:,}. Give it a longer text."
        )
    if not changed:
        return corpus, corpus.notes
    note = f"the text has changed (SHA-256 {new}…, was {old}…): the best is sought anew on this one"
    return corpus, (*corpus.notes, note)


def text_path(corpus: CorpusInfo) -> str | None:
    """Where a checkpoint says that its text is, if there is a file.

    That is only ever read, and its checksum compared. Still, who made the checkpoint chose the
    path: it must be of an ordinary file, which the endless ones of a system, of no size, are not.
    """
    path = corpus.path
    if path is None or not os.path.isabs(path):
        return None
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return path if stat.S_ISREG(found.st_mode) and found.st_size else None


def refuse_if_complete(
    run: Run, checkpoint: Checkpoint, config: TrainConfig, epoch_steps: int, seconds: float
) -> None:
    """Raise UsageError if `config` leaves nothing to train, after so many seconds."""
    progress, epochs, minutes = checkpoint.progress, config.epochs, config.minutes
    done = epochs is not None and progress.step >= planned_steps(epochs, epoch_steps)
    spent = minutes is not None and seconds >= 60 * minutes
    if done or spent or (progress.finished and config == checkpoint.train):
        more = (
            f"--minutes {2 * max(minutes, seconds / 60):.3g}"
            if minutes is not None
            else f"--epochs {2 * max(epochs or 0, progress.epoch):g}"
        )
        raise UsageError(
            f"run {run.name} is complete at {progress.epoch:.1f} epochs. Give it more: {more}"
        )
