"""What `charrnn info` shows of a checkpoint: its facts in a table, and drawings."""

import textwrap
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from charrnn_cli.formatting import bits_per_char, duration
from charrnn_cli.inspection.pair_facts import (
    accuracy_words,
    draw_pair_baselines,
    pairs_in_words,
    size_rows,
)
from charrnn_cli.models.base import in_words
from charrnn_cli.models.registry import config_class
from charrnn_cli.terminal.ascii_plots import draw_baselines, draw_curve, draw_model

CATEGORIES = {
    "Ll": "lower case", "Lu": "upper case", "Lt": "title case", "Lm": "modifier letters",
    "Lo": "letters without case", "Mn": "combining marks", "Mc": "spacing marks",
    "Me": "enclosing marks", "Nd": "digits", "Nl": "letter numbers", "No": "other numbers",
    "Pc": "connectors", "Pd": "dashes", "Ps": "opening brackets", "Pe": "closing brackets",
    "Pi": "opening quotes", "Pf": "closing quotes", "Po": "other punctuation",
    "Sm": "mathematical signs", "Sc": "currency signs", "Sk": "modifier signs",
    "So": "other signs", "Zs": "spaces", "Zl": "line separators", "Zp": "paragraph separators",
    "Cc": "control characters", "Cf": "format characters", "Cs": "surrogates",
    "Co": "private use", "Cn": "unassigned",
}  # fmt: skip
"""Unicode's general categories, in words."""


MOST_FEATURES = 30  # so many features are named in the table


def table_rows(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The facts in words, as rows of a table."""
    training, corpus = facts["training"], facts["corpus"]
    layers = facts["num_layers"]
    own_sizes = {name: facts[name] for name in config_class(facts["model"]).own_sizes()}
    rows = [
        ("file", f"{facts['file']} ({facts['bytes'] / 1e6:.1f} MB, format {facts['format']})"),
        ("run", _run(facts)),
        (
            "model",
            f"{facts['model']}, {layers} layer{'s' if layers > 1 else ''} of "
            f"{facts['hidden_size']} units, {in_words(own_sizes)}dropout {facts['dropout']:g}",
        ),
        ("parameters", f"{facts['parameters']:,}"),
        *_vocabularies(facts),
        ("categories", _categories(facts["categories"])),
        ("text", _text(facts)),
        *(size_rows(facts["pairs"]) if "pairs" in facts else ()),
        ("text's SHA-256", corpus["sha256"]),
        ("trained", f"{_steps(facts['step'])}, {facts['epoch']:.2f} epochs"),
        ("settings", _settings(training, facts.get("pairs"))),
        ("held-out loss", _loss(facts["val_loss"])),
        *([("held-out pairs", accuracy_words(facts))] if "pairs" in facts else ()),
    ]
    if facts["best_val_loss"] != facts["val_loss"]:
        rows.append(("best of the run", _loss(facts["best_val_loss"], facts["best_step"])))
    threads = f", {facts['threads']} CPU thread{'s' if facts['threads'] != 1 else ''}"
    if not facts["threads"]:
        threads = ", several processes"
    on = f", on {facts['device']}" if facts["device"] else ""
    rows.append(("made with", f"PyTorch {facts['torch']}{on}{threads}"))
    return rows


def drawings(
    facts: Mapping[str, Any], width: int, signs: Mapping[str, str]
) -> Iterator[tuple[str, list[str]]]:
    """Yield the drawings, each with its title, in lines of at most `width` columns.

    They are the model, the loss curve, and the held-out loss beside the baselines; the last two
    only if they were measured.
    """
    kind = config_class(facts["model"])
    dropout = facts["dropout"] if kind.dropout_between_parts else 0.0
    yield "Model", draw_model(facts["parts"], dropout, width, signs, kind.input_kind)
    curve = draw_curve(facts["history"], facts["best_step"], width, signs)
    if curve:
        yield "Loss, nats per character", curve
    if "pairs" in facts:
        shares = draw_pair_baselines(facts, width, signs)
        if shares:
            yield "Exact matches beside simple rules", shares
        return
    baselines, loss = facts["marks"], facts["val_loss"] or facts["best_val_loss"]
    if baselines is not None and loss is not None:
        losses = [
            ("uniform", baselines["uniform"]),
            ("unigram", baselines["unigram"]),
            ("5-gram", baselines["five_gram"]),
            ("this model", loss),
        ]
        difference = bits_per_char(loss - baselines["five_gram"])
        comparison = (
            f"{abs(difference):.3f} bits/char {'worse' if difference > 0 else 'better'} than the "
            f"5-gram, which was counted on {baselines['counted']:,} characters of the training "
            "part."
        )
        lines = draw_baselines(losses, width, signs) + textwrap.wrap(comparison, max(width, 20))
        yield "Held-out loss beside simple baselines", lines


def vocabulary_rows(characters: str) -> list[tuple[str, str, str]]:
    """A row for each character: code point, the character, its name and category in Unicode."""
    return [
        (
            f"U+{ord(character):04X}",
            _letter(character),
            f"{unicodedata.name(character, '')} ({CATEGORIES[unicodedata.category(character)]})",
        )
        for character in characters
    ]


def _run(facts: Mapping[str, Any]) -> str:
    """The state of the run that a file belongs to, in words."""
    if facts["state"] is None:
        return "the model alone; a new run starts from it with --init-from"
    words = {
        "training": "being trained now",
        "complete": "complete",
        "stopped": "goes on with --resume",
    }
    time = f", after {duration(facts['seconds'])}" if facts["seconds"] else ""
    return f"{words[facts['state']]}, at step {facts['run_step']:,}{time}"


def _steps(count: int) -> str:
    return f"{count:,} step{'' if count == 1 else 's'}"


def _settings(training: Mapping[str, Any], pairs: Mapping[str, Any] | None) -> str:
    ends = [
        f"{training[name]:g} {name if training[name] != 1 else name.removesuffix('s')}"
        for name in ("epochs", "minutes")
        if training[name] is not None
    ]
    length = "" if pairs else f" x {training['seq_length']}"
    held_out = "" if pairs else f"{_held_out(training)}, "
    return (
        f"{' or '.join(ends)}, batch {training['batch_size']}{length}, "
        f"{training['optimizer']}, learning rate {training['learning_rate']:g}, "
        f"weight decay {training['weight_decay']:g}, {training['precision']}, "
        f"clip {training['grad_clip']:g}, {held_out}"
        f"random seed {training['random_seed']}"
    )


def _vocabularies(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The characters that a model knows, as rows; of a model of pairs those of both sides."""
    known = f"{len(facts['vocabulary']):,} characters: {_shown(facts['vocabulary'])}"
    if (pairs := facts.get("pairs")) is None:
        return [("vocabulary", known)]
    source = pairs["source_vocabulary"]
    rows = [("sources", f"{len(source):,} characters: {_shown(source)}"), ("targets", known)]
    if pairs["features"]:
        some = ", ".join(pairs["features"][:MOST_FEATURES])
        more = len(pairs["features"]) - MOST_FEATURES
        rows.append(
            ("features", f"{len(pairs['features']):,}: {some}" + f" and {more:,} more" * (more > 0))
        )
    return rows


def _text(facts: Mapping[str, Any]) -> str:
    corpus, training = facts["corpus"], facts["training"]
    if "pairs" in facts:
        return pairs_in_words(corpus["name"], facts["pairs"])
    files = f" in {corpus['files']:,} files" if corpus["files"] > 1 else ""
    lines = ", a list of lines" if training.get("lines") else ""
    return f"{corpus['name']}, {corpus['characters']:,} characters{files}{lines}"


def _held_out(training: Mapping[str, Any]) -> str:
    if training.get("hold_out") == "text":
        return "held out another text"
    how = {"documents": " in whole files", "blocks": " in blocks"}.get(
        training.get("hold_out", "end"), ""
    )
    return f"held out {training['val_fraction']:g}{how}"


def _categories(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{CATEGORIES[name]} {count:,}" for name, count in counts.items())


def _shown(characters: str, most: int = 120) -> str:
    """A vocabulary on one line, white space made visible."""
    more = len(characters) - most
    shown = "".join(map(_letter, characters[:most]))
    return shown + (f" … and {more:,} more" if more > 0 else "")


def _letter(character: str) -> str:
    """A character as it can stand alone: white space made visible, a mark on a dotted circle."""
    if unicodedata.category(character) in ("Mn", "Me"):
        return f"◌{character}"
    return {"\n": "\\n", "\t": "\\t", "\r": "\\r", " ": "␠"}.get(character, character)


def _loss(loss: float | None, step: int | None = None) -> str:
    if loss is None:
        return "not measured yet"
    at = "" if step is None else f", at step {step:,}"
    return f"{loss:.4f} nats, {bits_per_char(loss):.3f} bits/char{at}"
