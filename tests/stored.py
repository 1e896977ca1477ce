"""The bytes of checkpoints: taken apart, and made with other headers."""

import json

from factories import TINY
from safetensors.numpy import save as serialize

from charrnn_cli.checkpoints.checkpoint import Checkpoint, to_bytes
from charrnn_cli.checkpoints.format import sealed


def table_and_body(data: bytes) -> tuple[dict, bytes]:
    """The two parts of a safetensors file."""
    end = 8 + int.from_bytes(data[:8], "little")
    return json.loads(data[8:end]), data[end:]


def header_of(checkpoint: Checkpoint) -> dict:
    """What a checkpoint's file says of it beside the tensors."""
    table, _ = table_and_body(to_bytes(checkpoint))
    return json.loads(table["__metadata__"]["charrnn"])


def with_header(header, tensors=None) -> bytes:
    """A file whose own metadata is `header`, its checksums made to fit, the tensors being those of
    TINY unless given."""
    tensors = dict(tensors or TINY.weights)
    text = json.dumps(sealed(header, tensors), sort_keys=True)
    return serialize(tensors, {"charrnn": text})


def as_format_1(checkpoint: Checkpoint) -> bytes:
    """The file as charrnn wrote it before it had checksums, and AdamW alone."""
    header = header_of(checkpoint) | {"format": 1}
    del header["header_sha256"], header["tensors_sha256"]
    del header["train"]["min_count"], header["train"]["optimizer"]
    del header["progress"]["optimizer_began"]
    tensors = {**checkpoint.weights, **checkpoint.training}
    return serialize(tensors, {"charrnn": json.dumps(header, sort_keys=True)})
