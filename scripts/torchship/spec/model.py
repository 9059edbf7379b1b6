"""What ships: written once, by the step that selects or adopts it, read by every later one. Standard library only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import NotRequired, TypedDict, cast

from torchship.core.chain import anew
from torchship.core.errors import DataError
from torchship.core.files import Json, read_json, sha256, write_json
from torchship.spec.section import Point, Section, by_name, in_order


class Weight(TypedDict):
    """Of a weight its type as safetensors spells it, and its shape."""

    dtype: str
    shape: Sequence[int]


class Selection(TypedDict):
    """Of how many candidates a model was selected, by what, and what it changes; `best` where another is better."""

    candidates: int
    diverged: int
    metric: str
    best_is: str
    value: float | None
    point: NotRequired[Point]
    best: NotRequired[str]
    rank: NotRequired[int]


class Device(TypedDict, total=False):
    """What a model was trained on: the type of the device, and all else of a GPU."""

    type: str
    name: str
    capability: str
    memory_bytes: int
    cuda: str | None
    driver: str | None
    visible_devices: str | None


class Source(TypedDict):
    """The file that something came in which was made elsewhere."""

    file: str
    sha256: str


class GivenWeights(Source):
    """Of weights, under which key of it they were, which prefix they had, and what was rounded."""

    under: str
    prefix: str
    rounded: Sequence[str]


class GivenModel(Source):
    """Of an ONNX file the SHA-256 of those beside it that had its weights."""

    beside: Mapping[str, str]


class Member(TypedDict):
    """One of the networks of a mean."""

    candidate: str
    fold: int


@dataclass(frozen=True)
class Model:
    """A model that ships, as model.json has it.

    Attributes:
        run: the run that it is of.
        section: the knobs that made it: of one that was trained those that decide the training (network, inputs,
            outputs, data, train, seed, …), with the values of the candidate that was selected; of a file from
            elsewhere its complete inputs and outputs.
        files: the SHA-256 of each file beside model.json that belongs to it, by name.
        candidate: the training that was selected; None of a file from elsewhere.
        selection: of how many candidates, by what, and what the candidate changes.
        datasheet: the SHA-256 of the datasheet of the data that it was trained on, None where there are none.
        device: what it was trained on.
        tensors: of the weights, `dtype` and `shape` by name.
        source: of what was trained or made elsewhere the file that it came in, and its SHA-256.
        notes: what a reader of a verdict must know: where a domain is from, what is fixed, what was put into the file.
        members: of a mean of several networks the `candidate` and the `fold` of each; none of a single one.
    """

    run: str
    section: Section
    files: Mapping[str, str]
    candidate: str | None = None
    selection: Selection | None = None
    datasheet: str | None = None
    device: Device | None = None
    tensors: Mapping[str, Weight] = field(default_factory=dict)
    source: Source | None = None
    notes: tuple[str, ...] = ()
    members: tuple[Member, ...] = ()

    def with_knobs(self, knobs: Json) -> Section:
        """Return the section that made it, with the knobs of a later step beside them.

        What decided the model is never taken from elsewhere: of a key that both have, the model's own values stay.
        """
        return cast("Section", laid_under(self.section, knobs))


def laid_under(section: Mapping[str, object], knobs: Json) -> Json:
    """Return a section with knobs that it does not have itself, mapping by mapping."""
    # In the order of the section: that of inputs and outputs means something.
    merged = {**section, **{key: value for key, value in knobs.items() if key not in section}}
    for key in section.keys() & knobs.keys():
        own = section[key]
        if isinstance(own, Mapping) and isinstance(knobs[key], Mapping):
            merged[key] = laid_under(own, knobs[key])
    return merged


def write_model(path: Path, model: Model) -> None:
    """Write model.json, whole or not at all."""
    document = {field.name: getattr(model, field.name) for field in fields(model)}
    if not model.members:
        del document["members"]
    write_json(path, {**document, "section": in_order(model.section)})


def read_model(path: Path) -> Model:
    """Read model.json, after a check of the files that belong to it.

    Raises:
        DataError: one of them has changed since the model was selected.
    """
    document = read_json(path)
    for name, recorded in document["files"].items():
        found = sha256(path.with_name(name))
        if found != recorded:
            raise DataError(
                f"{path.with_name(name)} is not the one that {path} is of: sha256 {found[:12]}…, there "
                f"{recorded[:12]}…; {anew(path)}"
            )
    lists = {name: tuple(document.get(name, ())) for name in ("notes", "members")}
    return Model(**{**document, **lists, "section": by_name(document["section"])})
