"""The model card: what a model is, and its measured losses, as the README.md of its folder."""

from charrnn_cli.checkpoints.checkpoint import Checkpoint
from charrnn_cli.formatting import bits_per_char

_CARD = """\
---
library_name: transformers
pipeline_tag: text-generation
tags:
- character-level
- charrnn
---

# A character-level language model

Every character is a token: the model reads and writes one character at a time. It was trained with
`charrnn` on {name} ({characters:,} characters).

| | |
|---|---|
| architecture | {architecture}: {num_layers} layers, {hidden_size} hidden units |
| parameters | {parameters:,} |
| vocabulary | {vocabulary:,} characters |
| context | {context} characters |
| optimizer updates | {step:,}, {epoch:.2f} passes over the text |

## Loss

On the part of the text that was held out from training. Lower is better.

| | nats per character | bits per character |
|---|---|---|
{losses}
## Use

```python
from transformers import pipeline

write = pipeline("text-generation", model="path/to/this/folder")
print(write({prompt!r}, max_new_tokens={new})[0]["generated_text"])
```

A character outside the vocabulary {unknown}.
"""

_BASELINES = {
    "uniform": "every character equally likely",
    "unigram": "character frequencies",
    "five_gram": "5-gram model, Kneser-Ney smoothing",
}


def model_card(checkpoint: Checkpoint) -> str:
    """The model card as Markdown; nothing from the checkpoint becomes markup."""
    model, vocabulary = checkpoint.model, checkpoint.vocabulary
    losses = []
    if checkpoint.val_loss is not None:
        losses.append(("**this model**", checkpoint.val_loss))
    if checkpoint.baselines is not None:
        for name, words in _BASELINES.items():
            losses.append((words, getattr(checkpoint.baselines, name)))
    rows = [f"| {name} | {loss:.3f} | {bits_per_char(loss):.3f} |\n" for name, loss in losses]
    return _CARD.format(
        name=_code(checkpoint.corpus.name),
        characters=checkpoint.corpus.characters,
        architecture=model.architecture,
        num_layers=model.num_layers,
        hidden_size=model.hidden_size,
        parameters=model.parameters,
        vocabulary=len(vocabulary),
        context=f"{model.context:,}",
        step=checkpoint.progress.step,
        epoch=checkpoint.progress.epoch,
        losses="".join(rows) or "| not measured | | |\n",
        prompt=vocabulary.characters[vocabulary.line_start],
        new=min(300, (model.context or 301) - 1),
        unknown="is read as U+FFFD" if checkpoint.reads_replacement else "is an error",
    )


def _code(text: str) -> str:
    """A text of one line as code in Markdown, without what would end the code."""
    plain = "".join(c if c.isprintable() and c not in "`|" else "_" for c in text)
    return f"`{plain}`"
