"""The chain of files: who writes one records its SHA-256 beside it, who reads one checks that first.

The record of `results/xor/model/model.json` is `results/xor/model/.sha256/model.json`, in the form of sha256sum. It is
no output of a rule: all it is there for is to notice that the file has changed since it was made.
"""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from torchship.core.errors import DataError
from torchship.core.files import sha256, write_text

FOLDER = ".sha256"
# Of an archive, whose files need no records of their own.
MANIFEST = "MANIFEST.sha256"
# Beside the records; no output has that name.
TRIES = "tries"


def record_of(path: Path) -> Path:
    """Return where the record of a file is."""
    return path.parent / FOLDER / path.name


def record(paths: Iterable[Path]) -> None:
    """Record the SHA-256 of files that have just been written."""
    for path in paths:
        write_text(record_of(path), f"{sha256(path)}  {path.name}\n")


def tries(folder: Path) -> str:
    """Return what stands for the failed tries of the step that writes in a folder.

    A parameter of steps whose old outputs Snakemake gives back where they fail: it records the knobs of the failed job
    as those of these files, and would not try again. See `core.step`.
    """
    path = folder / FOLDER / TRIES
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def note_try(output: Path, known: str) -> None:
    """Note that a try has begun, by another word than the one it knows; `end_try` takes that back on success."""
    write_text(output.parent / FOLDER / TRIES, str(int(known or 0) + 1))


def end_try(output: Path, known: str) -> None:
    """Take back that a try has begun."""
    path = output.parent / FOLDER / TRIES
    if known:
        write_text(path, known)
    else:
        path.unlink()


def require_recorded(paths: Iterable[Path]) -> None:
    """Check that files are those that were written.

    Raises:
        DataError: one is not, or there is no record of it; the message names it, and what to do.
    """
    for path in paths:
        recorded = recorded_of(path)
        if recorded is None:
            raise DataError(
                f"{path} was not made by this workflow, or half of it: no record has its SHA-256; {anew(path)}"
            )
        found = sha256(path)
        if found != recorded:
            raise DataError(
                f"{path} has changed since it was made: sha256 {found[:12]}…, was {recorded[:12]}…; nothing is built "
                f"on it: {anew(path)}"
            )


def recorded_of(path: Path) -> str | None:
    """Return the SHA-256 that was recorded of a file; None where there is no record.

    An unpacked archive has its manifest instead, in the folder that Snakemake works in.
    """
    record = record_of(path)
    if record.is_file():
        return record.read_text(encoding="utf-8").partition(" ")[0]
    return manifest().get(path.as_posix())


@cache
def manifest() -> dict[str, str]:
    """Return the SHA-256 of each file that an unpacked archive's manifest lists, by its path."""
    path = Path(MANIFEST)
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return {name: recorded for recorded, _, name in (line.partition("  ") for line in lines)}


def anew(path: Path) -> str:
    """Say how a file is made anew: Snakemake does not miss one that all later files are newer than."""
    return f"delete it, and name it first among the targets of the next run: snakemake {path} all"
