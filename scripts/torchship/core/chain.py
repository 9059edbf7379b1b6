"""The chain of files: who writes one records its SHA-256 beside it, who reads one checks that first.

The record of `results/xor/model/model.json` is `results/xor/model/.sha256/model.json`, in the form of sha256sum. It is
no output of a rule, since it says nothing that the file does not: it is there to notice that the file is another one.
"""

from collections.abc import Iterable
from pathlib import Path

from torchship.core.errors import DataError
from torchship.core.files import sha256, write_text

FOLDER = ".sha256"
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
        try:
            recorded = record_of(path).read_text(encoding="utf-8").partition(" ")[0]
        except FileNotFoundError as error:
            raise DataError(
                f"{path} was not made by this workflow, or half of it: there is no record of its SHA-256; delete it, "
                "so that it is made anew"
            ) from error
        found = sha256(path)
        if found != recorded:
            raise DataError(
                f"{path} has changed since it was made: sha256 {found[:12]}…, was {recorded[:12]}…; nothing is built "
                "on it: delete it, so that it is made anew"
            )
