"""The parts of validation.json as types. schemas/validation.schema.yaml says what each key means.

Standard library only. Numbers that may not be finite are text there, see `core.files.finite`.
"""

from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict

from torchship.gate.about import About
from torchship.spec.target import TargetEntry

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
    nearest: Nearest
    threshold: float


class FailureDocument(TypedDict):
    """A `judge.Failure`."""

    check: str
    place: str
    message: str


class WidthDocument(TypedDict):
    """A `widths.Width`."""

    range: float
    median: float
    largest: float
    numbers: int
    wide: int
    case: int
    event: int


class NotFinite(TypedDict):
    """Where rounding alone makes NaN or an infinity of a number."""

    case: int
    output: str
    event: int
    share: float
    operation: str


class NotTaken(TypedDict):
    """An empty shape that the network itself does not take, with its reason."""

    sizes: Mapping[str, int]
    reason: str


class WorstFound(DifferenceDocument):
    """The worst that a search found; `input` is None where it is too large to be spelled out."""

    output: str
    input: Mapping[str, object] | None


class SearchDocument(TypedDict, total=False):
    """How a search went."""

    evaluations: int
    generations: int
    worst: WorstFound


class RuntimeDocument(TypedDict):
    """What the file ran in; `static_only` where that is not the target's own."""

    onnxruntime: str
    provider: str
    static_only: bool


class Facts(TypedDict, total=False):
    """What the witnesses say of all cases: who they are, what rounding does, and how far they are from one another."""

    arbiter: str
    needed: Mapping[str, float]
    factors: Mapping[str, float]
    widths: Mapping[str, WidthDocument]
    not_finite: Sequence[NotFinite]
    not_taken: Sequence[NotTaken]
    handcoded: Mapping[str, float]
    reference: Mapping[str, float]
    within: Mapping[str, float]


class Circumstances(Facts):
    """The same, with how strictly a file was judged, which one, of which target, and in what."""

    tolerance: float
    reason: str | None
    sha256: str
    notes: Sequence[str]
    target: TargetEntry
    runtime: RuntimeDocument


class Found(TypedDict, total=False):
    """What an examination finds; of a file that the runtime refuses nothing."""

    cases: Sequence[CaseEntry]
    worst: Worst | None
    runtimes: Sequence[SettingRow]
    decisions: Decisions | None
    bad_input: Sequence[BadInputRow]
    search: SearchDocument | None
    largest: Mapping[str, float]
    located: Located | None


class Evidence(Found, Circumstances):
    """All of validation.json."""

    verdict: str
    failures: Sequence[FailureDocument]
    elements: int
