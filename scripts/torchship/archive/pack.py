"""Archives with the same bytes from run to run. Standard library only."""

import gzip
import re
import tarfile
from collections.abc import Mapping
from pathlib import Path

from torchship.archive.manifest import Content, beside, digest_of, is_inside, opened, size_of
from torchship.core.chain import MANIFEST
from torchship.core.errors import ArchiveError
from torchship.core.files import replacing, sha256, write_text

# sha256sum escapes these in its manifests; no file of ours needs them.
AWKWARD = re.compile(r"[\\\n\r]")


def pack(output: Path, root: str, contents: Mapping[str, Content], modified: int) -> None:
    """Write contents as a .tar.gz under one root folder, with MANIFEST.sha256, and `<output>.sha256` beside it.

    Sorted names, one date, no owner, plain modes: the same contents give the same bytes with the same zlib.

    Args:
        contents: the bytes of each file, or where it is, by its path below `root`.
        modified: the date of every file, in seconds since 1970.

    Raises:
        ArchiveError: a name that a manifest cannot hold.
    """
    for name in contents:
        if AWKWARD.search(name) or not is_inside(name) or name == MANIFEST:
            raise ArchiveError(f"{name!r} cannot be the name of a file in an archive")
    manifest = "".join(f"{digest_of(contents[name])}  {name}\n" for name in sorted(contents))
    everything: dict[str, Content] = {**contents, MANIFEST: manifest.encode()}
    with (
        replacing(output) as part,
        part.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=modified) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name in sorted(everything):
            entry = tarfile.TarInfo(f"{root}/{name}")
            entry.size, entry.mtime, entry.mode = size_of(everything[name]), modified, 0o644
            with opened(everything[name]) as stream:
                tar.addfile(entry, stream)
    write_text(beside(output), f"{sha256(output)}  {output.name}\n")
