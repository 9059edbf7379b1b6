"""Names that must be known, and what was probably meant by one that is not. Standard library only."""

import difflib
from collections.abc import Iterable

from torchship.core.errors import ConfigError


def suggest(wrong: str, known: Iterable[str]) -> str:
    """Return ' (did you mean …?)' if something known is close to what was written, else ''."""
    close = difflib.get_close_matches(wrong, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def require_known(name: str, known: Iterable[str], place: str, kind: str) -> None:
    """Check that a name is known.

    Raises:
        ConfigError: it is not; the message lists what is.
    """
    names = sorted(known)
    if name not in names:
        raise ConfigError(f"{place}: unknown {kind} {name!r}{suggest(name, names)}; known: {', '.join(names)}")
