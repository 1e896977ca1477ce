"""How many held-out pairs a model gets right."""

from collections.abc import Sequence

import numpy as np

from charrnn_cli.models.decoder import Array
from charrnn_cli.models.module import Model
from charrnn_cli.models.registry import build_pair_decoder
from charrnn_cli.sampling.greedy import decode_greedily
from charrnn_cli.text.edit_distance import edit_distance
from charrnn_cli.text.pairs import Pairs
from charrnn_cli.text.ragged import Rows
from charrnn_cli.training.distributed.group import ALONE, Group
from charrnn_cli.training.events import Accuracy, Example

EXAMPLES = 5  # So many pairs are shown after an evaluation.
# An output is decoded up to so many times its target's length and so many characters more: what
# is longer is wrong in any case.
MOST_TIMES, MOST_MORE = 1.5, 5


def measure_accuracy(model: Model, pairs: Pairs, group: Group = ALONE) -> Accuracy:
    """The accuracy of greedy decoding on the first held-out pairs, at most `MAX_DECODED`.

    Each process of a `group` decodes some of them. Decoding is NumPy's, as in `translate`.
    """
    decoded = pairs.decoded()
    mine = decoded[group.part(len(decoded))]
    weights = {name: p.detach().float().cpu().numpy() for name, p in model.named_parameters()}
    outputs = _outputs(model, weights, pairs, mine) if len(mine) else []
    exact, edits, characters = 0, 0, 0
    for row, output in zip(mine, outputs, strict=True):
        target = pairs.targets[int(row)]
        wanted = target[target != pairs.target_vocabulary.end].tolist()
        exact += output == wanted
        edits += edit_distance(wanted, output)
        characters += len(wanted)
    examples: dict[str, Example] = {}
    for row, output in zip(mine.tolist(), outputs, strict=True):
        pair = pairs.pair(row)
        shown = " ".join([*pair.features, pair.source])
        example = Example(shown, pair.target, pairs.target_vocabulary.decode(output))
        examples.setdefault(shown, example)
        if len(examples) == EXAMPLES:
            break
    return Accuracy(
        exact_matches=group.total(exact) / len(decoded),
        character_error_rate=group.total(edits) / max(1.0, group.total(characters)),
        examples=tuple(examples.values()),
    )


def _outputs(
    model: Model, weights: dict[str, Array], pairs: Pairs, rows: Rows
) -> Sequence[list[int]]:
    decoder = build_pair_decoder(model.config, weights)
    limits = (MOST_TIMES * pairs.targets.lengths(rows) + MOST_MORE).astype(np.int64)
    sources = [pairs.sources[int(row)][:-1] for row in rows]
    found = decode_greedily(decoder, sources, limits.tolist())
    return [ids.tolist() for ids in found]
