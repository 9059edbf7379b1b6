"""The chain of files: who writes one records its SHA-256 beside it, who reads one checks that first.

The record of `results/xor/model/model.json` is `results/xor/model/.sha256/model.json`, in the form of sha256sum. It is
no output of a rule: all it is there for is to notice that the file has changed since it was made.
"""

from collections.abc import Iterable
from pathlib import Path

from torchship.core.errors import DataError
from torchship.core.files import sha256, write_text

FOLDER = ".sha256"


def record_of(path: Path) -> Path:
    """Return where the record of a file is."""
    return path.parent / FOLDER / path.name


def record(paths: Iterable[Path]) -> None:
    """Record the SHA-256 of files that have just been written."""
    for path in paths:
        write_text(record_of(path), f"{sha256(path)}  {path.name}\n")


def require_recorded(paths: Iterable[Path]) -> None:
    """Check that files are those that were written.

    Raises:
        DataError: one is not, or there is no record of it; the message names it, and what to do.
    """
    for path in paths:
        try:
            recorded = record_of(path).read_text(encoding="utf-8").partition(" ")[0]
        except FileNotFoundError as error:
            raise DataError(
                f"{path} was not made by this workflow, or half of it: no record has its SHA-256; {anew(path)}"
            ) from error
        found = sha256(path)
        if found != recorded:
            raise DataError(
                f"{path} has changed since it was made: sha256 {found[:12]}…, was {recorded[:12]}…; nothing is built "
                f"on it: {anew(path)}"
            )


def anew(path: Path) -> str:
    """Say how a file is made anew: Snakemake does not miss one that all later files are newer than."""
    return f"delete it, and name it first among the targets of the next run: snakemake {path} all"
