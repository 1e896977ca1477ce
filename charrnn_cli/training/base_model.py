"""The offer to start a short English text from the base model that comes with charrnn."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from charrnn_cli.checkpoints.checkpoint import peek
from charrnn_cli.checkpoints.finding import find_checkpoint
from charrnn_cli.checkpoints.shipped import BASE, shipped_models
from charrnn_cli.errors import CharRNNError
from charrnn_cli.text.dataset import Dataset
from charrnn_cli.text.documents import Documents
from charrnn_cli.text.pairs import Pairs

# Measured up to here: 0.15 to 0.24 nats better on 30,000 characters, 0.43 to 0.69 on 10,000. Longer
# texts have plans for Muon, whose rate for a model that starts from weights is not known yet.
MAX_CHARACTERS = 30_000
MIN_KNOWN = 0.99  # share of a text's characters that the base model knows
# Of the words of English texts, verse and prose, these are a seventh and more; of texts in other
# languages a few in a hundred, and of source code with comments at most a tenth.
FREQUENT_WORDS = frozenset(
    ["a", "be", "by", "his", "i", "it", "my", "of", "that", "the", "this", "to", "was", "you"]
)
MIN_FREQUENT = 0.12


def base_model_offer(
    dataset: Dataset, given: Mapping[str, Any], checkpoints: Path
) -> tuple[str, ...]:
    """A note that a text could start from the base model, if that is so: the text is short and
    looks like English, and the user has chosen no kind or size of model. `given` are the settings
    that the user set."""
    file = shipped_models().get(BASE)
    listed = isinstance(dataset, Pairs) or (isinstance(dataset, Documents) and dataset.lines)
    if file is None or listed or len(dataset) > MAX_CHARACTERS:
        return ()
    if any(name in given for name in ("model", "hidden_size", "num_layers")):
        return ()
    if not looks_like_english(dataset.vocabulary.decode(dataset.ids)):
        return ()
    try:  # a note never stops a run, whatever else is called `english`
        if not find_checkpoint(BASE, checkpoints).samefile(file):  # a run of the user's own
            return ()
        base = peek(file)
    except CharRNNError:
        return ()
    known = np.isin(dataset.vocabulary.code_points, base.vocabulary.code_points)
    counts = dataset.counts()
    if counts[known].sum() < MIN_KNOWN * counts.sum():
        return ()
    return (
        "this looks like English: --init-from english starts from a model that knows some, and "
        "learns more from so short a text",
    )


def looks_like_english(text: str) -> bool:
    """Whether enough of a text's words are frequent English ones."""
    words = re.findall(r"[^\W\d_]+", text.lower())
    return sum(word in FREQUENT_WORDS for word in words) > MIN_FREQUENT * len(words)
