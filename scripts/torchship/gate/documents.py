"""The parts of validation.json as types. schemas/validation.schema.yaml says what each key means.

Standard library only. Numbers that may not be finite are text there, see `core.files.finite`.
"""

from collections.abc import Mapping
from typing import NotRequired, TypedDict

from torchship.gate.about import About

Number = float | str


class DifferenceDocument(TypedDict):
    """A `compare.Difference`."""

    elements: int
    ratio: Number
    ulp: Number
    largest: Number
    event: int
    index: int
    expected: Number
    found: Number
    bound: Number


class CaseEntry(About):
    """What was found of one case; `refused` is what the runtime said where it did not run."""

    outputs: Mapping[str, DifferenceDocument]
    refused: str | None


class Worst(About, DifferenceDocument):
    """The largest difference of all, with its case and output."""

    output: str


class Agreement(TypedDict):
    """What `settings.against` finds."""

    elements: int
    different: int
    ulp: float
    ratio: float
    ratios: Mapping[str, float]


class SettingRow(TypedDict):
    """A row of the runtime matrix: against the default setting, and against float64."""

    setting: str
    refused: str | None
    elements: NotRequired[int]
    different: NotRequired[int]
    ulp: NotRequired[float]
    ratio: NotRequired[float]
    ratios: NotRequired[Mapping[str, float]]


class BadInputRow(TypedDict, total=False):
    """A row of the table of bad input: what was put in, what came out, what torch and the promise say."""

    condition: str
    what: str
    promise: str | None
    torch: str
    outcome: str
    message: str
    kind: str
    as_torch: bool
    neighbours: bool


class Place(TypedDict):
    """Where in the user's code an operation of torch is; '' where that is not known."""

    operation: str
    module: str
    line: str


class Located(TypedDict):
    """Where in the graph a file goes wrong, and whether the file or the runtime is to blame."""

    node: str
    operator: str
    module: str
    line: str
    after: str | None
    lacks: Place | None
    fault: NotRequired[str | None]


class Nearest(TypedDict):
    """The event that is nearest to another decision."""

    event: int
    margin: float
    limits: float


class Decisions(TypedDict):
    """What the differences mean for decisions."""

    events: int
    changed: int
    first: int | None
    nearest: Nearest | None
    threshold: float
