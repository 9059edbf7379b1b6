"""The declared domain of inputs, checked and spelled out while the workflow is planned. Standard library only."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from torchship.config.naming import require_known
from torchship.core.errors import ConfigError
from torchship.spec.tensor import EndsEntry, TensorEntry, Value

ENDS: tuple[Literal["low"], Literal["high"]] = ("low", "high")
FLOATS = ("float32", "float64", "float16")
# The smallest and largest number that a type has; float64 has all that a configuration can say.
RANGES = {
    "float32": (-3.4028234663852886e38, 3.4028234663852886e38),
    "float16": (-65504, 65504),
    "uint8": (0, 255),
    "int32": (-(2**31), 2**31 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "bool": (0, 1),
}


def spelled_out(place: str, tensor: TensorEntry) -> TensorEntry:
    """Return a declared tensor whose ends `low` and `high` are numbers or lists, in the order of its features.

    Raises:
        ConfigError: they name other features than there are, or are not as many as the last axis has entries, or one of
            them is not below the other.
    """
    spelled: TensorEntry = {**tensor}
    for end in ENDS:
        if end in tensor:
            spelled[end] = in_order(f"{place}/{end}", tensor[end], tensor)
    # A file from elsewhere may say the shape itself.
    for end in ENDS if "shape" in tensor else ():
        if end in spelled:
            require_broadcast(f"{place}/{end}", spelled[end], tensor["shape"])
    if "low" in spelled and "high" in spelled:
        check_order(place, spelled["low"], spelled["high"], tensor)
    return spelled


def in_order(place: str, value: EndsEntry | Mapping[str, float], tensor: TensorEntry) -> EndsEntry:
    """Return ends that are given by the names of features as a list in their order, all else as it is.

    Raises:
        ConfigError: they don't name each feature once.
    """
    if not isinstance(value, Mapping):
        return value
    features = tensor.get("features")
    if features is None:
        raise ConfigError(f"{place} goes by the names of features, but the input has none: name them, or give a list")
    for name in value:
        require_known(name, features, place, "feature")
    missing = [name for name in features if name not in value]
    if missing:
        raise ConfigError(f"{place} has nothing for {missing[0]}: give a number for each of {', '.join(features)}")
    return [value[name] for name in features]


def lengths(value: EndsEntry, place: str) -> list[int]:
    """Return the lengths of nested lists from the outermost on, none for a number.

    Raises:
        ConfigError: lists beside one another are of unequal lengths.
    """
    if not isinstance(value, Sequence):
        return []
    inner = [lengths(part, place) for part in value]
    if any(part != inner[0] for part in inner):
        raise ConfigError(f"{place} holds lists of unequal lengths")
    return [len(value), *inner[0]]


def require_broadcast(place: str, value: EndsEntry, shape: Sequence[int | str]) -> None:
    """Check that ends are one number, or one for each entry of the last axis, or broadcast in another way.

    Raises:
        ConfigError: they are not.
    """
    found = lengths(value, place)
    axes = list(shape)[len(shape) - len(found) :] if found else []
    if len(found) > len(shape) or any(have not in (1, axis) for have, axis in zip(found, axes, strict=True)):
        have = " x ".join(map(str, found))
        if not shape or isinstance(shape[-1], str):
            last = f"the last axis of {list(shape)} has any number of entries" if shape else "a scalar has no axis"
            raise ConfigError(f"{place} holds {have} numbers, but {last}: give one number for all")
        raise ConfigError(f"{place} holds {have} numbers, but the last axis of {list(shape)} has {shape[-1]} entries")


def numbers(value: EndsEntry | Value | Sequence[Value]) -> Iterator[Value]:
    """Yield all numbers in ends, and what else stands there."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        for part in value:
            yield from numbers(part)
    else:
        yield value


def check_numbers(place: str, dtype: str, ends: EndsEntry | Sequence[Value], what: str = "domain") -> None:
    """Check that the numbers of a domain, or of padding, are some that a type has.

    Raises:
        ConfigError: they are not.
    """
    low, high = RANGES.get(dtype, (float("-inf"), float("inf")))
    found = list(numbers(ends))
    wrong = [number for number in found if isinstance(number, str) or not low <= number <= high]
    if wrong or (dtype not in FLOATS and any(number != int(number) for number in found)):
        raise ConfigError(f"{place} is of dtype {dtype}, but its {what} holds {ends}")


def at(value: EndsEntry, place: Sequence[int]) -> float:
    """Return the number that ends have for an entry of the last axes, broadcast as in NumPy."""
    depth = len(lengths(value, ""))
    for index in place[len(place) - depth :] if depth else ():
        assert isinstance(value, Sequence)  # noqa: S101 -- as deep as `lengths` says
        value = value[index if len(value) > 1 else 0]
    assert not isinstance(value, Sequence)  # noqa: S101 -- the same
    return value


def check_order(place: str, low: EndsEntry, high: EndsEntry, tensor: TensorEntry) -> None:
    """Check that every lower end is below its upper end.

    Raises:
        ConfigError: one is not; the message names the feature.
    """
    shapes = [lengths(low, place), lengths(high, place)]
    most = [max(pair) for pair in itertools.zip_longest(*(reversed(shape) for shape in shapes), fillvalue=1)][::-1]
    for entry in itertools.product(*map(range, most)):
        below, above = at(low, entry), at(high, entry)
        if not below < above:
            of = f" of {label(tensor, entry)}" if entry else ""
            raise ConfigError(f"{place}: low {below}{of} must be below high {above}")


def label(tensor: TensorEntry, entry: Sequence[int]) -> str:
    """Return what an entry of the last axes is called: its feature's name, or its place."""
    features = tensor.get("features")
    return str(features[entry[-1]]) if features else "[" + ", ".join(map(str, entry)) + "]"


def check_padding(within: str, name: str, inputs: Mapping[str, TensorEntry]) -> None:
    """Check that the mask of a padded input is an input that can hide its entries.

    Raises:
        ConfigError: there is no such input, or it has other values than 0 and 1, or axes that don't fit, or is padded
            itself; or its type has no such value as its padding.
    """
    tensor, place = inputs[name], f"{within}/{name}/padded"
    padded = tensor["padded"]
    mask = padded["mask"]
    require_known(mask, [other for other in inputs if other != name], f"{place}/mask", "input")
    told = inputs[mask]
    if "padded" in told:
        raise ConfigError(f"{place}/mask is {mask!r}, which is padded itself: a mask says all by itself")
    if told.get("dtype") != "bool" and set(told.get("values", [])) != {0, 1}:
        raise ConfigError(f"{place}/mask is {mask!r}: a mask must declare `values: [0, 1]`")
    if tensor.get("dtype") == "string":
        raise ConfigError(
            f"{place}: the input is of dtype string, and padding is a number; declare it without `padded`"
        )
    check_numbers(f"{within}/{name}", tensor.get("dtype", "float32"), padded.get("value", 0.0), "padding")
    if "shape" not in told or "shape" not in tensor:
        return  # a file from elsewhere says them
    fits = len(told["shape"]) <= len(tensor["shape"]) and all(
        axis in (1, other) for axis, other in zip(told["shape"], tensor["shape"], strict=False)
    )
    if not fits:
        raise ConfigError(
            f"{place}/mask is {mask!r} of shape {told['shape']}: its axes must be the first ones of {tensor['shape']}, "
            "or 1 where it holds for all of an axis"
        )
