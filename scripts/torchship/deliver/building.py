"""Compilers and what they make, run: what goes wrong is told in one line."""

import json
import subprocess
from collections.abc import Sequence

from torchship.core.errors import DeliveryError
from torchship.core.files import Json

# Seconds that a golden test may take; most take a millisecond.
PATIENCE = 600


def build(command: Sequence[str], what: str) -> None:
    """Run a compiler.

    Raises:
        DeliveryError: it complains; the message has its first complaint.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        complaint = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr.strip())
        raise DeliveryError(f"{what} does not compile with {command[0]}: {complaint}")


def run_golden(command: Sequence[str], what: str) -> Json:
    """Run a golden test, and return what it prints.

    Raises:
        DeliveryError: it fails, or takes too long.
    """
    try:
        done = subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, errors="replace", check=False, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired as error:
        raise DeliveryError(f"the golden test {what} was not done after {PATIENCE} seconds") from error
    if done.returncode:
        first, *rest = done.stderr.splitlines() or [f"it ended with status {done.returncode}"]
        raise DeliveryError(f"the golden test {what}: {first}" + (f" (and {len(rest)} more)" if rest else ""))
    said: Json = json.loads(done.stdout)
    return said
