"""The declared domain of a network's inputs: shapes with dynamic axes, and points in it."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from torchship.data.padding import half_trailing, hidden, masks, pad, shown_at_least
from torchship.spec.arrays import Array
from torchship.spec.axes import BATCH, Sizes, shape_of
from torchship.spec.tensor import Tensor, Tensors

# Draws one input.
Draw: TypeAlias = Callable[[Tensor, Sizes, np.random.Generator], Array]
# What each input is drawn with, by name.
Draws: TypeAlias = Mapping[str, Draw]
# Of some entries of an array.
Place: TypeAlias = tuple[int | slice, ...]


def element_type(tensor: Tensor) -> np.dtype[Any]:
    """Return the type of a declared tensor's elements; strings are Python's objects."""
    dtype: np.dtype[Any] = np.dtype(object if tensor.dtype == "string" else tensor.dtype)
    return dtype


def ends_of(tensor: Tensor, sizes: Sizes) -> tuple[Array, Array]:
    """Return the lower and upper ends of a tensor's domain, as arrays that broadcast against the tensor.

    Each is one number, or has one for each entry of the last axis. An index goes from 0 to the last of its axis.
    """
    if tensor.indexes is not None:
        return np.asarray(0), np.asarray(max(sizes[tensor.indexes] - 1, 0))
    if tensor.values is not None:
        return np.asarray(min(tensor.values)), np.asarray(max(tensor.values))
    if element_type(tensor).kind == "b":
        return np.asarray(0), np.asarray(1)
    return np.asarray(tensor.low), np.asarray(tensor.high)


def typed_ends_of(tensor: Tensor, sizes: Sizes) -> tuple[Array, Array]:
    """Return the ends of a tensor's domain in the type of its elements."""
    low, high = ends_of(tensor, sizes)
    return low.astype(element_type(tensor)), high.astype(element_type(tensor))


def uniform(tensor: Tensor, sizes: Sizes, generator: np.random.Generator) -> Array:
    """Draw a tensor uniformly from its domain."""
    shape, dtype = shape_of(tensor, sizes), element_type(tensor)
    if tensor.values is not None:
        return np.asarray(generator.choice(np.array(tensor.values), shape)).astype(dtype)
    low, high = ends_of(tensor, sizes)
    if dtype.kind in "iub":
        drawn = generator.integers(low.astype(np.int64), high.astype(np.int64), shape, endpoint=True)
        return np.asarray(drawn).astype(dtype)
    # Rounding to float32 may leave the domain by half a unit in the last place.
    return np.asarray(
        np.clip(np.asarray(generator.uniform(low, high, shape)).astype(dtype), *typed_ends_of(tensor, sizes))
    )


def corners(tensor: Tensor, sizes: Sizes, generator: np.random.Generator) -> Array:
    """Draw a tensor whose elements are each at one end of the domain."""
    low, high = typed_ends_of(tensor, sizes)
    drawn: Array = np.where(generator.choice(np.array([False, True]), shape_of(tensor, sizes)), high, low)
    return drawn


def lowest(tensor: Tensor, sizes: Sizes, _: np.random.Generator) -> Array:
    """Return a tensor with all its elements at the lower end: a mask that hides all, indices that are all equal."""
    return np.broadcast_to(typed_ends_of(tensor, sizes)[0], shape_of(tensor, sizes)).copy()


def highest(tensor: Tensor, sizes: Sizes, _: np.random.Generator) -> Array:
    """Return a tensor with all its elements at the upper end."""
    return np.broadcast_to(typed_ends_of(tensor, sizes)[1], shape_of(tensor, sizes)).copy()


def discrete(tensor: Tensor) -> bool:
    """Say whether a tensor takes only some values: integers, indices, truth values, masks."""
    return tensor.values is not None or element_type(tensor).kind in "iubO"


def edge_draws(inputs: Tensors) -> list[tuple[str, Draws]]:
    """Return the ways to draw all inputs, by name: what each input is drawn with.

    Beside uniform draws and corners, each discrete input is set to either of its ends while the others are drawn:
    masks that hide all or nothing, and edges that all join the same hits.
    """
    ways: list[tuple[str, Draws]] = [
        ("uniform over the domain", dict.fromkeys(inputs, uniform)),
        ("corners of the domain", dict.fromkeys(inputs, corners)),
    ]
    for name, tensor in inputs.items():
        if discrete(tensor):
            word = "first" if tensor.indexes is not None else "lowest"
            ways.append((f"{name} all {word}", {**dict.fromkeys(inputs, uniform), name: lowest}))
            word = "last" if tensor.indexes is not None else "highest"
            ways.append((f"{name} all {word}", {**dict.fromkeys(inputs, uniform), name: highest}))
    return ways


def draw(inputs: Tensors, way: Draws, sizes: Sizes, generator: np.random.Generator) -> dict[str, Array]:
    """Draw all inputs in one of `edge_draws`, padded as data are."""
    drawn = {name: way[name](tensor, sizes, generator) for name, tensor in inputs.items()}
    for name, where in masks(inputs).items():
        if way[name] in (uniform, corners):
            drawn[name] = half_trailing(drawn[name], where, generator)
    return pad(inputs, drawn)


def grid(tensor: Tensor, points: int, most: int, generator: np.random.Generator) -> Array:
    """Return a regular grid over the domain of a [batch, width] tensor, its corners included.

    Where the grid would have more than `most` points, that many are drawn at random instead.
    """
    batch, width = str(tensor.shape[0]), int(tensor.shape[1])
    if points**width > most:
        return uniform(tensor, {batch: most}, generator)
    low, high = (np.broadcast_to(end, width) for end in ends_of(tensor, {}))
    axes = [np.linspace(start, stop, points) for start, stop in zip(low, high, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, width).astype(np.float32)


def independent(tensors: Tensors) -> bool:
    """Say whether the first axis of every tensor is the batch: events that know nothing of one another."""
    return all(tensor.shape[:1] == (BATCH,) for tensor in tensors.values())


def rows(feed: Mapping[str, Array], chosen: Sequence[int] | slice | Array) -> dict[str, Array]:
    """Return some events of inputs whose first axis is the batch."""
    return {name: array[chosen] for name, array in feed.items()}


def fixed_batch(tensors: Tensors) -> int | None:
    """Return the batch that all tensors have as their first axis; None where it is dynamic, or there is none."""
    firsts = {tensor.shape[0] if tensor.shape else None for tensor in tensors.values()}
    (first,) = firsts if len(firsts) == 1 else (None,)
    return first if isinstance(first, int) else None


# Small integers are what features count; of wider domains some others are drawn.
SMALL_INTEGERS = 16


def on_values(
    inputs: Tensors, sizes: Sizes, values_by_input: Mapping[str, Sequence[float]], generator: np.random.Generator
) -> dict[str, Array]:
    """Draw inputs most of whose numbers are special: where a comparison may flip, a table ends, a division fails.

    Each number is, with equal chances, one of the given values or of its neighbours one unit in the last place beside,
    an integer, an end of the domain or 0, or drawn uniformly. All lie in the domain of their feature.

    Args:
        values_by_input: the constants that an input may be compared with; none for inputs that it does not name.
    """
    drawn = draw(inputs, dict.fromkeys(inputs, uniform), sizes, generator)
    special = {
        name: special_draw(tensor, sizes, values_by_input.get(name, ()), generator)
        for name, tensor in inputs.items()
        if name not in masks(inputs)
    }
    return pad(inputs, {**drawn, **special})


def special_draw(tensor: Tensor, sizes: Sizes, values: Sequence[float], generator: np.random.Generator) -> Array:
    """Draw one input as `on_values` does, padding aside; what takes only some values is drawn from these."""
    drawn = uniform(tensor, sizes, generator)
    if tensor.values is not None or tensor.indexes is not None or element_type(tensor).kind not in "fiu":
        return drawn
    return with_special(tensor, drawn, values, sizes, generator)


def with_special(
    tensor: Tensor, drawn: Array, values: Sequence[float], sizes: Sizes, generator: np.random.Generator
) -> Array:
    """Return a drawn tensor with special values in the place of most of its numbers, each feature's own."""
    found = drawn.copy()
    for which, _, low, high in parts_of(tensor, sizes, drawn.ndim):
        pools = [
            np.unique(pool[(pool >= low) & (pool <= high)])
            for pool in special_values(low, high, np.asarray(values, dtype=np.float64), generator)
        ]
        pools = [pool for pool in pools if len(pool)]
        part = found[which]
        kind = generator.integers(len(pools) + 1, size=part.shape)
        for number, pool in enumerate(pools):
            part = np.where(kind == number, generator.choice(pool, part.shape), part)
        found[which] = part
    return found


def parts_of(tensor: Tensor, sizes: Sizes, rank: int) -> Iterator[tuple[Place, tuple[int, ...], Any, Any]]:
    """Yield the parts of a tensor that have a domain of their own: how to index it, where its ends are, and these."""
    low, high = np.broadcast_arrays(*typed_ends_of(tensor, sizes))
    for entry in np.ndindex(low.shape):
        # An end that holds for all of an axis has length 1 there.
        chosen = [index if length > 1 else slice(None) for index, length in zip(entry, low.shape, strict=True)]
        yield (*[slice(None)] * (rank - len(entry)), *chosen), entry, low[entry], high[entry]


def special_values(low: Any, high: Any, values: Array, generator: np.random.Generator) -> list[Array]:
    """Return given values with their neighbours, integers, and the ends of a domain with 0, in the domain's type."""
    dtype = low.dtype
    if dtype.kind == "f":
        within = values[np.abs(values) <= np.finfo(dtype).max].astype(dtype)
        step = steps(within, low, high)
        beside = [within, (within - step).astype(dtype), (within + step).astype(dtype)]
    else:
        within = np.rint(values[(values >= low) & (values <= high)]).astype(dtype)
        beside = [within, within[within > low] - 1, within[within < high] + 1]
    small = np.arange(-SMALL_INTEGERS, SMALL_INTEGERS + 1)
    small = small[(small >= low) & (small <= high)]
    others = np.rint(generator.uniform(low, high, SMALL_INTEGERS))
    integers = np.concatenate([small, others]).astype(dtype)
    return [np.concatenate(beside), integers, np.array([low, 0, high], dtype=dtype)]


def steps(values: Array, low: Any, high: Any) -> Array:
    """Return one unit in the last place of values; beside 0, of a number that the domain is a million times as wide as.

    The neighbours of 0 in floating point are nothing that a feature can be, and their squares are 0 in float32 alone.
    """
    least = 1e-6 * (np.asarray(high, dtype=np.float64) - low)
    found: Array = np.spacing(np.maximum(np.abs(values), least).astype(values.dtype)).astype(np.float64)
    return found


def near(events: Mapping[str, Array], inputs: Tensors, generator: np.random.Generator) -> dict[str, Array]:
    """Return events like given ones: a few numbers of each are moved, or taken from another event.

    A number is moved by up to four units in the last place, or by 10⁻⁶ to 10⁻¹ of its feature's domain, and stays
    in it; integers by 1. Some events of a mask lose an entry. Padding follows the masks.
    """
    sizes = {
        axis: events[name].shape[place]
        for name, tensor in inputs.items()
        for place, axis in enumerate(tensor.shape)
        if isinstance(axis, str)
    }
    moved = {name: np.array(events[name]) for name in inputs}
    for name, tensor in inputs.items():
        array = moved[name]
        if name in masks(inputs):
            # One entry of every tenth event or so, wherever it is.
            lost = generator.random(array.shape) < 0.1 / max(math.prod(array.shape[1:]), 1)
            hides = masks(inputs)[name]
            fewer = np.where(lost, hides, array).astype(array.dtype)
            # What is shown anew would have no value.
            enough = (fewer != hides).sum(axis=-1, keepdims=True) >= shown_at_least(inputs)[name]
            moved[name] = np.where(enough, fewer, array)
        elif tensor.indexes is None and array.size:
            moved[name] = moved_a_little(tensor, array, hidden(tensor, events, array.ndim), sizes, generator)
    return pad(inputs, moved)


def moved_a_little(tensor: Tensor, array: Array, padding: Array, sizes: Sizes, generator: np.random.Generator) -> Array:
    """Return an array with about three numbers of each event changed, see `near`."""
    rate = min(0.5, 3.0 / max(math.prod(array.shape[1:]), 1))
    kind = np.where(generator.random(array.shape) < rate, generator.integers(3, size=array.shape), 3)
    order = generator.permutation(len(array)) if array.ndim else np.array(0)
    given = np.broadcast_to(padding, array.shape)
    # Padding is no number to take over.
    swapped = np.where(given[order], array, array[order]) if array.ndim else array
    if tensor.values is not None or array.dtype.kind not in "fiu":
        return np.asarray(np.where(kind < 3, swapped, array))
    low, high = typed_ends_of(tensor, sizes)
    if array.dtype.kind in "iu":
        shift = generator.integers(-1, 1, array.shape, endpoint=True).astype(np.float64)
    else:
        places = generator.integers(-4, 4, array.shape, endpoint=True) * steps(array, low, high)
        size = 10.0 ** generator.uniform(-6.0, -1.0, array.shape) * generator.choice([-1.0, 1.0], array.shape)
        shift = np.where(kind == 0, places, size * (high.astype(np.float64) - low))
    shifted = np.clip(array + shift, low, high).astype(array.dtype)
    return np.select([kind < 2, kind == 2], [shifted, swapped], array)
