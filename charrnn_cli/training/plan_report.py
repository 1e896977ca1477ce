"""The plan of a training in words: what is trained, on what, for how long."""

import torch

from charrnn_cli.formatting import duration
from charrnn_cli.models.base import in_words
from charrnn_cli.models.device import describe_device
from charrnn_cli.text.dataset import Dataset
from charrnn_cli.text.documents import Documents
from charrnn_cli.text.pairs import Pairs
from charrnn_cli.training.pair_report import data_words
from charrnn_cli.training.planning import MIN_SHARE_OF_EPOCHS
from charrnn_cli.training.request import Training


def plan_lines(training: Training, verbose: bool = False) -> list[str]:
    """The notes, a line each, and the plan in plain words: what will be trained, on what, how long;
    with `verbose` also a line with every setting."""
    lines = [f"Note: {note}." for note in training.notes] + [plan_in_words(training)]
    return [*lines, plan_details(training)] if verbose else lines


def plan_in_words(training: Training) -> str:
    """The plan for people who do not know the terms of its settings."""
    trainer, model = training.trainer, training.trainer.model.config
    dataset, config = trainer.dataset, trainer.config
    layers = f"{model.num_layers} layer{'s' * (model.num_layers != 1)} of {model.hidden_size} units"
    epochs = config.epochs
    it = "them" if isinstance(dataset, Pairs) else "it"
    reads = f"learns from {it}"
    if epochs is not None and config.minutes is None:
        reads = f"reads {it} {epochs:g} time{'s' * (epochs != 1)}"
    device = describe_device(trainer.device, torch.get_num_threads())
    where = "" if trainer.device.type == "cpu" else f", on {device}"
    if trainer.group.size > 1:
        where = f", in {trainer.group.size} processes, each on {device}"
    time = duration(training.seconds)
    left = time if time.startswith("under") else f"about {time}"
    data = data_words(dataset, trainer) if isinstance(dataset, Pairs) else text_words(dataset)
    return (
        f"{data}. A "
        f"{model.architecture} with {layers}, {model.parameters:,} parameters, {reads}{where}: {left} "
        "to go."
    )


def plan_details(training: Training) -> str:
    """The plan in one line, with every setting."""
    trainer, model = training.trainer, training.trainer.model.config
    config = trainer.config
    dataset = trainer.dataset
    length = ""
    if config.epochs is not None:
        length = (
            f"{config.epochs:g} epoch{'s' * (config.epochs != 1)}, "
            f"{trainer.total_steps:,} step{'s' * (trainer.total_steps != 1)}, "
        )
        expected = _epochs_in_time(training)
        if expected < MIN_SHARE_OF_EPOCHS * config.epochs:
            length = f"about {expected:.2g} of {config.epochs:g} epochs in the time allowed, "
    remaining = duration(training.seconds)
    if not remaining.startswith("under"):
        remaining = f"about {remaining}"
    processes = f"{trainer.group.size} processes, each on " if trainer.group.size > 1 else ""
    own_sizes = {name: getattr(model, name) for name in model.own_sizes()}
    of_pairs = isinstance(dataset, Pairs)
    data = data_words(dataset, trainer) if isinstance(dataset, Pairs) else text_words(dataset)
    return (
        f"{data}; "
        f"{model.architecture} {model.num_layers} x {model.hidden_size}, {in_words(own_sizes)}"
        f"dropout {model.dropout:g}, "
        f"{model.parameters:,} parameters; "
        f"{processes}{describe_device(trainer.device, torch.get_num_threads())}; "
        f"{length}batch {config.batch_size}{'' if of_pairs else f' x {config.seq_length}'}, "
        f"{config.optimizer}, learning rate {config.learning_rate:g}, "
        f"weight decay {config.weight_decay:g}, {config.precision}; {remaining} to go"
    )


def text_words(dataset: Dataset) -> str:
    """The size of a text in words."""
    return (
        f"{dataset.name}: {len(dataset):,} characters{_in_parts(dataset)}, "
        f"{len(dataset.vocabulary)} distinct"
    )


def _in_parts(dataset: Dataset) -> str:
    """How many lines, or else files, a text has, in words; nothing for a single running text."""
    if isinstance(dataset, Documents) and dataset.lines:
        return f" in {len(dataset.spans.end):,} lines"
    files = len(dataset.reading.file_sha256s)
    return f" in {files:,} files" if files > 1 else ""


def _epochs_in_time(training: Training) -> float:
    """How many epochs a run will have made at its end, by the speed measured."""
    trainer = training.trainer
    per_epoch = trainer.epoch_steps * trainer.predictions_per_step
    return trainer.progress.epoch + training.seconds * training.chars_per_second / per_epoch
