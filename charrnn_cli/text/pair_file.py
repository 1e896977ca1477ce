"""Files of pairs as a dataset."""

import os
from dataclasses import replace

import numpy as np

from charrnn_cli.errors import TextError
from charrnn_cli.text.corpus import Watch, lasting_path
from charrnn_cli.text.pair_format import PairFormat
from charrnn_cli.text.pair_reader import PairReader
from charrnn_cli.text.pairs import Pairs, ValText
from charrnn_cli.text.ragged import Rows
from charrnn_cli.text.reader import TextStream


def read_pairs(
    source: str,
    pair_format: PairFormat,
    *,
    val_source: str | None = None,
    skip_bad: bool = False,
    watch: Watch = lambda stream: None,
) -> Pairs:
    """Read pairs from a path, or from stdin if `source` is `-`, and convert them to ids.

    With `val_source` those of that file are held out; the vocabularies are those of both files.
    Raises TextError that names the line, if there is a bad one.
    """
    reader = PairReader(pair_format, skip_bad)
    stream = TextStream(source, unchanging=True)
    reader.read(stream, watch)
    if not reader.pairs:
        raise TextError(f"{stream.name}: has no pairs. Give a file of sources and targets.")
    first_held_out = None
    notes = stream.notes
    if val_source is not None:
        first_held_out = reader.pairs
        held_out = TextStream(val_source, unchanging=True)
        reader.read(held_out, watch)
        if reader.pairs == first_held_out:
            raise TextError(f"{held_out.name}: has no pairs. Give a file of sources and targets.")
        notes += tuple(note for note in held_out.notes if note not in notes)
    sources, source_vocabulary, targets, target_vocabulary = reader.finish()
    rows: Rows = np.arange(reader.pairs, dtype=targets.offsets.dtype)
    pairs = Pairs(
        stream.name,
        sources,
        targets,
        source_vocabulary,
        target_vocabulary,
        pair_format,
        stream.sha256,
        lasting_path(source),
        rows,
        first_held_out,
        notes=notes + reader.notes(),
        skipped=tuple(reader.skipped),
    )
    if val_source is None:
        return pairs
    characters = int(targets.lengths(rows[first_held_out:]).sum())
    name, path = os.path.basename(held_out.name), lasting_path(val_source)
    return replace(pairs, val_text=ValText(name, held_out.sha256, characters, path))
