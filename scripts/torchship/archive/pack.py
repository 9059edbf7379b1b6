"""Archives with the same bytes from run to run. Standard library only."""

import gzip
import hashlib
import io
import re
import tarfile
from collections.abc import Mapping
from pathlib import Path

from torchship.archive.manifest import beside, is_inside
from torchship.core.chain import MANIFEST
from torchship.core.errors import ArchiveError
from torchship.core.files import replacing, sha256, write_text

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
