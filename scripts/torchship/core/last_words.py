"""The last words of failed steps: the line of each that says why, from its log. Standard library only."""

import re
from collections.abc import Mapping
from pathlib import Path

# A line of a log at the level of an error, as core/step.py writes it, and the last line of a traceback.
ERROR = re.compile(r"^\S+ \S+ ERROR torchship\S*: (.*)$")
RAISED = re.compile(r"^(?:\w+\.)*\w+(?:Error|Exception|Exit|Interrupt)\b.*$")


def last_words(logs: Mapping[str, Path], since: float) -> list[str]:
    """Return a line that says why for each step that failed; of a job of several steps, those that said something.

    Args:
        logs: by the name of each step, its log.
        since: when the workflow started, in seconds of the epoch: an older log is another run's.
    """
    said = {name: reason(path) for name, path in logs.items() if path.is_file() and path.stat().st_mtime >= since}
    spoken = {name: words for name, words in said.items() if words}
    silent = {name: f"its log, {logs[name]}, does not say why: it was killed, or see above" for name in logs}
    return [f"{name}: {words}" for name, words in (spoken or silent).items()]


def reason(log: Path) -> str | None:
    """Return the last error in a log; of one without a line of its own, what was raised; None where there is none."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    places = [place for place, line in enumerate(lines) if ERROR.match(line)]
    if not places:
        return None
    raised = [line for line in lines[places[-1] + 1 :] if RAISED.match(line)]
    return f"{raised[-1]} (the traceback is in {log})" if raised else ERROR.sub(r"\1", lines[places[-1]])
