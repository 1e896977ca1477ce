"""The results of the bench of kinds: their file, and how they are printed."""

import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from charrnn_cli.checkpoints.checkpoint import Checkpoint

LARGE_GAP = 0.015  # nats per character


@dataclass(frozen=True)
class Settings:
    """What a plan chose for a run, and a neighbour changes."""

    hidden_size: int
    num_layers: int
    dropout: float
    batch_size: int
    learning_rate: float
    weight_decay: float
    optimizer: str
    epochs: float  # 0: until the time is over

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> "Settings":
        """Those of a checkpoint's run."""
        model, train = checkpoint.model.to_dict(), checkpoint.train
        return cls(
            model["hidden_size"], model["num_layers"], model["dropout"], train.batch_size,
            train.learning_rate, train.weight_decay, train.optimizer, train.epochs or 0.0,
        )  # fmt: skip

    def words(self) -> list[str]:
        """The settings as options of `charrnn train`."""
        given = {name: value for name, value in asdict(self).items() if name != "epochs"}
        given |= {"epochs": self.epochs} if self.epochs else {}
        return [w for n, v in given.items() for w in ("--" + n.replace("_", "-"), f"{v}")]


@dataclass(frozen=True)
class Result:
    """A row of the results; losses in nats per character."""

    kind: str
    sha256: str
    characters: int
    minutes: float
    setting: str
    random_seed: int
    tuning: float
    test: float
    seconds: float
    epochs_made: float
    uniform: float
    unigram: float
    five_gram: float
    hidden_size: int
    num_layers: int
    dropout: float
    batch_size: int
    learning_rate: float
    weight_decay: float
    optimizer: str
    epochs: float
    options: str

    @property
    def key(self) -> tuple[object, ...]:
        """What was measured."""
        return (
            self.kind, self.sha256, self.minutes, self.setting, self.random_seed, self.options
        )  # fmt: skip

    @property
    def settings(self) -> Settings:
        """The settings of the run."""
        return Settings(**{field.name: getattr(self, field.name) for field in fields(Settings)})


def read_results(file: Path) -> list[Result]:
    """The results in a file; none if there is no such file. Ends the process for a file with other
    columns."""
    if not file.is_file():
        return []
    names, *rows = [line.split("\t") for line in file.read_text("utf-8").splitlines()]
    types = {field.name: field.type for field in fields(Result)}
    if other := sorted(set(types).symmetric_difference(names)):
        sys.exit(
            f"Error: {file}: its columns differ in {', '.join(other)}. Give another --results."
        )
    return [
        Result(**{n: types[n](v) for n, v in zip(names, row, strict=True)})  # type: ignore[operator]
        for row in rows
    ]


def append(file: Path, result: Result) -> None:
    """Add a result to a file, below a heading if it is the first."""
    row = asdict(result)
    with file.open("a", encoding="utf-8") as out:
        if out.tell() == 0:
            out.write("\t".join(row) + "\n")
        out.write("\t".join(map(str, row.values())) + "\n")


def median_of(results: Sequence[Result]) -> Result:
    """The first of the results of several seeds, with the medians of their losses."""
    return replace(
        results[0],
        tuning=statistics.median(result.tuning for result in results),
        test=statistics.median(result.test for result in results),
    )


def in_short(result: Result) -> str:
    """A result as a line: the settings, and what was reached."""
    return (
        f"  {result.setting:12} {result.tuning:.4f}  {result.test:.4f}  {result.seconds:5.0f} s  "
        f"{result.epochs_made:6.2f} epochs  {result.num_layers} x {result.hidden_size}, dropout "
        f"{result.dropout:g}, batch {result.batch_size}, {result.optimizer} "
        f"{result.learning_rate:.3g}, decay {result.weight_decay:.3g}"
    )


def row(plan: Result, others: Sequence[Result]) -> str:
    """A row of the table that ends it all."""
    best = min(others, key=lambda other: other.tuning, default=plan)
    gap, test_gap = plan.tuning - best.tuning, plan.test - best.test
    return (
        f"{plan.kind:10} {plan.characters:>10,} {plan.sha256} {plan.minutes:>7g} "
        f"{plan.uniform:>7.3f} {plan.unigram:>7.3f} {plan.five_gram:>7.3f} {plan.tuning:>8.4f} "
        f"{plan.test:>8.4f} {gap:>8.4f} {test_gap:>8.4f} "
        f"{'!' if gap > LARGE_GAP else ' '} {best.setting}"
    )
