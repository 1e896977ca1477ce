"""Fuzz the checkpoint loader with atheris: `python tests/torture/fuzz.py SECONDS [FOLDER]`.

Each input is bytes put in place of others in a real checkpoint, or in its header, whose checksums
are then made to fit, or in the table of its tensors. Whatever comes: it loads whole or is refused,
in under two seconds. Needs `pip install atheris`.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parent.parent))
with atheris.instrument_imports(include=["charrnn_cli"]):
    from charrnn_cli.checkpoints.checkpoint import load, to_bytes
    from charrnn_cli.errors import CheckpointError

import numpy as np
from factories import make_checkpoint
from stored import table_and_body, with_header

SECONDS = int(sys.argv[1]) if len(sys.argv) > 1 else 600
CHECKPOINTS = [
    make_checkpoint(model, hidden_size=2, num_layers=1, training=training)
    for model in ("gru", "lstm", "rnn")
    for training in (False, True)
]
FILES = [to_bytes(checkpoint) for checkpoint in CHECKPOINTS]
# in memory where possible: a disk would be what takes the time
SHM = Path("/dev/shm")
SCRATCH = Path(tempfile.mkdtemp(dir=SHM if SHM.is_dir() else None)) / "fuzz.safetensors"
tried = {"loaded": 0, "refused": 0}


def spliced(data: bytes, provider: atheris.FuzzedDataProvider) -> bytes:
    """Data with a few pieces of it cut out, doubled or replaced."""
    for _ in range(provider.ConsumeIntInRange(1, 4)):
        place = provider.ConsumeIntInRange(0, len(data))
        gone = provider.ConsumeIntInRange(0, min(16, len(data) - place))
        data = data[:place] + provider.ConsumeBytes(8) + data[place + gone :]
    return data


def input_of(provider: atheris.FuzzedDataProvider) -> bytes:
    """A file that is nearly a checkpoint."""
    index = provider.ConsumeIntInRange(0, len(FILES) - 1)
    data = FILES[index]
    kind = provider.ConsumeIntInRange(0, 3)
    if kind == 0:
        return spliced(data, provider)
    if kind == 1:
        return data[: provider.ConsumeIntInRange(0, len(data))] + provider.ConsumeBytes(16)
    table, body = table_and_body(data)
    if kind == 2:  # the header, its checksums made to fit
        checkpoint = CHECKPOINTS[index]
        text = spliced(table["__metadata__"]["charrnn"].encode(), provider)
        try:
            header = json.loads(text)
            return with_header(header, {**checkpoint.weights, **checkpoint.training})
        except (ValueError, TypeError, AttributeError, RecursionError):
            table["__metadata__"]["charrnn"] = text.decode("latin-1")
            changed = json.dumps(table).encode()
            return len(changed).to_bytes(8, "little") + changed + body
    changed = spliced(json.dumps(table).encode(), provider)
    return len(changed).to_bytes(8, "little") + changed + body


def test_one_input(data: bytes) -> None:
    SCRATCH.write_bytes(input_of(atheris.FuzzedDataProvider(data)))
    begun = time.monotonic()
    try:
        checkpoint = load(SCRATCH)
    except CheckpointError:
        tried["refused"] += 1
    else:
        shapes = checkpoint.model.parameter_shapes()
        assert {name: values.shape for name, values in checkpoint.weights.items()} == shapes
        assert all(np.isfinite(values).all() for values in checkpoint.weights.values())
        assert len(checkpoint.vocabulary) == checkpoint.model.vocabulary_size
        to_bytes(checkpoint)
        tried["loaded"] += 1
    assert time.monotonic() - begun < 2
    if sum(tried.values()) % 1_000 == 0:
        print(f"{sum(tried.values()):,} mutations: {tried}", flush=True)


def main() -> None:
    folder = sys.argv[2] if len(sys.argv) > 2 else tempfile.mkdtemp()
    options = [f"-max_total_time={SECONDS}", "-rss_limit_mb=2048", "-timeout=10", "-max_len=128"]
    atheris.Setup([sys.argv[0], *options, folder], test_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
