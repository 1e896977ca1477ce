"""The data of a training: read by all its processes, and arranged with its held-out part."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from charrnn_cli.errors import TextError
from charrnn_cli.settings.table import SETTINGS
from charrnn_cli.text.arranging import arranged, looks_like_list, unite_vocabularies
from charrnn_cli.text.corpus import Corpus, Watch
from charrnn_cli.text.dataset import Dataset
from charrnn_cli.text.documents import Documents
from charrnn_cli.text.pair_file import read_pairs
from charrnn_cli.text.pairs import Pairs
from charrnn_cli.text.sources import Sources
from charrnn_cli.text.texts import read_texts
from charrnn_cli.training.distributed.group import Group
from charrnn_cli.training.early_checks import one_file
from charrnn_cli.training.held_out import with_fair_hold_out
from charrnn_cli.training.pair_runs import checksums, looks_like_pairs
from charrnn_cli.training.request import PairsRequest, Reader, Request

Data = TypeVar("Data", Corpus, Pairs)


@dataclass(frozen=True)
class SharedReader:
    """A `Reader` in each process of a group. What can be read only once, such as stdin, is read by
    the first process and sent to the others. `watch` sees it being read."""

    group: Group
    watch: Watch

    def text(self, sources: Sources) -> Corpus:
        """A text. Raises TextError, also if the processes do not all read the same one."""
        return self._together(partial(read_texts, sources, self.watch), sources)

    def pairs(self, source: str, request: PairsRequest) -> Pairs:
        """Pairs. Raises TextError, also if the processes do not all read the same ones."""
        read = partial(
            read_pairs,
            source,
            request.format,
            val_source=request.val_source,
            skip_bad=request.skip_bad_lines,
            watch=self.watch,
        )
        return self._together(read, Sources(tuple(filter(None, (source, request.val_source)))))

    def _together(self, read: Callable[[], Data], sources: Sources) -> Data:
        if self.group.decide(lambda: not sources.lasting):
            return self.group.decide(read)
        data = read()
        if self.group.highest(self.group.decide(lambda: checksums(data)) != checksums(data)):
            raise TextError(
                f"{sources.paths[0]}: is not the same text for all processes. Give every machine "
                "the same one."
            )
        return data


def read_dataset(request: Request, given: Mapping[str, Any], reader: Reader) -> tuple[Dataset, str]:
    """The dataset of a new run, and what is held out of it. Raises CharRNNError."""
    min_count = given.get("min_count", SETTINGS["min_count"].planned)
    if request.pairs is not None:
        pairs = reader.pairs(one_file(request.sources), request.pairs)
        pairs.fold_rare(min_count)
        return pairs, stored_hold_out(pairs)
    lines = bool(given.get("lines"))
    form = given.get("normalize", SETTINGS["normalize"].planned)
    SETTINGS["normalize"].check(form)
    sources = Sources(request.sources, request.glob, lines, form)
    corpus = reader.text(sources)
    corpus.fold_rare(min_count)
    val_text = None
    if request.val_sources:
        val_text = reader.text(sources._replace(paths=request.val_sources))
        unite_vocabularies(corpus, val_text, fold=min_count > 1)
        corpus.notes += tuple(note for note in val_text.notes if note not in corpus.notes)
    corpus.notes += looks_like_pairs(corpus)
    if not lines and looks_like_list(corpus):
        corpus.notes += (
            f"{corpus.name} looks like a list; with --lines each line is learned as an item of its "
            "own, and sample writes whole lines",
        )
    fraction = given.get("val_fraction", SETTINGS["val_fraction"].planned)
    dataset, notes = with_fair_hold_out(arranged(corpus, lines=lines, val_text=val_text), fraction)
    read_as = dataset.corpus if isinstance(dataset, Documents) else dataset
    read_as.notes += notes
    return dataset, stored_hold_out(dataset)


def stored_hold_out(dataset: Dataset) -> str:
    """What is held out of a dataset, as a run's settings hold it."""
    if isinstance(dataset, Pairs):
        return "end"
    if dataset.val_text is not None:
        return "text"
    if isinstance(dataset, Documents) and not dataset.lines:
        return dataset.hold_out
    return "end"
