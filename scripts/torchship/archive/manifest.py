"""What those share that pack, describe and verify an archive: names, and contents. Standard library only."""

import hashlib
import io
from pathlib import Path, PurePosixPath
from typing import IO, TypeAlias

from torchship.core.files import sha256

# What goes into an archive under one name: bytes, or a file, of which never more than a piece is in memory.
Content: TypeAlias = bytes | Path


def size_of(content: Content) -> int:
    """Return the bytes of a content."""
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def digest_of(content: Content) -> str:
    """Return the SHA-256 of a content in hexadecimal."""
    return hashlib.sha256(content).hexdigest() if isinstance(content, bytes) else sha256(content)


def opened(content: Content) -> IO[bytes]:
    """Open a content for reading."""
    return io.BytesIO(content) if isinstance(content, bytes) else content.open("rb")


def beside(archive: Path) -> Path:
    """Return the path of the checksum that travels with an archive."""
    return archive.with_name(f"{archive.name}.sha256")


def is_inside(name: str) -> bool:
    """Tell whether a path stays below the folder that it is unpacked in."""
    path = PurePosixPath(name)
    return bool(name) and not path.is_absolute() and ".." not in path.parts and "\x00" not in name
