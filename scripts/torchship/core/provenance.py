"""Which commit of the workflow made a file, and the date that stands in it."""

import logging
import os
import subprocess
from datetime import UTC, datetime

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
    status = git("status", "--porcelain", "--untracked-files=all")
    if status is None:
        return f"{sha}-dirty"
    changed = [line for line in status.splitlines() if not line.startswith("??") or line[3:].startswith(SOURCE_FOLDERS)]
    return f"{sha}-dirty" if changed else sha


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
