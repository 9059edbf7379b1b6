"""Archives with the same bytes from run to run, and their verification. Standard library only."""

import gzip
import hashlib
import io
import re
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from torchship.errors import ArchiveError
from torchship.files import replacing, sha256, write_text

MANIFEST = "MANIFEST.sha256"

# Far beyond what a run makes, far below what fills a disk: against archives made to explode.
MOST_BYTES = 16 * 2**30
MOST_FILES = 100_000
CHUNK = 2**20

LINE = re.compile(r"^(?P<sha256>[0-9a-f]{64})  (?P<name>[^\n]+)$")
# sha256sum escapes these in its manifests; no file of ours needs them.
AWKWARD = re.compile(r"[\\\n\r]")


def pack(output: Path, root: str, contents: Mapping[str, bytes], modified: int) -> None:
    """Write contents as a .tar.gz under one root folder, with MANIFEST.sha256, and `<output>.sha256` beside it.

    Sorted names, one date, no owner, plain modes: the same contents give the same bytes with the same zlib.

    Args:
        contents: the bytes of each file by its path below `root`.
        modified: the date of every file, in seconds since 1970.

    Raises:
        ArchiveError: a name that a manifest cannot hold.
    """
    for name in contents:
        if AWKWARD.search(name) or not is_inside(name) or name == MANIFEST:
            raise ArchiveError(f"{name!r} cannot be the name of a file in an archive")
    manifest = "".join(f"{hashlib.sha256(contents[name]).hexdigest()}  {name}\n" for name in sorted(contents))
    everything = {**contents, MANIFEST: manifest.encode()}
    with (
        replacing(output) as part,
        part.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=modified) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name in sorted(everything):
            entry = tarfile.TarInfo(f"{root}/{name}")
            entry.size, entry.mtime, entry.mode = len(everything[name]), modified, 0o644
            tar.addfile(entry, io.BytesIO(everything[name]))
    write_text(beside(output), f"{sha256(output)}  {output.name}\n")


def beside(archive: Path) -> Path:
    """Give the path of the checksum that travels with an archive."""
    return archive.with_name(f"{archive.name}.sha256")


def is_inside(name: str) -> bool:
    """Tell whether a path stays below the folder that it is unpacked in."""
    path = PurePosixPath(name)
    return bool(name) and not path.is_absolute() and ".." not in path.parts and "\x00" not in name


def verify(archive: Path, extract_to: Path | None = None, most_bytes: int = MOST_BYTES) -> int:
    """Check every file of an archive against its manifest, and the archive against `<archive>.sha256` if that is there.

    Nothing is written while checking; only an archive that passes is unpacked.

    Args:
        extract_to: a folder to unpack into, which must not exist.
        most_bytes: refuse archives that unpack to more.

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
    wanted = recorded.read_text(encoding="utf-8").split()[:1]
    found = sha256(archive)
    if wanted != [found]:
        raise ArchiveError(f"{archive} has sha256 {found}, {recorded.name} says {' '.join(wanted) or 'nothing'}")


def read_members(archive: Path, most_bytes: int) -> tuple[dict[str, str], bytes]:
    """Give the SHA-256 of every file in an archive, and the manifest's bytes, after checking that all are safe.

    Raises:
        ArchiveError: an absolute path, a `..`, a link, a device, a name twice, too many files or bytes, or damage.
    """
    hashes: dict[str, str] = {}
    manifest, total, name = b"", 0, "its first file"
    try:
        with gzip.open(archive) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
            for member in tar:
                name = member.name
                total += member.size
                check_member(archive, member, hashes)
                if total > most_bytes or len(hashes) >= MOST_FILES:
                    raise ArchiveError(
                        f"{archive} holds more than {most_bytes} bytes or {MOST_FILES} files, at {name!r}"
                    )
                if member.isfile():
                    hashes[name], head = digest(tar, member)
                    if PurePosixPath(name).name == MANIFEST and name.count("/") == 1:
                        manifest = head
            # To the very end: what follows the last member is under the checksum of gzip, too.
            while block := stream.read(CHUNK):
                total += len(block)
                if total > most_bytes:
                    raise ArchiveError(f"{archive} holds more than {most_bytes} bytes after {name!r}")
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise ArchiveError(f"{archive} is damaged in or after {name!r}: {error}") from error
    return hashes, manifest


def check_member(archive: Path, member: tarfile.TarInfo, seen: Mapping[str, str]) -> None:
    """Check that one member is safe to unpack.

    Raises:
        ArchiveError: it is not.
    """
    if not is_inside(member.name):
        raise ArchiveError(f"{archive}: {member.name!r} would be unpacked outside of its folder")
    if not (member.isfile() or member.isdir()):
        kind = "a link" if member.issym() or member.islnk() else "a device or another special file"
        raise ArchiveError(f"{archive}: {member.name!r} is {kind}, only plain files are safe")
    if member.name in seen:
        raise ArchiveError(f"{archive}: {member.name!r} is there twice")


def digest(tar: tarfile.TarFile, member: tarfile.TarInfo) -> tuple[str, bytes]:
    """Give the SHA-256 of a member, and its bytes if it is a manifest."""
    stream, state, kept = tar.extractfile(member), hashlib.sha256(), []
    assert stream is not None  # noqa: S101 -- a plain file has a stream
    while block := stream.read(CHUNK):
        state.update(block)
        if member.name.endswith(f"/{MANIFEST}"):
            kept.append(block)
    return state.hexdigest(), b"".join(kept)


def common_root(archive: Path, names: Mapping[str, str]) -> str:
    """Give the one folder that everything is in.

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
    """Give the SHA-256 of each file that a manifest lists.

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
    """Unpack an archive that has been verified into a new folder.

    Raises:
        ArchiveError: the folder exists.
    """
    if folder.exists():
        raise ArchiveError(f"{folder} exists already; unpack into a new folder")
    folder.mkdir(parents=True)
    with tarfile.open(archive, mode="r:gz") as tar:
        tar.extractall(folder, filter="data")
