"""datasheet.json as a type. Standard library only."""

from collections.abc import Mapping, Sequence
from typing import TypedDict

from torchship.spec.tensor import Axis, TensorEntry


class Way(TypedDict):
    """How a loss takes an array: by which function, and the shape of an event's output."""

    target: str
    function: str
    shape: Sequence[Axis]


class ArrayEntry(TypedDict):
    """An array's type, its shape, and the ends of each entry of its last axis."""

    dtype: str
    shape: Sequence[int]
    minimum: Sequence[float]
    maximum: Sequence[float]


class SetEntry(TypedDict):
    """One of the three sets."""

    file: str
    sha256: str
    events: int
    arrays: Mapping[str, ArrayEntry]


class Provenance(TypedDict, total=False):
    """What a source says of where the sets are from; of a file its name, and what was done to its arrays."""

    note: str
    path: str
    sha256: str
    fractions: Mapping[str, float]
    converted: Mapping[str, str]


class Described(Provenance):
    """The same, with the source's name, the seed, and what the model declares."""

    source: str
    seed: int
    inputs: Mapping[str, TensorEntry]
    outputs: Mapping[str, TensorEntry]


class Datasheet(Described):
    """All of it."""

    sets: Mapping[str, SetEntry]
