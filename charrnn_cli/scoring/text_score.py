"""From a request to a score: one text, read once by one or more models."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from charrnn_cli.checkpoints.checkpoint import Checkpoint, load
from charrnn_cli.checkpoints.runs import Run, find_checkpoint
from charrnn_cli.errors import TextError
from charrnn_cli.models.registry import build_decoder
from charrnn_cli.scoring.scorer import Line, Lines, Scored, Scorer
from charrnn_cli.scoring.surprisal import OpenDecoder, Surprisal
from charrnn_cli.text.reader import TextStream

BLOCK = 1 << 17  # characters scored at a time: bounds memory, and is long enough for many lanes


@dataclass(frozen=True)
class Model:
    """A model that scores a text: as it is, and perhaps also learning as it reads."""

    name: str
    file: Path
    checkpoint: Checkpoint
    static: Scorer
    adapted: Scorer | None

    @property
    def score(self) -> Scorer:
        """The score that counts, and whose lines are shown: the adapted one, if there is one."""
        return self.adapted or self.static

    def feed(self, text: str) -> Scored:
        """Score the text's next characters."""
        scored = self.static.feed(text)
        return self.adapted.feed(text) if self.adapted else scored


def open_model(which: str | None, checkpoints: Path, device: str, adapt: bool) -> Model:
    """The model that `which` names, the newest run's if None. Raises CharRNNError."""
    file = find_checkpoint(which, checkpoints)
    checkpoint = load(file)
    vocabulary, folds = checkpoint.vocabulary, checkpoint.folds
    meter = Surprisal(_decoders(checkpoint, device), checkpoint.model.context)
    static = Scorer(vocabulary, meter, folds)
    adapted = None
    if adapt:
        from charrnn_cli.models.device import choose_device
        from charrnn_cli.scoring.dynamic_evaluation import AdaptiveMeter

        # one stream leaves a GPU idle: it is used only if asked for
        chosen = choose_device("cpu" if device == "auto" else device)
        adapted = Scorer(vocabulary, AdaptiveMeter(checkpoint, chosen), folds)
    return Model(which or Run(file.parent).name, file, checkpoint, static, adapted)


def _decoders(checkpoint: Checkpoint, device: str) -> OpenDecoder:
    """Makes the model's decoders: in NumPy, which reads on a CPU as fast as PyTorch and needs no
    two seconds to be imported, or in PyTorch on another device."""
    model, weights = checkpoint.model, checkpoint.weights
    if device in ("auto", "cpu"):
        return partial(build_decoder, model, weights)
    from charrnn_cli.models.device import choose_device
    from charrnn_cli.models.torch_decoder import TorchDecoder
    from charrnn_cli.models.weights import trained_model

    return partial(TorchDecoder, trained_model(model, weights, choose_device(device)))


class TextScore:
    """A text scored by models, all in one pass."""

    def __init__(self, stream: TextStream, models: list[Model]) -> None:
        self.stream, self.models = stream, models
        self.line_count = 0

    def read(self) -> Iterator[list[Line]]:
        """Score the text block by block; yield the lines that each ends, as the first model sees
        them. Raises TextError for what cannot be read, or is too short to be scored."""
        lines = Lines()
        for block in _blocks(self.stream):
            scored = [model.feed(block) for model in self.models]
            yield list(lines.feed(scored[0]))
        yield list(lines.end())
        self.line_count = lines.count
        name, score = self.stream.name, self.models[0].score
        if not score.characters:
            raise TextError(f"{name}: the text is empty. Give a file with some text in it.")
        if not all(model.score.scored for model in self.models):
            raise TextError(f"{name}: 1 character; scoring needs at least 2. Give a longer text.")


def _blocks(pieces: Iterable[str]) -> Iterator[str]:
    """The pieces joined into strings of at least `BLOCK` characters, but for the last."""
    gathered: list[str] = []
    for piece in pieces:
        gathered.append(piece)
        if sum(map(len, gathered)) >= BLOCK:
            yield "".join(gathered)
            gathered = []
    if gathered:
        yield "".join(gathered)
