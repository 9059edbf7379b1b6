"""The comparison of two implementations of one network, element by element, in units of a bound."""

from dataclasses import asdict, dataclass
from typing import cast

import numpy as np
from torchship.core.errors import ParityError
from torchship.core.files import finite
from torchship.core.texts import is_text
from torchship.gate.documents import DifferenceDocument
from torchship.gate.witness.limits import ratios
from torchship.spec.arrays import Array


@dataclass(frozen=True)
class Difference:
    """The largest difference between two arrays [events, ...], in units of the bound.

    Attributes:
        elements: numbers compared.
        ratio: |found - expected| / bound where that is largest; infinite if one is NaN or infinite and the other not.
        ulp: the same difference in units in the last place of float32, at the expected value.
        largest: the largest |found - expected| anywhere.
        event, index: where `ratio` is: the event, and the flat index among its numbers.
        expected, found, bound: the numbers there.
    """

    elements: int
    ratio: float
    ulp: float
    largest: float
    event: int
    index: int
    expected: float | str
    found: float | str
    bound: float

    def document(self) -> DifferenceDocument:
        """Return the difference as JSON can hold it."""
        document = {key: finite(value) if isinstance(value, float) else value for key, value in asdict(self).items()}
        return cast("DifferenceDocument", document)


def compare(found: Array, expected: Array, bound: Array) -> Difference:
    """Compare element by element; NaN equals NaN and an infinity equals itself.

    Args:
        found, expected, bound: [events, ...], of one shape.

    Raises:
        ParityError: the shapes differ, or there is nothing to compare.
    """
    if found.shape != expected.shape:
        raise ParityError(f"shape {list(found.shape)} where {list(expected.shape)} is expected")
    if not found.size:
        raise ParityError(f"nothing to compare: the shape is {list(found.shape)}")
    if is_text(expected):
        return compare_texts(found, expected)
    have, want, limit = (
        np.asarray(array, dtype=np.float64).reshape(len(array) if array.ndim else 1, -1)
        for array in (found, expected, bound)
    )
    ratio = ratios(have, want, limit)
    with np.errstate(all="ignore"):
        absolute = np.abs(have - want)
    absolute[np.isnan(absolute)] = np.inf
    absolute[ratio == 0.0] = 0.0
    event, index = (int(i) for i in np.unravel_index(np.argmax(ratio), ratio.shape))
    return Difference(
        elements=have.size,
        ratio=float(ratio[event, index]),
        ulp=ulps(float(absolute[event, index]), float(want[event, index])),
        largest=float(absolute.max()),
        event=event,
        index=index,
        expected=float(want[event, index]),
        found=float(have[event, index]),
        bound=float(limit[event, index]),
    )


def compare_texts(found: Array, expected: Array) -> Difference:
    """Compare text with text, which is equal or not."""
    ratio = ratios(found, expected, np.zeros(expected.shape)).reshape(len(expected) if expected.ndim else 1, -1)
    event, index = (int(i) for i in np.unravel_index(np.argmax(ratio), ratio.shape))
    worst = float(ratio[event, index])
    have, want = (str(array.reshape(ratio.shape)[event, index]) for array in (found, expected))
    return Difference(ratio.size, worst, worst, worst, event, index, want, have, 0.0)


def ulps(difference: float, value: float) -> float:
    """Return a difference in units in the last place that float32 has at a value."""
    with np.errstate(all="ignore"):
        return difference / float(np.spacing(np.abs(np.float32(value))))


def explain(difference: Difference, tolerance: float, output: str) -> str:
    """Say in one line how far apart two numbers are and where."""
    place = f"at event {difference.event}, output {output}[{difference.index}]"
    found, expected = difference.found, difference.expected
    if isinstance(found, str) or isinstance(expected, str):
        return f"another text {place}: {found!r} where {expected!r} is expected"
    return (
        f"|Δ| = {abs(found - expected):.2g} > {tolerance * difference.bound:.2g} {place}: {found:.9g} where "
        f"{expected:.9g} is expected"
    )


def require(difference: Difference, tolerance: float, what: str, output: str) -> None:
    """Stop unless the difference is within `tolerance` times the bound.

    Raises:
        ParityError: with what was compared, the numbers and the event.
    """
    if not difference.ratio <= tolerance:
        raise ParityError(f"{what}: {explain(difference, tolerance, output)}")
