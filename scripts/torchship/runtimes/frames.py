"""What two interpreters say to each other about a runtime: frames on a pipe.

A frame is the length of a JSON document, the document, the length of a block, and the block, mostly arrays as
safetensors; lengths are 8 bytes, least significant first.
"""

import json
from collections.abc import Mapping
from typing import IO

from safetensors.numpy import load, save
from torchship.core.files import Json
from torchship.core.texts import packed, unpacked
from torchship.spec.arrays import Array


class RefusedError(Exception):
    """A runtime does not load a file, or does not run it on some inputs: a result, which the gate judges."""


def write_frame(
    stream: IO[bytes], document: Mapping[str, object], arrays: Mapping[str, Array], block: bytes | None = None
) -> None:
    """Write one frame; `block` takes the place of arrays where the payload is bytes of another kind."""
    text = json.dumps(document).encode()
    payload = block if block is not None else save(packed(arrays))
    for part in (text, payload):
        stream.write(len(part).to_bytes(8, "little"))
        stream.write(part)
    stream.flush()


def read_frame(stream: IO[bytes]) -> tuple[Json, bytes]:
    """Read one frame: its document, and its block.

    Raises:
        EOFError: the other side has ended, maybe in the middle of a frame.
    """
    parts = []
    for _ in range(2):
        length = stream.read(8)
        if len(length) < 8:
            raise EOFError
        part = stream.read(int.from_bytes(length, "little"))
        if len(part) < int.from_bytes(length, "little"):
            raise EOFError
        parts.append(part)
    return json.loads(parts[0]), parts[1]


def read_block(block: bytes) -> dict[str, Array]:
    """Return the arrays of a frame's block."""
    return unpacked(load(block))
