"""The texts of a training: read by all its processes, and arranged with their held-out part."""

from collections.abc import Mapping
from typing import Any

from charrnn_cli.errors import TextError
from charrnn_cli.settings import SETTINGS
from charrnn_cli.text.arranging import arranged, looks_like_list, unite_vocabularies
from charrnn_cli.text.corpus import Corpus, Watch
from charrnn_cli.text.documents import Documents
from charrnn_cli.text.texts import Sources, read_texts
from charrnn_cli.training.distributed.group import Group
from charrnn_cli.training.held_out import with_fair_hold_out
from charrnn_cli.training.request import Read, Request


def read_together(sources: Sources, group: Group, watch: Watch) -> Corpus:
    """A text, read by each process of a group. What can be read only once, such as stdin, is read
    by the first and sent to the others. `watch` sees it being read.

    Raises TextError, also if the processes do not all read the same text.
    """
    if group.decide(lambda: not sources.lasting):
        return group.decide(lambda: read_texts(sources, watch))
    corpus = read_texts(sources, watch)
    if group.highest(group.decide(lambda: corpus.sha256) != corpus.sha256):
        raise TextError(
            f"{sources.paths[0]}: is not the same text for all processes. Give every machine the "
            "same one."
        )
    return corpus


def read_dataset(
    request: Request, given: Mapping[str, Any], read: Read
) -> tuple[Corpus | Documents, str]:
    """The dataset of a new run, and what is held out of it. Raises CharRNNError."""
    lines = bool(given.get("lines"))
    corpus = read(Sources(request.sources, request.glob, lines))
    corpus.fold_rare(given.get("min_count", SETTINGS["min_count"].planned))
    val_text = None
    if request.val_sources:
        val_text = read(Sources(request.val_sources, request.glob, lines))
        unite_vocabularies(corpus, val_text)
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


def stored_hold_out(dataset: Corpus | Documents) -> str:
    """What is held out of a dataset, as a run's settings hold it."""
    if dataset.val_text is not None:
        return "text"
    if isinstance(dataset, Documents) and not dataset.lines:
        return dataset.hold_out
    return "end"
