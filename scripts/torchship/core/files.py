"""Files that are whole or absent, and JSON and CSV with one spelling."""

import csv
import errno
import fcntl
import hashlib
import json
import logging
import os
import shutil
import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeAlias

from torchship.core.errors import DataError, StorageError

log = logging.getLogger(__name__)

# An object of JSON that nothing here knows the keys of. One that is known has a type in the room that it is from.
Json: TypeAlias = dict[str, Any]


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it is synced to disk and takes `path`'s place.

    On any error the temporary file is removed and `path` stays as it was, so that no reader ever meets half a file.

    Raises:
        StorageError: the disk is full.
    """
    part = path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except Exception as error:
        # Libraries report a full disk in many ways; what they have written is still there to tell.
        if is_full(error, path):
            raise StorageError(
                f"{path} cannot be written: its disk is full ({shutil.disk_usage(existing(path)).free:,} bytes free); "
                "make room and run again, nothing half-written is left"
            ) from error
        raise
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def exclusive(path: Path) -> Iterator[IO[str]]:
    """Lock a file and yield it; wait while another process has the lock, here or on a node that shares the disk.

    Where the file system has no locks, a line in the log says so.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    job = os.environ.get("SLURM_JOB_ID")
    mine = f"process {os.getpid()} on {socket.gethostname()}" + (f", Slurm job {job}" if job else "")
    with path.open("a+", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            log.warning(
                "%s, or a process that it started, writes here already: waiting for its end, or cancel it",
                stream.read() or "another process",
            )
            fcntl.flock(stream, fcntl.LOCK_EX)
        except OSError as error:
            log.warning(
                "%s cannot be locked (%s): nothing keeps a second process from writing here", path, error.strerror
            )
        stream.truncate(0)
        stream.write(mine)
        stream.flush()
        yield stream


# If a file cannot be written while fewer bytes than this are free, the disk counts as full.
ROOM = 2**16


def is_full(error: Exception, path: Path) -> bool:
    """Tell whether a file could not be written because the disk, or the user's share of it, is full."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    return isinstance(error, OSError | RuntimeError) and shutil.disk_usage(existing(path)).free < ROOM


def existing(path: Path) -> Path:
    """Return the nearest folder of a path that is there."""
    return next(parent for parent in path.absolute().parents if parent.exists())


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text with Unix line ends, whole or not at all."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, document: object) -> None:
    """Write JSON with sorted keys and shortest round-trip floats; NaN and infinity are refused.

    Raises:
        ValueError: the document holds a float that JSON cannot spell.
    """
    write_text(path, json.dumps(document, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        DataError: the file is not JSON; the message has line and column.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path} is not valid JSON: {error}; delete it and run its stage again") from error


def write_rows(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file with Unix line ends, whole or not at all."""
    with replacing(path) as part, part.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def finite(value: float) -> float | str:
    """Return a float as JSON can hold it: itself, or 'NaN', 'inf', '-inf' as text."""
    number = float(value)
    return number if number - number == 0.0 else {"nan": "NaN"}.get(str(number), str(number))


def plain(document: object) -> object:
    """Return a document as JSON can hold it: numbers that are not finite as text, tuples as lists."""
    if isinstance(document, float):
        return finite(document)
    if isinstance(document, dict):
        return {str(key): plain(value) for key, value in document.items()}
    if isinstance(document, list | tuple):
        return [plain(value) for value in document]
    return document


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
