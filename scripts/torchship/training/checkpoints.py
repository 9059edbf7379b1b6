"""Checkpoints of a running training: whole or absent, and only ever used by the training that wrote them."""

import hashlib
import json
import logging
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torchship.core.errors import TrainingError
from torchship.core.files import replacing

log = logging.getLogger(__name__)


def fingerprint(document: object) -> str:
    """Return the SHA-256 of a JSON document: of all that decides how a training goes."""
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


class Checkpoint:
    """One file, written at most every `seconds`, bound to a training by its fingerprint."""

    def __init__(self, path: Path, identity: str, seconds: float) -> None:
        self.path, self.identity, self.seconds = path, identity, seconds
        self.written = time.monotonic()
        self.asked = False

    @contextmanager
    def on_signal(self) -> Iterator[None]:
        """Have the training end with a checkpoint on SIGTERM, which batch systems send before they kill, and on Ctrl-C.

        A second Ctrl-C ends it at once.
        """

        def ask(number: int, _: object) -> None:
            self.asked = True
            if number == signal.SIGINT:
                signal.signal(number, signal.default_int_handler)

        before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def due(self) -> bool:
        """Tell whether the last checkpoint is old enough for another."""
        return self.asked or time.monotonic() - self.written >= self.seconds

    def require_time(self, epoch: int, *, asked: bool) -> None:
        """Stop after a checkpoint if a signal has asked for it, here or in another process of the training.

        Raises:
            TrainingError: it has.
        """
        if asked:
            raise TrainingError(f"stopped by a signal after epoch {epoch}, with a checkpoint; started again it goes on")

    def save(self, epoch: int, state: dict[str, object], *, write: bool = True) -> None:
        """Write what is needed to go on after `epoch` finished epochs, unless another process writes it."""
        if write:
            with replacing(self.path) as part:
                torch.save({"fingerprint": self.identity, "epoch": epoch, "state": state}, part)
        self.written = time.monotonic()
        log.debug("checkpoint after epoch %d: %s", epoch, self.path)

    def load(self) -> tuple[int, dict[str, Any]] | None:
        """Return the finished epochs and the state, on the CPU; None where none fits, and the log says why."""
        if not self.path.exists():
            return None
        try:
            content = torch.load(self.path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises several types for a damaged file
            log.warning("%s is damaged (%s): starting from the first epoch", self.path, error)
            return None
        if content["fingerprint"] != self.identity:
            log.warning("%s is of a training with other settings, data or code: starting anew", self.path)
            return None
        return content["epoch"], content["state"]

    def remove(self) -> None:
        """Delete the file: the training is done."""
        self.path.unlink(missing_ok=True)
