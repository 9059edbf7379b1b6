"""A run's section of the configuration as steps have it: with its types, and with its tensors read.

The keys and their meaning are those of schemas/config.schema.yaml. A step has those knobs of it that its rule gives it.
Standard library only.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NotRequired, TypedDict, cast

from torchship.core.files import Json
from torchship.spec.tensor import TensorEntry, Tensors, documents, read_tensors

KINDS: tuple[Literal["inputs"], Literal["outputs"]] = ("inputs", "outputs")

# A point of a scan: the value of each scanned knob, by place, such as train/learning_rate.
Point = Mapping[str, object]


class Network(TypedDict, total=False):
    """The section `network` of a model; `arguments` are those of its constructor."""

    file: str
    arguments: Mapping[str, object]
    weights: str


class GivenFile(TypedDict, total=False):
    """The section `onnx` of a model."""

    file: str
    reference: str | None
    within: float | Mapping[str, float]


class Data(TypedDict, total=False):
    """The section `data`."""

    source: str
    path: str | None
    target: str
    fractions: Mapping[str, float]


class Surface(TypedDict):
    """The plane of evaluate/surface."""

    low: float
    high: float
    points: int


class TermEntry(TypedDict, total=False):
    """The loss of one output, see `objective.Term`."""

    function: str
    weight: float
    target: str


class Start(TypedDict):
    """How the weights start, `train/weights`."""

    distribution: str
    mean: NotRequired[float]
    std: NotRequired[float]


class Train(TypedDict, total=False):
    """The section `train`; `fold` is the number of the fold that a candidate is, if it is one of `folds`."""

    replicas: int
    first_replica: int
    epochs: int
    optimizer: str
    learning_rate: float
    loss: str | Mapping[str, TermEntry]
    engine: str
    frozen: Sequence[str]
    weights: Start
    batch_size: int
    shuffle: bool
    loader: str
    num_workers: int
    record_every: int
    converged_accuracy: float
    confidence: float
    folds: int
    fold: int
    threads: int
    devices: int


class Scan(TypedDict):
    """The section `scan`."""

    grid: Mapping[str, Sequence[object]]
    points: Sequence[Point]
    metric: str
    ship: str


class Evaluate(TypedDict, total=False):
    """The section `evaluate`."""

    threshold: float
    surface: Surface


class Extract(TypedDict, total=False):
    """The section `extract`."""

    handcode: bool
    grid_points: int
    max_grid: int
    required_accuracy: float | None


class Export(TypedDict, total=False):
    """The section `export`."""

    targets: Sequence[str]
    opset: int
    input_shapes: bool


class Search(TypedDict):
    """The section `validate/search`."""

    evaluations: int
    seconds: float


class Validate(TypedDict, total=False):
    """The section `validate`."""

    batch_sizes: Sequence[int]
    axis_sizes: Sequence[int]
    never_empty: Sequence[str]
    levels: Sequence[str]
    threads: Sequence[int]
    tolerance: float
    widest_limit: float
    reason: str | None
    search: Search
    promises: Mapping[str, str]


class Benchmark(TypedDict, total=False):
    """The section `benchmark`."""

    batch_sizes: Sequence[int]
    rounds: int
    seconds: float
    sample_seconds: float
    confidence: float


class Deliver(TypedDict):
    """The section `deliver`."""

    subsystem: str


class Watch(TypedDict):
    """The section `watch` of the configuration: how one watches a training, which changes nothing."""

    log_every: int
    checkpoint_seconds: float


class Plots(TypedDict):
    """The section `plots` of the configuration."""

    colors: Sequence[str]
    colormap: str
    dpi: int


class AxisEntry(TypedDict, total=False):
    """What is said of one dynamic axis, see `axes.AxisRange`."""

    least: int
    most: int
    multiple: int
    traced: int


class Knobs(TypedDict, total=False):
    """What a run's section has in any form."""

    axes: Mapping[str, AxisEntry]
    network: Network
    onnx: GivenFile
    data: Data
    train: Train
    evaluate: Evaluate
    extract: Extract
    export: Export
    validate: Validate
    benchmark: Benchmark
    deliver: Deliver
    seed: int
    device: str


class Section(Knobs, total=False):
    """A run's section: its inputs and outputs as tensors, all else as the configuration has it."""

    inputs: Tensors
    outputs: Tensors


class Resolved(Knobs, total=False):
    """A run's section as the configuration has it, complete; of a point of a scan `point` says what it changes."""

    inputs: Mapping[str, TensorEntry]
    outputs: Mapping[str, TensorEntry]
    scan: Scan
    basics: bool
    point: Point


def read_section(section: Json) -> Section:
    """Return a section of the resolved configuration with its inputs and outputs as tensors."""
    return cast("Section", {**section, **{kind: read_tensors(section[kind]) for kind in KINDS if kind in section}})


def in_order(section: Section) -> Json:
    """Return a section for JSON: inputs and outputs as lists, since its keys are sorted, and their order matters."""
    lists = {
        kind: [{"name": name, **entry} for name, entry in documents(tensors).items()]
        for kind, tensors in tensors_of(section).items()
    }
    return {**section, **lists}


def by_name(document: Json) -> Section:
    """Return a section that `in_order` has written."""
    entries: Json = {
        kind: {entry["name"]: {key: value for key, value in entry.items() if key != "name"} for entry in document[kind]}
        for kind in KINDS
        if kind in document
    }
    return read_section({**document, **entries})


def tensors_of(section: Section) -> dict[str, Tensors]:
    """Return the inputs and the outputs of a section, as far as it has them."""
    found = {"inputs": section.get("inputs"), "outputs": section.get("outputs")}
    return {kind: tensors for kind, tensors in found.items() if tensors is not None}
