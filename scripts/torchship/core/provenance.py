"""Which commit of the workflow made a file, and the date that stands in it."""

import logging
import os
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from torchship.core.errors import ConfigError
from torchship.core.project import PROJECT

log = logging.getLogger(__name__)


# What decides results; an untracked file elsewhere is a user's own.
SOURCE_FOLDERS = ("rules/", "scripts/", "models/", "envs/", "schemas/", "report/", "profiles/", "tools/")


def git(*arguments: str) -> str | None:
    """Return what a git command prints in the project's checkout, stripped; None where git is missing or fails."""
    try:
        done = subprocess.run(  # noqa: S603 -- fixed arguments
            ["git", "-C", str(PROJECT), *arguments],  # noqa: S607 -- git is found on PATH like everywhere
            capture_output=True,
            text=True,
            check=True,
        )
    except FileNotFoundError:
        log.warning("git is not installed: the commit of the workflow is recorded as unknown")
        return None
    except subprocess.CalledProcessError as error:
        log.warning("git %s failed: %s", " ".join(arguments), error.stderr.strip())
        return None
    return done.stdout.strip("\n")


def is_checkout() -> bool:
    """Tell whether the project's folder is itself the top of a git checkout (and not a folder inside another one)."""
    return (PROJECT / ".git").exists()


def commit() -> str:
    """Return the commit of the workflow or 'unknown', with `-dirty` behind it unless git says that nothing was changed.

    Changed are tracked files that differ, and untracked files among the sources.
    """
    sha = git("rev-parse", "--verify", "--quiet", "HEAD") if is_checkout() else None
    if not sha:
        return "unknown"
    # Ended by zeros, or git puts names with letters of other languages in quotes.
    status = git("status", "--porcelain", "--untracked-files=all", "-z")
    if status is None:
        return f"{sha}-dirty"
    entries = filter(None, status.split("\0"))
    changed = [entry for entry in entries if not entry.startswith("??") or entry[3:].startswith(SOURCE_FOLDERS)]
    return f"{sha}-dirty" if changed else sha


def project_files(folder: Path, patterns: Iterable[str]) -> list[str]:
    """Return the project's files that match patterns, by their path in it, sorted.

    In a checkout those that the commit has, and what makes it dirty: a user's own file elsewhere is in no commit.

    Args:
        folder: the project, as the workflow sees it: its folders may be links.
    """
    matching = {path for pattern in patterns for path in folder.glob(pattern) if path.is_file()}
    names = sorted(path.relative_to(folder).as_posix() for path in matching)
    if not is_checkout():
        return names
    tracked = git("ls-files", "-z")
    new = git("ls-files", "-z", "--others", "--exclude-standard", "--", *SOURCE_FOLDERS)
    # What git cannot tell is not called clean, and so may be anything.
    known = None if tracked is None or new is None else {*tracked.split("\0"), *new.split("\0")}
    return [name for name in names if known is None or name in known]


def epoch() -> int:
    """Return the date of everything archived, in seconds since 1970: $SOURCE_DATE_EPOCH, else the commit's, else 1980.

    See https://reproducible-builds.org/specs/source-date-epoch/; 1980-01-01 is the earliest date that zip can hold.

    Raises:
        ConfigError: $SOURCE_DATE_EPOCH is not a number of seconds.
    """
    stated = os.environ.get("SOURCE_DATE_EPOCH") or (git("log", "-1", "--format=%ct") if is_checkout() else None)
    if not stated:
        return int(datetime(1980, 1, 1, tzinfo=UTC).timestamp())
    if not stated.isdecimal():
        raise ConfigError(f"SOURCE_DATE_EPOCH is {stated!r}: must be a whole number of seconds since 1970")
    return int(stated)
