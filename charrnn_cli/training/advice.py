"""What a run's losses say about it, and what to do next."""

import shlex
from collections.abc import Iterator

from charrnn_cli.checkpoints.checkpoint import peek
from charrnn_cli.checkpoints.records import Baselines
from charrnn_cli.checkpoints.runs import Run
from charrnn_cli.errors import CheckpointError
from charrnn_cli.formatting import bits_per_char, duration
from charrnn_cli.models.registry import DEFAULT
from charrnn_cli.settings.table import SETTINGS
from charrnn_cli.training.diagnosis import Diagnosis, diagnosis, diagnosis_of_pairs
from charrnn_cli.training.going_back import middle_of
from charrnn_cli.training.held_out import HeldOut, held_out_facts
from charrnn_cli.training.pace import step_seconds
from charrnn_cli.training.pair_runs import pair_options
from charrnn_cli.training.planning import MIDDLE, trained_enough
from charrnn_cli.training.request import Request
from charrnn_cli.training.trainer import Trainer

FEW_STEPS = 10  # a run of fewer steps has hardly learned anything
WORTHWHILE_STEPS = 200  # going on is advised for at least this many steps
NOTHING_NATS = 0.01  # a model this near the unigram baseline has learned no more than that


def diagnosis_lines(request: Request, trainer: Trainer) -> list[str]:
    """What the run's losses say about it, and what to do next."""
    resume = resume_command(request, trainer)
    progress = trainer.progress
    minutes = trainer.config.minutes
    if minutes is not None and trainer.start_up >= 60 * minutes:
        return [
            f"It has hardly learned: the start took {duration(trainer.start_up)}, longer than all "
            f"the time allowed, so that it made a single step. To go on: {resume}"
        ]
    if minutes is not None and progress.step < FEW_STEPS:
        return [
            f"It has hardly learned: there was time for {progress.step:,} "
            f"step{'s' * (progress.step > 1)} after a start of {duration(trainer.start_up)}. "
            f"To go on: {resume}"
        ]
    if trainer.pairs is not None:
        return [_advice_for_pairs(request, trainer, resume)]
    held_out = held_out_facts(trainer.dataset, trainer.config.val_fraction)
    return [*_beside_baselines(trainer), _advice(request, trainer, resume, held_out)]


def _beside_baselines(trainer: Trainer) -> Iterator[str]:
    """Where the best held-out loss is no better than those of models without a network."""
    best, baselines = trainer.best_evaluation(), trainer.baselines
    if not isinstance(baselines, Baselines) or best is None:
        return
    loss = best["val_loss"]
    if loss > baselines.unigram - NOTHING_NATS:
        yield (
            "It has learned nothing beyond how frequent characters are, which alone gives "
            f"{bits_per_char(baselines.unigram):.3f} bits/char."
        )
    elif loss > baselines.five_gram:
        yield (
            f"That is {bits_per_char(loss - baselines.five_gram):.3f} bits/char worse than a "
            "5-gram model, which only counts which characters follow which."
        )


def _advice(request: Request, trainer: Trainer, resume: str, held_out: HeldOut) -> str:
    found: Diagnosis = diagnosis(trainer.history, held_out.chance, trainer.to_beat)
    if found == "unclear":
        if _goes_on_from_middle(trainer.run):
            return f"It ended before it could show what more time would bring. To go on: {resume}"
        return (
            "It ended before it could show what more time would bring. A longer run learns more "
            f"than this one gone on with: {longer_command(request, trainer)}. To go on: {resume}"
        )
    if held_out.says_nothing:
        return (
            "What more time would bring cannot be told: only "
            f"{held_out.characters:,} characters are held out. Hold out more, or another text: "
            "--val-fraction, --val-text"
        )
    if _nothing_to_learn(trainer):
        return (
            "A 5-gram model finds nothing more in this text either: if its characters come in a "
            "random order, no training helps."
        )
    if held_out.measures_memory:
        return (
            f"What more time would bring cannot be told: {held_out.copied:.0%} of the held-out "
            "part stands in the part trained on as well, so its loss measures memory. Hold out "
            "another text: --val-text"
        )
    if found == "improving":
        if trained_enough(len(trainer.train_part), trainer.model.config, trainer.progress.epoch):
            # Both losses drop at the schedule's end; such runs, when resumed, grew no better.
            return (
                "It has made all the passes that pay on a text of this size: more would be learned "
                "by heart. More text would help."
            )
        return _still_improving(request, trainer, resume)
    if found == "settled":
        return (
            "It had almost settled: more time would gain little. More text or units would gain "
            "more."
        )
    return _advice_on_overfitting(trainer, held_out)


def _advice_on_overfitting(trainer: Trainer, held_out: HeldOut) -> str:
    baselines, best_is_older = trainer.baselines, trainer.to_beat is not None
    by_heart = (
        not isinstance(baselines, Baselines)
        or trainer.history[-1]["train_loss"] < baselines.five_gram
    )
    if by_heart and best_is_older:
        return (
            "Since it was resumed, it has learned the text by heart, and its held-out loss ended "
            "above that of the best, which is older. More text would help, or more --dropout, or a "
            "smaller --hidden-size."
        )
    if by_heart:
        return (
            "Towards its end it learned the text by heart, so the best is from before. More text "
            "would help, or more --dropout, or a smaller --hidden-size."
        )
    if best_is_older:
        return (
            "Since it was resumed, its held-out loss ended above that of the best, which is older, "
            "although it has not learned the text by heart. More text would help, or another "
            "--val-text."
        )
    if held_out.too_short:
        return (
            "Towards its end the held-out loss rose, so the best is from before. Of only "
            f"{held_out.characters:,} held-out characters that can be chance: more text would help."
        )
    return (
        "Towards its end the held-out loss rose, so the best is from before, although it has not "
        "learned the text by heart. The held-out part may be unlike the rest: compare with "
        "another --val-text."
    )


def _goes_on_from_middle(run: Run) -> bool:
    """Whether a resume of twice the length goes on from the middle of the run as it is saved."""
    try:
        return middle_of(run, peek(run.last)) is not None
    except CheckpointError:
        return False


def _still_improving(request: Request, trainer: Trainer, resume: str) -> str:
    if _goes_on_from_middle(trainer.run):
        seconds = _longer_seconds(trainer, beginning_at=MIDDLE / 2)
        return (
            f"It was still improving when it ended, and learns more in {_longer(trainer)}, which "
            f"takes about {duration(seconds)} more, from its middle on: {resume}"
        )
    return (
        f"It was still improving when it ended. A new run of {_longer(trainer)}, which takes about "
        f"{duration(_longer_seconds(trainer))}, learns more than this one gone on with, whose "
        f"learning rate has fallen: {longer_command(request, trainer)}. "
        f"To go on all the same: {resume}"
    )


def _advice_for_pairs(request: Request, trainer: Trainer, resume: str) -> str:
    found = diagnosis_of_pairs(trainer.history)
    if found == "unclear":
        return f"It ended before it could show what more time would bring. To go on: {resume}"
    if found == "improving":
        return _still_improving(request, trainer, resume)
    if found == "settled":
        return "It had settled: more time would gain little. More pairs would gain more."
    if trainer.to_beat is not None:
        return (
            "Since it was resumed, it ended with fewer held-out pairs right than the best has, "
            "which is older. More pairs would help, or more --dropout, or a smaller --hidden-size."
        )
    return (
        "Towards its end it got fewer held-out pairs right, so the best is from before. More pairs "
        "would help, or more --dropout, or a smaller --hidden-size."
    )


def _nothing_to_learn(trainer: Trainer) -> bool:
    """Whether neither the model nor a 5-gram model is better than the unigram baseline."""
    best, baselines = trainer.best_evaluation(), trainer.baselines
    if not isinstance(baselines, Baselines) or best is None:
        return False
    return min(best["val_loss"], baselines.five_gram) > baselines.unigram - NOTHING_NATS


def command_for(request: Request, trainer: Trainer, *words: str) -> str:
    """A `charrnn` command on this run, for the folder in which the user typed this one."""
    run = trainer.run
    words = ("charrnn", *words)
    if run.folder != request.checkpoints / run.name:
        words += (str(run.folder),)
    elif str(request.checkpoints) == "checkpoints":
        words += (run.name,)
    else:
        words += (run.name, "--checkpoints", str(request.checkpoints))
    if request.device != "auto":
        words += ("--device", request.device)
    return shlex.join(words)


def train_command(request: Request, trainer: Trainer, more: str = "") -> str:
    """The command that resumes a run: whole, with the pipe that its text came through."""
    dataset = trainer.dataset
    text = () if dataset.path else request.sources if "-" in request.sources else ("-",)
    command = command_for(request, trainer, "train", *text, "--resume")
    if dataset.val_text is not None and not dataset.val_text.path:
        command += " --val-text FILE"
    pipe = "" if dataset.path else "COMMAND | "
    return pipe + command + more


def resume_command(request: Request, trainer: Trainer) -> str:
    """The command that goes on with a run for about as long again."""
    if (minutes := _minutes(trainer)) is not None:
        more = f" --minutes {_longer_minutes(minutes):.3g}"
    else:
        more = f" --epochs {_more_epochs(trainer):.3g}"
    return train_command(request, trainer, more)


def _more_epochs(trainer: Trainer) -> float:
    """Twice the epochs of a run, or as many as can teach something."""
    return max(2 * trainer.progress.epoch, min(1, WORTHWHILE_STEPS / trainer.epoch_steps))


def _longer_minutes(minutes: float) -> float:
    """Twice the minutes of a run, and at least one: starting up takes part of a short time, and
    would again."""
    return max(1.0, 2 * minutes)


def _longer(trainer: Trainer) -> str:
    """The length of a longer run in words."""
    minutes = _minutes(trainer)
    return "twice its length" if minutes is None or 2 * minutes >= 1 else "a minute"


def _minutes(trainer: Trainer) -> float | None:
    """The time limit of a run, if that ended it."""
    return trainer.config.minutes if trainer.progress.step < trainer.total_steps else None


def _longer_seconds(trainer: Trainer, beginning_at: float = 0.0) -> float:
    """How long the run of `longer_command` takes from this share of it on."""
    if (minutes := _minutes(trainer)) is not None:
        return (1 - beginning_at) * 60 * _longer_minutes(minutes)
    steps = (1 - beginning_at) * _more_epochs(trainer) * trainer.epoch_steps
    return max(1.0, trainer.start_up + steps * step_seconds(trainer))


def longer_command(request: Request, trainer: Trainer) -> str:
    """The command of a new run like this one, of twice its length."""
    config, dataset = trainer.config, trainer.dataset
    path = dataset.path
    sources = request.sources or dataset.reading.sources or ("-" if path is None else path,)
    words = ["charrnn", "train", *sources]
    given = dict(request.given)
    if request.resume is not None:  # the settings given when the run was new are not known
        given = {
            "model": trainer.model.config.architecture,
            "lines": config.lines,
            "normalize": config.normalize,
            "min_count": config.min_count,
        }
        plain = {"model": DEFAULT, "lines": False, "normalize": "none", "min_count": 1}
        given = {name: value for name, value in given.items() if value != plain[name]}
    for name in ("epochs", "minutes"):
        given.pop(name, None)
    for name, value in given.items():
        words.append(SETTINGS[name].option)
        words += [] if value is True else [f"{value:g}" if isinstance(value, float) else str(value)]
    if glob := request.glob or dataset.reading.glob:
        words += ["--glob", glob]
    if trainer.pairs is not None:
        words += pair_options(trainer.pairs, dataset.val_text)
    elif (held_out := dataset.val_text) is not None:
        known = held_out.reading.sources or (held_out.path or "FILE",)
        for source in request.val_sources or known:
            words += ["--val-text", source]
    if request.init_from is not None:
        words += ["--init-from", request.init_from]
    if str(request.checkpoints) != "checkpoints":
        words += ["--checkpoints", str(request.checkpoints)]
    if request.device != "auto":
        words += ["--device", request.device]
    if request.threads is not None:
        words += ["--threads", str(request.threads)]
    if (minutes := _minutes(trainer)) is not None:
        words += ["--minutes", f"{_longer_minutes(minutes):.3g}"]
    else:
        words += ["--epochs", f"{_more_epochs(trainer):.3g}"]
    return ("COMMAND | " if "-" in sources else "") + shlex.join(words)
