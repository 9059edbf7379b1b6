"""training.json and metrics.json as types. Standard library only."""

from collections.abc import Mapping, Sequence
from typing import TypedDict

from torchship.core.files import Json
from torchship.spec.model import Device, GivenWeights
from torchship.spec.section import Point, TermEntry


class Convergence(TypedDict):
    """How many replicas converged, with the interval of their rate."""

    replicas: int
    converged: int
    rate: float
    interval: Sequence[float]
    confidence: float
    method: str
    criterion: str


class Report(TypedDict, total=False):
    """What a candidate says of itself; what ships as a mean of several has only `members`.

    `section` is as `in_order` writes it, `files` the SHA-256 of those beside it. `shipped` has number, seed, losses and
    accuracies of the start that ships, and is None where all have diverged. Weights that came trained have `trained`,
    `source` and `parameters` instead of what only a training here can say.
    """

    point: Point
    section: Json
    network_sha256: str
    datasheet_sha256: str | None
    device: Device | None
    files: Mapping[str, str]
    processes: int
    epochs: int
    seed: int
    torch: str
    engine: Mapping[str, str]
    shipped: Mapping[str, float] | None
    convergence: Convergence
    diverged: int
    eager: Mapping[str, float]
    trained: str
    source: GivenWeights
    parameters: int
    members: "Sequence[MemberReport]"


class MemberReport(Report):
    """The report of one fold, with its candidate's name."""

    candidate: str


class Measured(TypedDict, total=False):
    """What a network's outputs are worth on a set; `losses` of several outputs, and of decisions how good they are."""

    events: int
    loss: float
    losses: Mapping[str, float]
    accuracy: float
    confusion: Sequence[Sequence[int]]


class Metrics(TypedDict):
    """metrics.json: what it is worth on each set."""

    loss_function: str | Mapping[str, TermEntry]
    threshold: float
    sets: Mapping[str, Measured]
