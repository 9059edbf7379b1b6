"""Names that were meant, for messages about names that are not known. Standard library only."""

import difflib
from collections.abc import Iterable


def suggest(wrong: str, known: Iterable[str]) -> str:
    """Return ' (did you mean …?)' if something known is close to what was written, else ''."""
    close = difflib.get_close_matches(wrong, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""
