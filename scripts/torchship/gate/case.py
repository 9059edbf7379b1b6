"""A case that a file is run on: inputs, and what a correct file gives for them."""

from dataclasses import dataclass

from torchship.gate.about import About
from torchship.spec.arrays import Array
from torchship.spec.axes import BATCH


@dataclass(frozen=True)
class Case:
    """Inputs, where they are from, and what a correct file gives for them.

    Attributes:
        about: where they are from.
        feed: the inputs by name.
        exact, single, limit: by output, [batch, ...] each: float64, the same module's float32, and the limit.
    """

    about: About
    feed: dict[str, Array]
    exact: dict[str, Array]
    single: dict[str, Array]
    limit: dict[str, Array]

    @property
    def place(self) -> str:
        """Say which case it is, for a message."""
        sizes = ", ".join(f"{axis} {size}" for axis, size in self.about["sizes"].items())
        return f"{self.about['origin']}, {sizes}"


def select(case: Case, chosen: slice) -> Case:
    """Return a case with some of its events, which must be independent of one another.

    An output of a single event may have no axis, where a file squeezes the batch away; it stays as it is.
    """
    parts = {
        part: {name: array[chosen] if array.ndim else array for name, array in getattr(case, part).items()}
        for part in ("feed", "exact", "single", "limit")
    }
    count = len(next(iter(parts["feed"].values())))
    return Case({**case.about, "sizes": {**case.about["sizes"], BATCH: count}}, **parts)
