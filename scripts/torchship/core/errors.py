"""What can go wrong, by kind: each message is one line that says what, where, with the numbers, and what to do."""

from collections.abc import Mapping
from typing import Any


class TorchshipError(Exception):
    """Base of all errors that a user can mend; a step prints its one line and exits with 1."""


class ConfigError(TorchshipError):
    """A key of the configuration is unknown, missing or out of range."""


class DataError(TorchshipError):
    """An array is missing, has another shape, type or checksum than declared, or is not finite."""


class TrainingError(TorchshipError):
    """Training cannot start or cannot go on: no such device, all replicas diverged."""


class DivergenceError(TrainingError):
    """The losses of all replicas are NaN or infinite; for a point of a scan that is a result."""


class GenerationError(TorchshipError):
    """A network holds a layer that no code can be generated for."""


class ExportError(TorchshipError):
    """The exporter gave another file than the one that was asked for."""


class TargetError(TorchshipError):
    """A deployment target is unknown, or its runtime is not installed."""


class ParityError(TorchshipError):
    """Two implementations of one network disagree by more than the bound."""


class WitnessError(ParityError):
    """Those who say what is right do not agree, or so vaguely that nothing can be judged.

    Attributes:
        evidence: what is known, for the page.
    """

    def __init__(self, message: str, evidence: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.evidence = evidence or {}


class UnjudgedError(ParityError):
    """Nobody says what is right for some inputs."""


class StorageError(TorchshipError):
    """A file cannot be written, because its disk is full."""


class DeliveryError(TorchshipError):
    """What consumers load cannot be made, or does not do here what it must do there."""


class ArchiveError(TorchshipError):
    """An archive is unsafe to unpack or does not agree with its manifest."""


class PinError(TorchshipError):
    """A step runs with other package versions than its environment file pins."""
