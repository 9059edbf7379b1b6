"""The sizes of dynamic axes: which there may be, which one is traced, which are tried. Standard library only."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from torchship.spec.section import Section, Validate
from torchship.spec.tensor import Axis, Tensor, Tensors

Sizes = Mapping[str, int]

BATCH = "batch"

# The other axes while one is varied.
USUAL_SIZE = 5
# The batch of draws of the domain's edges.
USUAL_BATCH = 64


@dataclass(frozen=True)
class AxisRange:
    """Which sizes a dynamic axis may have.

    Attributes:
        least, most: the smallest and largest size; no largest if `most` is None.
        multiple: all sizes are multiples of it.
        traced: the size in the example that is traced; None: chosen by `traced_sizes`.
    """

    least: int = 0
    most: int | None = None
    multiple: int = 1
    traced: int | None = None

    @property
    def smallest(self) -> int:
        """The smallest size that is a multiple: 0 unless `least` is more."""
        return -(-self.least // self.multiple) * self.multiple

    @property
    def largest(self) -> int | None:
        """The largest size that is a multiple; None where there is no end."""
        return None if self.most is None else self.most // self.multiple * self.multiple

    def allows(self, size: int) -> bool:
        """Say whether the axis may have a size."""
        return size == self.nearest(size)

    def nearest(self, size: int) -> int:
        """Return the next size, from this one on, that the axis may have; the largest where there is none."""
        found = max(-(-size // self.multiple) * self.multiple, self.smallest)
        return found if self.largest is None else min(found, self.largest)

    @property
    def ends(self) -> set[int]:
        """The ends of the range that were declared."""
        return ({self.smallest} if self.least else set()) | ({self.largest} if self.largest is not None else set())


Axes = Mapping[str, AxisRange]
ANY_SIZE = AxisRange()
EVERY: Axes = {}


def read_axes(section: Section) -> dict[str, AxisRange]:
    """Return the ranges of a run's dynamic axes from its section `axes`; axes that it does not name have any size."""
    return {axis: AxisRange(**entry) for axis, entry in section.get("axes", {}).items()}


def dynamic_axes(tensors: Tensors) -> list[str]:
    """Return the names of all dynamic axes of some tensors, in the order in which they appear."""
    return named_axes(tensor.shape for tensor in tensors.values())


def named_axes(shapes: Iterable[Sequence[Axis]]) -> list[str]:
    """Return the names of all dynamic axes in some shapes, in the order in which they appear."""
    return list(dict.fromkeys(axis for shape in shapes for axis in shape if isinstance(axis, str)))


def shape_of(tensor: Tensor, sizes: Sizes) -> list[int]:
    """Return a tensor's shape with these sizes of its dynamic axes."""
    return [sizes[axis] if isinstance(axis, str) else axis for axis in tensor.shape]


def fits(tensors: Tensors, sizes: Sizes) -> bool:
    """Say whether there are inputs with these sizes: nothing can index an empty axis."""
    return all(
        sizes[tensor.indexes] > 0 or 0 in shape_of(tensor, sizes)
        for tensor in tensors.values()
        if tensor.indexes is not None
    )


def primes() -> Iterator[int]:
    """Yield the odd primes in order."""
    return (number for number in itertools.count(3, 2) if all(number % divisor for divisor in range(3, number, 2)))


def traced_sizes(inputs: Tensors, axes: Axes = EVERY) -> dict[str, int]:
    """Return the size of each dynamic axis in the example that is traced.

    Where the configuration does not say it, each axis has its own prime (3, 5, 7, … in the order of the axes, times the
    axis's multiple), so that no two axes look alike, and none is 1, which the exporter would take for a constant.
    """
    sizes = {axis: axes[axis].traced for axis in dynamic_axes(inputs) if axis in axes and axes[axis].traced}
    for place, axis in enumerate(dynamic_axes(inputs)):
        if axis not in sizes:
            sizes[axis] = own_size(axes.get(axis, ANY_SIZE), place, set(sizes.values()))
    return {axis: sizes[axis] or 0 for axis in dynamic_axes(inputs)}


def own_size(allowed: AxisRange, place: int, taken: set[int | None]) -> int:
    """Return a size within a range that no other axis has: a prime if there is one, from the `place`-th on."""
    end = float("inf") if allowed.largest is None else allowed.largest
    products = (allowed.multiple * prime for prime in itertools.islice(primes(), place, None))
    within = (size for size in itertools.takewhile(lambda size: size <= end, products) if size >= allowed.least)
    every = range(allowed.nearest(2), int(min(end, allowed.nearest(2) + 1000)) + 1, allowed.multiple)
    return next((size for size in itertools.chain(within, every) if size not in taken), allowed.nearest(2))


def usual_sizes(inputs: Tensors, axes: Axes = EVERY, batch: int = USUAL_SIZE) -> dict[str, int]:
    """Return a size of each dynamic axis that is neither special nor large, with a batch of `batch` where it may be.

    The least size may be special (as many particles as neighbours), so an axis that needs more than usual is as traced.
    """
    traced = traced_sizes(inputs, axes)
    ranges = {axis: axes.get(axis, ANY_SIZE) for axis in traced}
    return {
        axis: allowed.nearest(batch)
        if axis == BATCH
        else traced[axis]
        if allowed.least > USUAL_SIZE
        else allowed.nearest(USUAL_SIZE)
        for axis, allowed in ranges.items()
    }


def largest_sizes(inputs: Tensors, validate: Validate, axes: Axes = EVERY) -> dict[str, int]:
    """Return the largest of the sizes that `validate` asks for, of each dynamic axis."""
    return {
        axis: axes.get(axis, ANY_SIZE).nearest(max(validate["batch_sizes" if axis == BATCH else "axis_sizes"]))
        for axis in dynamic_axes(inputs)
    }


def shape_matrix(inputs: Tensors, validate: Validate, beyond: int, axes: Axes = EVERY) -> list[dict[str, int]]:
    """Return the sizes to try: each dynamic axis at each of its sizes, the others as usual; and all at 0, 1 and 2.

    The traced size, 0 and the ends of an axis's range are among them, and a batch beyond `beyond`, the largest that
    training has seen. A size that an axis may not have becomes the next that it may.
    """
    traced = traced_sizes(inputs, axes)
    base = usual_sizes(inputs, axes, validate["batch_sizes"][-1] if list(traced) == [BATCH] else USUAL_SIZE)
    ranges = {axis: axes.get(axis, ANY_SIZE) for axis in traced}
    filled = [axis for axis in traced if axis in validate["never_empty"] or not ranges[axis].allows(0)]
    found = []
    for axis in traced:
        wanted = {*validate["batch_sizes"], beyond + 1} if axis == BATCH else set(validate["axis_sizes"])
        sizes = {traced[axis], *nearest_of(ranges[axis], wanted), *ranges[axis].ends} - {0}
        found += [{**base, axis: size} for size in sorted(sizes if axis in filled else {0, *sizes})]
    for size in (1, 2) if filled else (0, 1, 2):
        found.append({axis: ranges[axis].nearest(size) for axis in traced})
    unique = {tuple(sizes.items()): sizes for sizes in found if fits(inputs, sizes)}
    return list(unique.values())


def nearest_of(allowed: AxisRange, sizes: Iterable[int]) -> set[int]:
    """Return what becomes of some sizes within a range."""
    return {allowed.nearest(size) for size in sizes}


def single_events(axes: Axes) -> bool:
    """Say whether there may be a batch of one event."""
    return axes.get(BATCH, ANY_SIZE).allows(1)
