"""The verification of an archive, anywhere: every file against the manifest. Standard library only."""

import gzip
import hashlib
import io
import os
import re
import shutil
import struct
import tarfile
import tempfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, cast

from torchship.archive.manifest import beside, is_inside
from torchship.core.chain import MANIFEST
from torchship.core.errors import ArchiveError
from torchship.core.files import sha256

# Far beyond what a run makes, far below what fills a disk: against archives made to explode.
MOST_BYTES = 4 * 2**30
MOST_FILES = 100_000
CHUNK = 2**20

LINE = re.compile(r"^(?P<sha256>[0-9a-f]{64})  (?P<name>[^\n]+)$")


def verify(archive: Path, extract_to: Path | None = None, most_bytes: int | None = MOST_BYTES) -> int:
    """Check every file of an archive against its manifest, and the archive against `<archive>.sha256` if that is there.

    Nothing is written while checking; only an archive that passes is unpacked.

    Args:
        extract_to: a folder to unpack into, which must not exist.
        most_bytes: refuse archives that unpack to more; None takes any, as one that has just been packed here.

    Returns:
        the number of files in the manifest.

    Raises:
        ArchiveError: something unsafe, damaged, changed, missing or added; the message names the file.
    """
    if not archive.is_file():
        raise ArchiveError(f"{archive}: no such file")
    hashes, manifest = read_members(archive, most_bytes)
    root = common_root(archive, hashes)
    expected = read_manifest(archive, manifest)
    found = {name.removeprefix(f"{root}/"): digest for name, digest in hashes.items()}
    del found[MANIFEST]
    for kind, names in (("missing", expected.keys() - found.keys()), ("added", found.keys() - expected.keys())):
        if names:
            raise ArchiveError(f"{archive}: {len(names)} files {kind}, the first is {sorted(names)[0]!r}")
    changed = sorted(name for name, digest in found.items() if digest != expected[name])
    if changed:
        raise ArchiveError(
            f"{archive}: {len(changed)} files changed since they were packed, the first is {changed[0]!r}"
        )
    # Last, because the checks above can name the file that is wrong.
    check_beside(archive)
    if extract_to is not None:
        extract(archive, extract_to)
    return len(expected)


def check_beside(archive: Path) -> None:
    """Check an archive against the checksum beside it, if there is one.

    Raises:
        ArchiveError: they disagree.
    """
    recorded = beside(archive)
    if not recorded.is_file():
        return
    wanted = recorded.read_text(encoding="utf-8", errors="replace").split()[:1]
    found = sha256(archive)
    if wanted != [found]:
        raise ArchiveError(f"{archive} has sha256 {found}, {recorded.name} says {' '.join(wanted) or 'nothing'}")


class Counted(io.RawIOBase):
    """A stream that refuses to give more than so many bytes, whatever asks for them."""

    def __init__(self, stream: IO[bytes], archive: Path, most_bytes: int) -> None:
        self.stream, self.archive, self.left, self.most = stream, archive, most_bytes, most_bytes

    def read(self, size: int = -1) -> bytes:
        """Read up to `size` bytes.

        Raises:
            ArchiveError: more than the limit has been read.
        """
        block = self.stream.read(min(size, self.left + 1) if size >= 0 else self.left + 1)
        self.left -= len(block)
        if self.left < 0:
            raise ArchiveError(
                f"{self.archive} unpacks to more than {self.most} bytes; raise --most-bytes if that is right"
            )
        return block


def read_members(archive: Path, most_bytes: int | None) -> tuple[dict[str, str], bytes]:
    """Return the SHA-256 of every file in an archive, and the manifest's bytes, after checking that all are safe.

    Raises:
        ArchiveError: an absolute path, a `..`, anything but plain files, a name twice, too many files or bytes, bytes
            behind the last file, another header than `pack` writes, or damage.
    """
    hashes: dict[str, str] = {}
    manifest, name, modified = b"", "its first file", 0
    try:
        with gzip.open(archive) as unpacked:
            stream = unpacked if most_bytes is None else Counted(cast("IO[bytes]", unpacked), archive, most_bytes)
            with tarfile.open(fileobj=cast("IO[bytes]", stream), mode="r|", bufsize=tarfile.BLOCKSIZE) as tar:
                for member in tar:
                    name, modified = member.name, int(member.mtime)
                    check_member(archive, member, hashes)
                    if len(hashes) >= MOST_FILES:
                        raise ArchiveError(f"{archive} holds more than {MOST_FILES} files")
                    hashes[name], head = digest(tar, member)
                    if name.count("/") == 1 and name.endswith(f"/{MANIFEST}"):
                        manifest = head
            while block := stream.read(CHUNK):
                if block.strip(b"\0"):
                    raise ArchiveError(f"{archive} holds something behind its last file, {name!r}")
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise ArchiveError(f"{archive} is damaged in or after {name!r}: {error}") from error
    check_header(archive, modified)
    return hashes, manifest


def check_header(archive: Path, modified: int) -> None:
    """Check the ten bytes in front of the compressed data, which no checksum of gzip's covers.

    Raises:
        ArchiveError: they are not as `pack` writes them (RFC 1952).
    """
    with archive.open("rb") as stream:
        header = stream.read(10)
    # Magic, deflate, no flags; the date; best compression, unknown system.
    if header != b"\x1f\x8b\x08\x00" + struct.pack("<L", modified) + b"\x02\xff":
        raise ArchiveError(f"{archive}: its gzip header was changed: {header.hex(' ')}")


def check_member(archive: Path, member: tarfile.TarInfo, seen: Mapping[str, str]) -> None:
    """Check that one member is safe to unpack.

    Raises:
        ArchiveError: it is not.
    """
    if not is_inside(member.name):
        raise ArchiveError(f"{archive}: {member.name!r} would be unpacked outside of its folder")
    if not member.isfile():
        kind = "a link" if member.issym() or member.islnk() else "a folder, a device or another special file"
        raise ArchiveError(f"{archive}: {member.name!r} is {kind}, only plain files are safe")
    if member.name in seen:
        raise ArchiveError(f"{archive}: {member.name!r} is there twice")


def digest(tar: tarfile.TarFile, member: tarfile.TarInfo) -> tuple[str, bytes]:
    """Return the SHA-256 of a member, and its bytes if it is a manifest."""
    stream, state, kept = tar.extractfile(member), hashlib.sha256(), []
    assert stream is not None  # noqa: S101 -- a plain file has a stream
    while block := stream.read(CHUNK):
        state.update(block)
        if member.name.endswith(f"/{MANIFEST}"):
            kept.append(block)
    return state.hexdigest(), b"".join(kept)


def common_root(archive: Path, names: Mapping[str, str]) -> str:
    """Return the one folder that everything is in.

    Raises:
        ArchiveError: there is more than one, or no manifest in it.
    """
    roots = sorted({name.partition("/")[0] for name in names})
    if len(roots) != 1 or f"{roots[0]}/{MANIFEST}" not in names:
        raise ArchiveError(
            f"{archive} is not an archive of Torchship: no {MANIFEST} in a single folder (top: {roots[:3]})"
        )
    return roots[0]


def read_manifest(archive: Path, manifest: bytes) -> dict[str, str]:
    """Return the SHA-256 of each file that a manifest lists.

    Raises:
        ArchiveError: a line that `sha256sum` would not write.
    """
    expected = {}
    for number, line in enumerate(manifest.decode("utf-8", "replace").splitlines(), start=1):
        match = LINE.match(line)
        if match is None:
            raise ArchiveError(f"{archive}: line {number} of {MANIFEST} is not a checksum: {line[:60]!r}")
        expected[match["name"]] = match["sha256"]
    return expected


def extract(archive: Path, folder: Path) -> None:
    """Unpack an archive that has been verified into a new folder, whole or not at all.

    Member by member: the `filter` of tarfile, which would refuse what is unsafe, came with Python 3.11.4 only.

    Raises:
        ArchiveError: the folder exists or cannot be written.
    """
    if folder.exists():
        raise ArchiveError(f"{folder} exists already; unpack into a new folder")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            with tarfile.open(archive, mode="r:gz") as tar:
                written: dict[str, str] = {}
                for member in tar:
                    # Again: the file may be another one by now.
                    check_member(archive, member, written)
                    written[member.name] = write_member(tar, member, part / "whole")
            (part / "whole").replace(folder)
        finally:
            shutil.rmtree(part)
    except OSError as error:
        raise ArchiveError(f"{archive} cannot be unpacked into {folder}: {error}") from error


def write_member(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> str:
    """Write one plain file, with its date, into a folder that holds only files of its archive; return its path."""
    path, stream = folder / member.name, tar.extractfile(member)
    assert stream is not None  # noqa: S101 -- a plain file has a stream
    path.parent.mkdir(parents=True, exist_ok=True)
    # No file is written twice, and there is no link that one could be written through.
    with path.open("xb") as file:
        shutil.copyfileobj(stream, file)
    os.utime(path, (member.mtime, member.mtime))
    return str(path)
