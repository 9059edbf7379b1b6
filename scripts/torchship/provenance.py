"""Which commit of the workflow made a file, and the date that stands in it."""

import logging
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

log = logging.getLogger(__name__)

PROJECT = Path(__file__).resolve().parents[2]


def git(*arguments: str) -> str:
    """Give what a git command prints in the project's checkout, stripped; '' outside a checkout or without git."""
    try:
        done = subprocess.run(  # noqa: S603 -- fixed arguments
            ["git", "-C", str(PROJECT), *arguments],  # noqa: S607 -- git is found on PATH like everywhere
            capture_output=True,
            text=True,
            check=True,
        )
    except FileNotFoundError:
        log.warning("git is not installed: the commit of the workflow is recorded as unknown")
        return ""
    except subprocess.CalledProcessError as error:
        log.warning("git %s failed: %s", " ".join(arguments), error.stderr.strip())
        return ""
    return done.stdout.strip()


def is_checkout() -> bool:
    """Tell whether the project's folder is itself the top of a git checkout (and not a folder inside another one)."""
    return (PROJECT / ".git").exists()


def commit() -> str:
    """Give the commit of the workflow, with `-dirty` behind it when tracked files are changed, or 'unknown'.

    Untracked files don't count: a user's own data and results lie in the checkout too.
    """
    if not is_checkout():
        return "unknown"
    sha = git("rev-parse", "HEAD")
    if not sha:
        return "unknown"
    return f"{sha}-dirty" if git("status", "--porcelain", "--untracked-files=no") else sha


def epoch() -> int:
    """Give the date of everything archived, in seconds since 1970: $SOURCE_DATE_EPOCH, else the commit's, else 1980.

    See https://reproducible-builds.org/specs/source-date-epoch/; 1980-01-01 is the earliest date that zip can hold.
    """
    stated = os.environ.get("SOURCE_DATE_EPOCH") or (git("log", "-1", "--format=%ct") if is_checkout() else "")
    return int(stated) if stated else int(datetime(1980, 1, 1, tzinfo=UTC).timestamp())
