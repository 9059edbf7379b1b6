"""The declared domain of a network's inputs: shapes with dynamic axes, and points in it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Tensors = Mapping[str, Any]
Sizes = Mapping[str, int]

BATCH = "batch"


def element_type(tensor: Mapping[str, Any]) -> np.dtype[Any]:
    """Return the type of a declared tensor's elements, float32 where it says nothing; strings are Python's objects."""
    name = tensor.get("dtype", "float32")
    dtype: np.dtype[Any] = np.dtype(object if name == "string" else name)
    return dtype


def dynamic_axes(tensors: Tensors) -> list[str]:
    """Give the names of all dynamic axes, in the order in which they appear."""
    return list(dict.fromkeys(axis for tensor in tensors.values() for axis in tensor["shape"] if isinstance(axis, str)))


def shape_of(tensor: Mapping[str, Any], sizes: Sizes) -> list[int]:
    """Give a tensor's shape with these sizes of its dynamic axes."""
    return [sizes[axis] if isinstance(axis, str) else axis for axis in tensor["shape"]]


def fits(tensors: Tensors, sizes: Sizes) -> bool:
    """Say whether there are inputs with these sizes: nothing can index an empty axis."""
    return all(
        sizes[tensor["indexes"]] > 0 or 0 in shape_of(tensor, sizes)
        for tensor in tensors.values()
        if "indexes" in tensor
    )


def limits_of(tensor: Mapping[str, Any], sizes: Sizes) -> tuple[float, float]:
    """Give the lower and upper end of a tensor's domain; an index goes from 0 to the last of its axis."""
    if "indexes" in tensor:
        return 0, max(sizes[tensor["indexes"]] - 1, 0)
    if "values" in tensor:
        return min(tensor["values"]), max(tensor["values"])
    return tensor["low"], tensor["high"]


def uniform(tensor: Mapping[str, Any], sizes: Sizes, generator: np.random.Generator) -> Array:
    """Draw a tensor uniformly from its domain."""
    shape, dtype = shape_of(tensor, sizes), element_type(tensor)
    low, high = limits_of(tensor, sizes)
    if "values" in tensor:
        return np.asarray(generator.choice(np.array(tensor["values"]), shape)).astype(dtype)
    if dtype.kind in "iu":
        return np.asarray(generator.integers(int(low), int(high), shape, dtype=dtype, endpoint=True))
    # Rounding to float32 may leave the domain by half a unit in the last place.
    values = np.asarray(generator.uniform(low, high, shape)).astype(dtype)
    drawn: Array = np.asarray(np.clip(values, dtype.type(low), dtype.type(high)))
    return drawn


def corners(tensor: Mapping[str, Any], sizes: Sizes, generator: np.random.Generator) -> Array:
    """Draw a tensor whose elements are each at one end of the domain."""
    ends = np.array(limits_of(tensor, sizes)).astype(element_type(tensor))
    # A scalar's choice is an element, not an array.
    return np.asarray(generator.choice(ends, shape_of(tensor, sizes)), dtype=ends.dtype)


def lowest(tensor: Mapping[str, Any], sizes: Sizes, _: np.random.Generator) -> Array:
    """Give a tensor with all its elements at the lower end: a mask that hides all, indices that are all equal."""
    return np.full(shape_of(tensor, sizes), limits_of(tensor, sizes)[0], dtype=element_type(tensor))


def highest(tensor: Mapping[str, Any], sizes: Sizes, _: np.random.Generator) -> Array:
    """Give a tensor with all its elements at the upper end."""
    return np.full(shape_of(tensor, sizes), limits_of(tensor, sizes)[1], dtype=element_type(tensor))


def discrete(tensor: Mapping[str, Any]) -> bool:
    """Say whether a tensor takes only some values: integers, indices, masks."""
    return "values" in tensor or element_type(tensor).kind in "biuO"


def edge_draws(inputs: Tensors) -> list[tuple[str, dict[str, Any]]]:
    """Give the ways to draw all inputs, by name: what each input is drawn with.

    Beside uniform draws and corners, each discrete input is set to either of its ends while the others are drawn:
    masks that hide all or nothing, and edges that all join the same hits.
    """
    ways: list[tuple[str, dict[str, Any]]] = [
        ("uniform over the domain", dict.fromkeys(inputs, uniform)),
        ("corners of the domain", dict.fromkeys(inputs, corners)),
    ]
    for name, tensor in inputs.items():
        if discrete(tensor):
            word = "first" if "indexes" in tensor else "lowest"
            ways.append((f"{name} all {word}", {**dict.fromkeys(inputs, uniform), name: lowest}))
            word = "last" if "indexes" in tensor else "highest"
            ways.append((f"{name} all {word}", {**dict.fromkeys(inputs, uniform), name: highest}))
    return ways


def draw(inputs: Tensors, way: Mapping[str, Any], sizes: Sizes, generator: np.random.Generator) -> dict[str, Array]:
    """Draw all inputs in one of `edge_draws`."""
    return {name: way[name](tensor, sizes, generator) for name, tensor in inputs.items()}


def grid(tensor: Mapping[str, Any], points: int, most: int, generator: np.random.Generator) -> Array:
    """Give a regular grid over the domain of a [batch, width] tensor, its corners included.

    Where the grid would have more than `most` points, that many are drawn at random instead.
    """
    width = tensor["shape"][1]
    if points**width > most:
        return uniform(tensor, {tensor["shape"][0]: most}, generator)
    axis = np.linspace(tensor["low"], tensor["high"], points)
    return np.stack(np.meshgrid(*[axis] * width, indexing="ij"), axis=-1).reshape(-1, width).astype(np.float32)


def independent(tensors: Tensors) -> bool:
    """Say whether the first axis of every tensor is the batch: events that know nothing of one another."""
    return all(tensor["shape"][:1] == [BATCH] for tensor in tensors.values())


def rows(feed: Mapping[str, Array], chosen: Sequence[int] | slice | Array) -> dict[str, Array]:
    """Give some events of inputs whose first axis is the batch."""
    return {name: array[chosen] for name, array in feed.items()}


def fixed_batch(tensors: Tensors) -> int | None:
    """Return the batch that all tensors have as their first axis; None where it is dynamic, or there is none."""
    firsts = {tensor["shape"][0] if tensor["shape"] else None for tensor in tensors.values()}
    (first,) = firsts if len(firsts) == 1 else (None,)
    return first if isinstance(first, int) else None
