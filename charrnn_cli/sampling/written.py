"""Samples while they are drawn: their characters, how each ended, as one text, and as JSON."""

import itertools
import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from charrnn_cli.checkpoints.checkpoint import Checkpoint
from charrnn_cli.errors import UsageError
from charrnn_cli.models.decoder import Decoder
from charrnn_cli.models.decoders import OpenDecoder, decoders_on, in_numpy
from charrnn_cli.sampling.drawing import generate_in_threads, generate_with_bits
from charrnn_cli.sampling.originality import copied
from charrnn_cli.sampling.prompt import Prompt
from charrnn_cli.sampling.threads import threads_for
from charrnn_cli.settings.configs import SamplingConfig
from charrnn_cli.terminal.thread_limit import can_start
from charrnn_cli.text.corpus import Corpus

MAX_ROUNDS = 100  # So many times at most, samples that were copied are drawn again.

Ended = Literal["until", "lines", "length", "stopped"]
"""Why a sample ended: its text to stop at, its number of lines, its length, or Ctrl-C."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """What determines some samples. `max_length` is in characters, None without a limit; `lines` is
    a number of lines, and `until` a text, that ends a sample. `whole`: all of their text is kept.
    """

    checkpoint: Checkpoint
    prompt: Prompt
    sampling: SamplingConfig
    random_seed: int
    num_samples: int
    max_length: int | None
    lines: int | None
    until: str
    device: str
    whole: bool


@dataclass
class Written:
    """One sample: its characters after the prompt, their surprisal in bits if that was measured,
    how many lines have ended, and why the sample did."""

    characters: deque[str]
    bits: float = 0.0
    lines: int = 0
    ended: Ended = "stopped"

    @property
    def text(self) -> str:
        """The characters that were kept, as a text."""
        return "".join(self.characters)


@dataclass
class Drawing:
    """The samples while they are drawn, all side by side; they can be read once.

    Iterating yields pieces of text, each with the number of its sample, from 0, in the order of the
    samples. The first piece of a sample is the prompt's text. Sample 0 appears character by
    character as it is drawn, the others once all have ended. Ctrl-C ends all samples where they
    are: their text is yielded, and then KeyboardInterrupt is raised.

    With the text `learned`, samples that stand in it are left out, and those of the next random
    numbers take their place; all samples appear when they have ended. Raises UsageError if every
    one of `MAX_ROUNDS` times as many stands in it.
    """

    task: Task
    learned: Corpus | None = None
    first_stream: int = 0  # number of the first sample's random numbers
    written: list[Written] = field(default_factory=list)

    @property
    def several(self) -> bool:
        """Whether the samples are drawn side by side."""
        return self.task.num_samples > 1

    @property
    def texts(self) -> list[str]:
        """What has been written of each sample so far, after the prompt; of one sample of a task
        that is not `whole`, its last characters only."""
        return [sample.text for sample in self.written]

    def __iter__(self) -> Iterator[tuple[int, str]]:
        seed = self.task.prompt.text
        streamed = 0 if self.learned is not None else 1  # samples that appear as they are drawn
        interrupted = False
        if streamed:
            yield 0, seed
        try:
            for character in self._draw(keep=self.several or self.task.whole):
                if streamed:
                    yield 0, character
        except KeyboardInterrupt:
            interrupted = True
        for number, text in enumerate(self.texts[streamed:], start=streamed):
            yield number, seed + text
        if interrupted:
            raise KeyboardInterrupt

    def text(self, separator: str) -> Iterator[str]:
        """Yield all samples as one text, piece by piece, with a separator line between two. An
        empty separator leaves only the samples' own line ends between them, as it is with items of
        a list."""
        if self.task.checkpoint.train.lines:
            separator = ""
        current, at_line_start = 0, True
        for number, piece in self:
            if number != current:
                current = number
                newline = "" if at_line_start and (self.task.lines or not separator) else "\n"
                yield f"{newline}{separator}\n" if separator else newline
            if piece:
                at_line_start = piece[-1] == "\n"
            yield piece

    def json_lines(self) -> Iterator[str]:
        """Yield one JSON object a line per sample.

        Its keys are `sample` (the number), `seed`, `text` (after the seed), `ended`, `random_seed`
        and `bits_per_char`: the mean surprisal of that text under the model itself, at temperature
        1 and without filters; null for an empty text.
        """
        interrupted = False
        try:
            for _ in self._draw(keep=True, measure=True):
                pass
        except KeyboardInterrupt:
            interrupted = True
        for number, sample in enumerate(self.written):
            text = sample.text
            record: dict[str, object] = {
                "sample": number,
                "seed": self.task.prompt.text,
                "text": text,
                "ended": sample.ended,
                "random_seed": self.task.random_seed,
                "bits_per_char": sample.bits / len(text) if text else None,
            }
            yield json.dumps(record) + "\n"
        if interrupted:
            raise KeyboardInterrupt

    def notes(self) -> list[str]:
        """What the user should know of the samples that were drawn, in sentences."""
        notes, count = [], self.task.num_samples
        missed = sum(sample.ended == "length" for sample in self.written)
        of_list = self.task.checkpoint.train.lines
        if missed and (self.task.until or self.task.lines) and not of_list:
            option = "--until" if self.task.until else "--lines"
            which = "the sample" if count == 1 else f"{missed:,} of {count:,} samples"
            notes.append(
                f"Note: {option} was not reached: {which} ended at --length {self.task.max_length}."
            )
        if len(self.written) < count:
            notes.append(
                f"Note: {len(self.written):,} of {count:,} samples: all others of "
                f"{MAX_ROUNDS * count:,} drawn stand in the training text. Raise --temperature."
            )
        return notes

    def _draw(self, keep: bool, measure: bool = False) -> Iterator[str]:
        """Draw all samples, and yield the characters of sample 0. With `keep` the texts are kept
        whole; with `measure` their surprisal is added up."""
        if self.learned is not None:
            self._draw_new(self.learned, measure)
            return
        task = self.task
        characters, until = task.checkpoint.vocabulary.characters, task.until
        # a text that is not kept can be endless: `until` needs its last characters alone
        most = None if keep else len(until) or 1
        self.written = [Written(deque(maxlen=most)) for _ in range(task.num_samples)]
        going = list(range(task.num_samples))
        for ids, bits in itertools.islice(self._steps(measure), task.max_length):
            drawn = ids.tolist() if self.several else [ids]
            for number in tuple(going):
                sample = self.written[number]
                character = characters[drawn[number]]
                sample.characters.append(character)
                sample.lines += character == "\n"
                if bits is not None:
                    sample.bits += float(bits[number] if self.several else bits)
                if number == 0:
                    yield character
                if until and character == until[-1] and _ends_with(sample.characters, until):
                    sample.ended = "until"
                elif task.lines and sample.lines >= task.lines:
                    sample.ended = "lines"
                else:
                    continue
                going.remove(number)
            if not going:
                break
        for number in going:
            self.written[number].ended = "length"

    def _draw_new(self, learned: Corpus, measure: bool) -> None:
        """Draw samples until there are enough that do not stand in the text `learned`."""
        task, found = self.task, self.written
        # without a seed, a sample is a whole line or more: the end of another line is no copy of it
        begin = task.prompt.text or ("\n" if "\n" in task.checkpoint.vocabulary else "")
        if task.checkpoint.train.lines and not begin.startswith("\n"):
            begin = f"\n{begin}"  # an item is compared with whole items
        for turn in range(MAX_ROUNDS):
            drawing = Drawing(task, first_stream=self.first_stream + turn * task.num_samples)
            for _ in drawing._draw(keep=True, measure=measure):
                pass
            is_copy = copied([begin + text for text in drawing.texts], learned)
            found += [s for s, old in zip(drawing.written, is_copy, strict=True) if not old]
            del found[task.num_samples :]
            if len(found) == task.num_samples:
                return
        if not found:
            raise UsageError(
                f"--skip-copied: each of {MAX_ROUNDS * task.num_samples:,} samples stands in the "
                "training text. Raise --temperature or --length."
            )

    def _steps(self, measure: bool) -> Iterator[tuple[Any, Any]]:
        """Yield each step's ids, an int or (B,), and their surprisal, None without `measure`."""
        task, prompt = self.task, self.task.prompt.ids
        model = task.checkpoint.model
        open_decoder = decoders_on(model, task.checkpoint.weights, task.device)
        if not self.several:
            decoders, shares = [open_decoder(None)], [1]
        else:
            threads = threads_for(task.num_samples) if in_numpy(task.device) else 1
            threads = threads if can_start(threads) else 1
            in_pairs = model.decodes_on_two_cores
            decoders, shares = divided(open_decoder, task.num_samples, threads, in_pairs=in_pairs)
        if self.several and len(prompt) > 1 and model.context is None:
            one = open_decoder(None)  # the prompt is the same for all: it is read once
            one.prefill(prompt[:-1])
            for decoder in decoders:
                decoder.set_state(one.state())
            prompt = prompt[-1:]
        how = task.sampling, task.random_seed
        if len(decoders) > 1:
            first = self.first_stream
            return generate_in_threads(decoders, prompt, *how, shares, first, measure=measure)
        streams = task.num_samples if self.several else None
        return generate_with_bits(
            decoders[0], prompt, *how, streams, self.first_stream, measure=measure
        )


def divided(
    open_decoder: OpenDecoder, streams: int, threads: int, *, in_pairs: bool
) -> tuple[list[Decoder], list[int]]:
    """Decoders that together keep so many threads busy, and how many of the streams each has: a
    thread each or, `in_pairs`, two threads and twice the streams as far as there are two."""
    pairs = threads // 2 if in_pairs else 0
    single = shares_of(streams, threads)[2 * pairs :]
    shares = [*shares_of(streams - sum(single), pairs), *single]
    decoders = [open_decoder(share) for share in shares]
    for decoder in decoders[:pairs]:
        decoder.use_second_core()
    return decoders, shares


def shares_of(count: int, parts: int) -> list[int]:
    """A number of streams divided into like parts."""
    return [count // parts + (part < count % parts) for part in range(parts)]


def _ends_with(characters: deque[str], end: str) -> bool:
    return len(characters) >= len(end) and all(
        a == b for a, b in zip(reversed(characters), reversed(end), strict=False)
    )
