"""The declared inputs and outputs of a model, as the configuration and model.json have them. Standard library only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypedDict

# A word is a dynamic axis, a number a fixed one.
Axis: TypeAlias = int | str
Shape: TypeAlias = tuple[Axis, ...]
# One number for all, one for each entry of the last axis, or nested as they broadcast.
Ends: TypeAlias = float | tuple["Ends", ...]
EndsEntry: TypeAlias = float | Sequence["EndsEntry"]
Value: TypeAlias = float | str

FLOAT32 = "float32"


class PaddingEntry(TypedDict, total=False):
    """A tensor's key `padded` as JSON has it; see `Padding`."""

    mask: str
    value: float
    where: int
    shown: int


class TensorEntry(TypedDict, total=False):
    """A tensor as JSON has it, or the part of it that a configuration says; see `Tensor`."""

    shape: Sequence[Axis]
    dtype: str
    low: EndsEntry
    high: EndsEntry
    values: Sequence[Value]
    indexes: str
    features: Sequence[str]
    unit: str
    padded: PaddingEntry


@dataclass(frozen=True)
class Padding:
    """What the entries hold that a mask hides.

    Attributes:
        mask: the input that is the mask.
        value: what hidden entries hold.
        where: the mask's value where entries are hidden.
        shown: how many entries of its last axis the mask shows at least.
    """

    mask: str
    value: float = 0.0
    where: int = 0
    shown: int = 0

    def document(self) -> PaddingEntry:
        """Return it for JSON; what is as it is by default is left out."""
        entry: PaddingEntry = {"mask": self.mask}
        if self.value != 0.0:
            entry["value"] = self.value
        if self.where:
            entry["where"] = self.where
        if self.shown:
            entry["shown"] = self.shown
        return entry


@dataclass(frozen=True)
class Tensor:
    """A declared input or output. Of an input one of `low` and `high`, `values`, `indexes` says where its values lie.

    Attributes:
        shape: its axes; none of a scalar.
        dtype: the type of its elements, by NumPy's name.
        low, high: the ends of its domain, in `unit`.
        values: all values that there are.
        indexes: the dynamic axis that its entries are places along.
        features: a name for each entry of the last axis.
        unit: the physical unit.
        padded: which entries are padding; None where none is.
    """

    shape: Shape
    dtype: str = FLOAT32
    low: Ends | None = None
    high: Ends | None = None
    values: tuple[Value, ...] | None = None
    indexes: str | None = None
    features: tuple[str, ...] | None = None
    unit: str | None = None
    padded: Padding | None = None

    @property
    def spelled(self) -> str:
        """Return its shape as a message has it."""
        return str(list(self.shape))

    @property
    def domain(self) -> TensorEntry:
        """Return what says where its values lie, for JSON; nothing of most outputs."""
        entry: TensorEntry = {}
        if self.low is not None:
            entry["low"] = thawed(self.low)
        if self.high is not None:
            entry["high"] = thawed(self.high)
        if self.values is not None:
            entry["values"] = list(self.values)
        if self.indexes is not None:
            entry["indexes"] = self.indexes
        return entry

    def document(self) -> TensorEntry:
        """Return it for JSON; what is as it is by default is left out."""
        entry: TensorEntry = {"shape": list(self.shape), **self.domain}
        if self.dtype != FLOAT32:
            entry["dtype"] = self.dtype
        if self.features is not None:
            entry["features"] = list(self.features)
        if self.unit is not None:
            entry["unit"] = self.unit
        if self.padded is not None:
            entry["padded"] = self.padded.document()
        return entry

    def label(self, entry: Sequence[int]) -> str:
        """Return what an entry of the last axes is called: its feature's name, or its place."""
        return self.features[entry[-1]] if self.features else "[" + ", ".join(map(str, entry)) + "]"


Tensors: TypeAlias = Mapping[str, Tensor]


def frozen(ends: EndsEntry) -> Ends:
    """Return ends with tuples in the place of lists."""
    return tuple(map(frozen, ends)) if isinstance(ends, Sequence) else ends


def thawed(ends: Ends) -> EndsEntry:
    """Return ends with lists in the place of tuples."""
    return [thawed(end) for end in ends] if isinstance(ends, tuple) else ends


def read_tensor(entry: TensorEntry) -> Tensor:
    """Return a complete tensor from JSON or a resolved configuration; its ends are numbers or lists."""
    return Tensor(
        shape=tuple(entry["shape"]),
        dtype=entry.get("dtype", FLOAT32),
        low=frozen(entry["low"]) if "low" in entry else None,
        high=frozen(entry["high"]) if "high" in entry else None,
        values=tuple(entry["values"]) if "values" in entry else None,
        indexes=entry.get("indexes"),
        features=tuple(entry["features"]) if "features" in entry else None,
        unit=entry.get("unit"),
        padded=Padding(**entry["padded"]) if "padded" in entry else None,
    )


def read_tensors(entries: Mapping[str, TensorEntry]) -> dict[str, Tensor]:
    """Return complete tensors by name, in their order."""
    return {name: read_tensor(entry) for name, entry in entries.items()}


def documents(tensors: Tensors) -> dict[str, TensorEntry]:
    """Return tensors for JSON by name, in their order."""
    return {name: tensor.document() for name, tensor in tensors.items()}
