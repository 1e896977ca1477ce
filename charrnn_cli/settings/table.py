"""The settings, each declared once: name, type, help, limits, default, option and stored name.

`configs.py` checks the values that it stores against this table. The commands make their options
from it, and from rows of the same kind for the options that only one command has.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from charrnn_cli.settings.setting import Setting

MAX_VOCABULARY = 0x110000  # the number of Unicode's code points
SAVE_EVERY = 120.0  # seconds between saves for --resume
MAX_BEAM_SIZE = 100
OPTIMIZERS = ("muon", "adamw")
PRECISIONS = ("float32", "bfloat16", "float16")
AVERAGED = "averaged"  # a schedule whose runs average their weights
SCHEDULES = ("cosine", "linear", AVERAGED)
HOLD_OUTS = ("end", "documents", "blocks", "text")
BestBy = Literal["exact", "loss"]
BEST_BY: tuple[BestBy, ...] = ("exact", "loss")
PLANNED = "by the plan"


_ROWS = (
    # the model
    Setting(name="model", type=str, group="model", default_words="gru", help="Kind of network."),
    Setting(
        name="vocabulary_size", type=int, group="derived", at_least=2, at_most=MAX_VOCABULARY,
        help="Distinct characters.",
    ),
    Setting(
        name="source_vocabulary_size", type=int, group="derived", at_least=2,
        at_most=MAX_VOCABULARY, help="Distinct symbols of the sources.",
    ),
    Setting(
        name="hidden_size", type=int, group="model", at_least=1, at_most=8192,
        default_words=PLANNED, help="Units in each layer.",
    ),
    Setting(
        name="num_layers", type=int, group="model", at_least=1, at_most=16,
        default_words=PLANNED, help="Layers, one above the other.",
    ),
    Setting(
        name="num_heads", type=int, group="model", at_least=1, at_most=256, default_words=PLANNED,
        help="Attention heads in each layer of a gpt2, llama or transformer.",
    ),
    Setting(
        name="context", type=int, group="model", at_least=2, at_most=16_384,
        default_words=PLANNED, help="Characters that a gpt2 or llama looks back on.",
    ),
    Setting(
        name="dropout", type=float, group="model", at_least=0, below=1, default_words=PLANNED,
        help="Share of each layer's output dropped at random while training.",
    ),
    # training
    Setting(
        name="epochs", type=float, group="training", above=0, at_most=1_000_000,
        default_words=PLANNED, help="Passes over the text, in total.",
    ),
    Setting(
        name="minutes", type=float, group="training", above=0, at_most=1_000_000,
        default_words="no limit", help="Time allowed, start-up included.",
    ),
    Setting(
        name="batch_size", type=int, group="training", at_least=1, at_most=65_536,
        default_words=PLANNED, help="Batch rows: parts of the text that are read side by side.",
    ),
    Setting(
        name="seq_length", type=int, group="training", at_least=1, at_most=65_536,
        default_words=PLANNED,
        help="Characters of each batch row read per step, the truncated-BPTT window; a gpt2 or "
        "llama reads its --context.",
    ),
    Setting(
        name="learning_rate", type=float, group="training", above=0, at_most=10,
        default_words=PLANNED, help="Highest learning rate of the schedule.",
    ),
    Setting(
        name="optimizer", type=str, group="training", choices=OPTIMIZERS, default_words=PLANNED,
        help="Optimizer.",
    ),
    Setting(
        name="schedule", type=str, group="derived", choices=SCHEDULES,
        help="Course of the learning rate after its warm-up.",
    ),
    Setting(
        name="shuffle", type=bool, group="derived",
        help="Train on windows in random order, not on contiguous stretches of the text.",
    ),
    Setting(
        name="warmup", type=float, group="derived", at_least=0, at_most=1,
        help="Share of the run in which the learning rate rises.",
    ),
    Setting(
        name="weight_decay", type=float, group="training", at_least=0, at_most=10,
        default_words=PLANNED,
        help="Weights shrink at each step by this much times the learning rate.",
    ),
    Setting(
        name="label_smoothing", type=float, group="training", at_least=0, below=1,
        default_words=PLANNED,
        help="Share of each target's probability that training spreads over all characters.",
    ),
    Setting(
        name="grad_clip", type=float, group="training", above=0, planned=1.0,
        help="Largest norm of the gradient; a larger one is scaled down.",
    ),
    Setting(
        name="val_fraction", type=float, group="training", above=0, at_most=0.9,
        planned=0.1, help="Share of the text held out to measure the loss.",
    ),
    Setting(
        name="lines", type=bool, group="training",
        help="Each line is an item of its own, such as a name: learn to write such lines.",
    ),
    Setting(
        name="hold_out", type=str, group="derived", choices=HOLD_OUTS,
        help="What is held out of the text.",
    ),
    Setting(
        name="patience", type=int, group="training", at_least=1,
        default_words="two fifths of them",
        help="Stop after this many evaluations in a row without a new best held-out loss.",
    ),
    Setting(
        name="eval_every", type=int, group="derived", at_least=1,
        help="Steps between measurements of the held-out loss.",
    ),
    Setting(
        name="min_count", type=int, group="training", at_least=1, planned=1,
        help="Characters that occur fewer times in the text are all read as one, U+FFFD.",
    ),
    Setting(
        name="normalize", type=str, group="training", choices=("NFC", "NFD", "none"),
        planned="none", default_words="none",
        help="Unicode's normal form in which the text is read.",
    ),
    Setting(
        name="random_seed", type=int, group="training", at_least=0, at_most=2**32 - 1,
        planned=0, help="Seed of the random generator.",
    ),
    Setting(
        name="save_every", type=float, at_least=0, default=SAVE_EVERY,
        help="Maximum seconds between two saves for --resume: what a power cut can cost.",
    ),
    # the machine
    Setting(
        name="device", type=str, group="hardware", default="auto",
        help="Device: auto, cpu, cuda, cuda:N or mps.",
    ),
    Setting(
        name="precision", type=str, group="hardware", choices=PRECISIONS, auto=True,
        default_words="auto: bfloat16 where the processor computes in it",
        help="Number format of the matrix products.",
    ),
    Setting(
        name="threads", type=int, group="hardware", at_least=1, at_most=1024,
        default_words="all cores, or one if that is faster", help="CPU threads.",
    ),
    # sampling
    Setting(
        name="length", type=int, at_least=0, at_most=10**12,
        default_words="500; with --lines 10,000 a line",
        help="Characters to write after the seed; 0: until stopped.",
    ),
    Setting(
        name="temperature", type=float, group="sampling", at_least=0, at_most=1000, default=1.0,
        help="Below 1: safer choices; above 1: bolder ones; 0: always the most likely character.",
    ),
    Setting(
        name="top_k", type=int, group="sampling", at_least=1, default_words="all",
        help="Draw only from the K most likely characters.",
    ),
    Setting(
        name="top_p", type=float, group="sampling", above=0, at_most=1, default_words="1",
        help="Draw only from the most likely characters that together reach probability P.",
    ),
    Setting(
        name="min_p", type=float, group="sampling", at_least=0, at_most=1, default_words="0",
        help="Draw only from characters at least P times as likely as the most likely one.",
    ),
    Setting(
        name="num_samples", type=int, at_least=1, at_most=100_000, default=1,
        help="Samples to write.",
    ),
    Setting(
        name="unknown", type=str, choices=("refuse", "skip", "replace"), default="refuse",
        help="What to do with unknown characters of the seed.",
    ),
    Setting(
        name="beam_size", type=int, at_least=1, at_most=MAX_BEAM_SIZE,
        default_words="3, or --n-best if that is more",
        help="Candidates kept at each character; 1 takes the most likely character.",
    ),
    # where the runs are
    Setting(
        name="checkpoints", type=Path, default=Path("checkpoints"), help="Folder of the runs."
    ),
)  # fmt: skip

SETTINGS: Mapping[str, Setting] = {row.key: row for row in _ROWS}
"""Every setting that a configuration or more than one command has, by its stored name."""


def settings_of(group: str, **choices: Collection[str]) -> tuple[Setting, ...]:
    """The settings of a group, in the table's order.

    `choices` are those that only higher rooms know: `model`, the kinds of model.
    """
    return tuple(_choosing(row, choices) for row in _ROWS if row.group == group)


def check(name: str, value: float) -> None:
    """Raise UsageError, naming the option, if `value` is outside the limits of setting `name`."""
    SETTINGS[name].check(value)


def check_all(values: Mapping[str, Any], **choices: Collection[str]) -> None:
    """Raise UsageError for the first value that its setting does not allow.

    Values that are None, and those of names that are no settings, pass. `choices` as in
    `settings_of`.
    """
    for name, value in values.items():
        if name in SETTINGS and value is not None:
            _choosing(SETTINGS[name], choices).check(value)


def _choosing(setting: Setting, choices: Mapping[str, Collection[str]]) -> Setting:
    if setting.key not in choices:
        return setting
    return replace(setting, choices=choices[setting.key])
