"""The result of scoring a text: as JSON, as a table, or several models side by side."""

import math
from typing import Any

from charrnn_cli.formatting import bits_per_char
from charrnn_cli.scoring.lines import Line, Ranking
from charrnn_cli.scoring.scorer import ModelScore, Scorer, TextScore
from charrnn_cli.text.vocabulary import describe

MAX_NAMED = 5  # At most this many unknown characters are named in the table.


def facts(score: TextScore, model: ModelScore, ranking: Ranking | None) -> dict[str, Any]:
    """The result for scripts, as JSON can hold it."""
    total = model.scorer
    value: dict[str, Any] = {
        "text": score.stream.name,
        "checkpoint": str(model.file),
        "characters": total.characters,
        "lines": score.line_count,
        "bytes": score.stream.bytes_read,
        "scored": total.scored,
        "loss": total.loss,
        "bits_per_char": total.bits_per_char,
        "perplexity": total.perplexity,
        "bits": total.bits,
        "unknown": total.unknown_count,
        "unknown_bits": total.unknown_bits,
        "unknown_cost": total.unknown_cost,
        "unknown_characters": dict(total.unknown.most_common()),
        "known_bits_per_char": total.known_bits_per_char,
        "val_loss": model.checkpoint.val_loss,
        "trained_on": score.is_training_text(model),
        "static": None,
        "adapted": None,
    }
    if model.adapted:
        for name, kind in (("static", model.static), ("adapted", model.adapted)):
            value[name] = {"bits_per_char": kind.bits_per_char, "loss": kind.loss}
    if (ngram := total.ngram_bits_per_char()) is not None:
        value["with_ngram"] = {
            "bits_per_char": ngram[0],
            "loss": ngram[0] * math.log(2),
            "ngram_alone": ngram[1],
        }
    if ranking:
        mean = total.bits_per_char or 0.0
        value["most_surprising"] = [_line_facts(line) for line in ranking.most(mean)]
        value["least_surprising"] = [_line_facts(line) for line in ranking.least(mean)]
    return value


def _line_facts(line: Line) -> dict[str, Any]:
    return {
        "line": line.number,
        "characters": line.characters,
        "unknown": line.unknown,
        "bits": line.bits,
        "bits_per_char": line.bits_per_char,
        "text": line.text.removesuffix("\n"),
    }


def table_rows(score: TextScore, model: ModelScore) -> list[tuple[str, str]]:
    """The result for people, as rows of a table."""
    total, name = model.scorer, score.stream.name
    size = math.ceil(total.bits / 8)
    share = size / score.stream.bytes_read
    rows = [
        ("text", f"{name}, {_count(total.characters, 'character')} in "
                 f"{_count(score.line_count, 'line')}"),
        ("model", str(model.file)),
        ("surprisal", f"{total.bits_per_char:.3f} bits/char"),
        ("loss", f"{total.loss:.4f} nats, perplexity {total.perplexity:.2f}"),
    ]  # fmt: skip
    if model.adapted:
        rows.append(("learning as it reads", _gain(model)))
    if (ngram := total.ngram_bits_per_char()) is not None:
        rows.append(("with an n-gram", _ngram_gain(total.bits_per_char or 0.0, *ngram)))
    if model.checkpoint.val_loss is not None:
        held_out = f"{bits_per_char(model.checkpoint.val_loss):.3f} bits/char"
        if score.is_training_text(model):
            rows.append(
                ("careful", f"it was trained on this very text; on what it held out {held_out}")
            )
        else:
            rows.append(("for comparison", f"{held_out} on its own held-out text"))
    replaced = ", unknown characters as U+FFFD" if total.replaced_count else ""
    compressed = f"{_count(size, 'byte')}, {share:.0%} of the text's{replaced}"
    rows.append(("would compress to", compressed))
    rows.append(("unknown", _unknown(total)))
    return rows


def _gain(model: ModelScore) -> str:
    """What dynamic evaluation gained, in words."""
    static, adapted = model.static.bits_per_char or 0.0, model.scorer.bits_per_char or 0.0
    change = static - adapted
    word = "gains" if change >= 0 else "loses"
    return f"{word} {abs(change):.3f} bits/char; without it {static:.3f}"


def _ngram_gain(plain: float, mixed: float, alone: float) -> str:
    """What the mixture with an n-gram model gained, in words."""
    change = plain - mixed
    word = "gains" if change >= 0 else "loses"
    return (
        f"{mixed:.3f} bits/char, {word} {abs(change):.3f}; n-grams of the text so far alone "
        f"{alone:.3f}"
    )


def _unknown(scorer: Scorer) -> str:
    """The unknown characters, in words."""
    if not scorer.unknown_count:
        return "none: the model knows every character"
    most = scorer.unknown.most_common(MAX_NAMED)
    names = ", ".join(f"{describe(character)} x {count:,}" for character, count in most)
    more = len(scorer.unknown) - len(most)
    if more:
        names += f" and {more:,} {'other' if more == 1 else 'others'}"
    if scorer.unknown_cost is None:
        cost = f"read as U+FFFD, {scorer.unknown_bits:.1f} bits in all"
    else:
        cost = f"{scorer.unknown_cost:.1f} bits each"
    known = f"{scorer.known_bits_per_char or 0:.3f} bits/char without them"
    return f"{_count(scorer.unknown_count, 'character')}, {cost}: {names}; {known}"


def comparison(score: TextScore, models: list[ModelScore]) -> list[tuple[str, str]]:
    """The models side by side, as rows of a table: the one with the fewest bits first."""
    ranked = sorted(models, key=lambda model: model.scorer.bits)
    return [(model.name, _fit(score, model, best=model is ranked[0])) for model in ranked]


def _fit(score: TextScore, model: ModelScore, best: bool) -> str:
    """One model's figures beside those of others, in words."""
    scorer = model.scorer
    words = (
        f"{scorer.bits_per_char:.3f} bits/char, perplexity {scorer.perplexity:.2f}, "
        f"{scorer.unknown_count:,} unknown"
    )
    if (ngram := scorer.ngram_bits_per_char()) is not None:
        words += f", with an n-gram {ngram[0]:.3f} bits/char"
    if scorer.replaced_count:
        words += " read as U+FFFD"
    if score.is_training_text(model):
        words += ", trained on this very text"
    return words + "  fits best" * best


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
