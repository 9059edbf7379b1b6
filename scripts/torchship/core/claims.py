"""What says of a run that all is well: its pages, and that its archive is verified. Standard library only."""

from collections.abc import Iterable
from pathlib import Path

from torchship.core.errors import DataError
from torchship.core.files import read_json


def withdraw(claims: Iterable[Path], run: str) -> None:
    """Remove what says of a run that all is well, since that is no longer so.

    A page is of one run; verified.json names the runs that it speaks for, and stays where the run is none of them.
    """
    for path in claims:
        if path.suffix != ".json" or speaks_for(path, run):
            path.unlink(missing_ok=True)


def speaks_for(path: Path, run: str) -> bool:
    """Tell whether a verified.json is there and names a run; one that does not say whom it speaks for may mean any."""
    if not path.is_file():
        return False
    try:
        return run in read_json(path)["runs"]
    except (DataError, OSError, LookupError, TypeError):
        return True
