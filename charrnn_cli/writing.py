"""From a request for samples to text: the seed, the engine, and when to stop."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from charrnn_cli.checkpoint import Checkpoint, load
from charrnn_cli.config import SamplingConfig, check_all
from charrnn_cli.corpus import read_text
from charrnn_cli.errors import UsageError
from charrnn_cli.numpy_engine import NumpyEngine
from charrnn_cli.runs import find_checkpoint
from charrnn_cli.sampling import Engine, generate, surprise
from charrnn_cli.vocabulary import Vocabulary, describe

MAX_NAMED = 5  # unknown characters named in one message


@dataclass(frozen=True)
class SampleRequest:
    """What the user asked for; None means that it was not given. Length 0: until stopped."""

    checkpoint: str | None
    checkpoints: Path
    sampling: SamplingConfig
    seed: str | None = None
    seed_file: str | None = None
    unknown: str = "refuse"
    length: int = 500
    until: str | None = None
    num_samples: int = 1
    random_seed: int | None = None
    device: str = "auto"


@dataclass(frozen=True)
class Samples:
    """Samples about to be drawn. `notes` is what the user should know of them."""

    request: SampleRequest
    checkpoint: Checkpoint
    seed: str
    random_seed: int
    notes: tuple[str, ...]

    def pieces(self) -> Iterator[tuple[int, str]]:
        """The text piece by piece, each with the number of its sample; one sample after another.

        All samples are drawn side by side: the first appears as it is made, the others when done.
        """
        request, vocabulary = self.request, self.checkpoint.vocabulary
        streams = None if request.num_samples == 1 else request.num_samples
        engine = self._engine(streams)
        steps = generate(
            engine, self._prompt(), request.sampling, self.random_seed, streams=streams
        )
        yield 0, self.seed
        others = [self.seed] * (request.num_samples - 1)
        tails = [""] * request.num_samples
        done = [False] * request.num_samples
        written = 0
        while not all(done) and not 0 < request.length <= written:
            ids = next(steps)
            characters = vocabulary.characters
            for index, chosen in enumerate([ids] if streams is None else ids.tolist()):
                if done[index]:
                    continue
                character = characters[chosen]
                if index:
                    others[index - 1] += character
                else:
                    yield 0, character
                if request.until:
                    tails[index] = (tails[index] + character)[-len(request.until) :]
                    done[index] = tails[index] == request.until
            written += 1
        yield from enumerate(others, start=1)

    def records(self) -> Iterator[dict[str, Any]]:
        """One object per sample: `seed`, `text` after it, `random_seed`, `sample` (its number), and
        `bits_per_char`, how surprising the model itself finds that text, filters aside."""
        texts = [""] * self.request.num_samples
        for index, piece in self.pieces():
            texts[index] += piece
        for index, text in enumerate(texts):
            written = text[len(self.seed) :]
            ids = self.checkpoint.vocabulary.encode(written)
            bits = surprise(self._engine(None), self._prompt(), ids)
            yield {
                "sample": index,
                "seed": self.seed,
                "text": written,
                "random_seed": self.random_seed,
                "bits_per_char": float(bits.mean()) if len(bits) else None,
            }

    def _prompt(self) -> list[int]:
        vocabulary = self.checkpoint.vocabulary
        # without a seed: as at the beginning of a line, or of a word
        starts = [vocabulary.id_of(character) for character in "\n "]
        start = next((index for index in starts if index is not None), 0)
        return vocabulary.encode(self.seed).tolist() or [start]

    def _engine(self, streams: int | None) -> Engine:
        if self.request.device in ("auto", "cpu"):
            return NumpyEngine(self.checkpoint.model, self.checkpoint.weights, streams)
        from charrnn_cli.torch_engine import TorchEngine

        return TorchEngine(self.checkpoint, self.request.device, streams)


def open_samples(request: SampleRequest) -> Samples:
    """Load the model and check the request. Raises CharRNNError; draws nothing yet."""
    check_all(
        {
            "length": request.length,
            "num_samples": request.num_samples,
            "random_seed": request.random_seed,
        }
    )
    if request.unknown not in ("refuse", "skip"):
        raise UsageError(f"--unknown {request.unknown}: must be refuse or skip.")
    if request.seed is not None and request.seed_file is not None:
        raise UsageError("--seed and --seed-file exclude each other: use one of them.")
    if request.until == "":
        raise UsageError("--until: the text to stop at is empty. Leave --until out.")
    if not request.length and not request.until and request.num_samples > 1:
        raise UsageError("--length 0: several samples need an end. Give --length or --until.")
    checkpoint = load(find_checkpoint(request.checkpoint, request.checkpoints))
    notes = []
    seed = request.seed or ""
    if request.seed_file is not None:
        seed = read_text(request.seed_file)
    if unknown := checkpoint.vocabulary.unknown(seed):
        names = _named(unknown, checkpoint.vocabulary)
        if request.unknown == "refuse":
            raise UsageError(
                f"the model never saw {names}. Leave it out of the seed, or use --unknown skip"
            )
        seed = "".join(character for character in seed if character in checkpoint.vocabulary)
        notes.append(f"left out of the seed: {names}")
    if request.until and (unknown := checkpoint.vocabulary.unknown(request.until)):
        raise UsageError(
            f"--until: the model never writes {_named(unknown, checkpoint.vocabulary)}, "
            "so it would not stop there. Choose another text."
        )
    random_seed = request.random_seed
    if random_seed is None:
        random_seed = secrets.randbits(32)
        if request.sampling.temperature > 0:
            notes.append(f"random seed {random_seed}")
    return Samples(request, checkpoint, seed, random_seed, tuple(notes))


def _named(characters: list[str], vocabulary: Vocabulary) -> str:
    """Unknown characters in words, each with the nearest known one."""
    names = []
    for character in characters[:MAX_NAMED]:
        nearest = vocabulary.nearest(character)
        names.append(describe(character) + (f" (it knows {nearest!r})" if nearest else ""))
    more = len(characters) - MAX_NAMED
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")
