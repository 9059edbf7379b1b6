"""How far a correct float32 implementation may be from float64, element by element."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torchship.errors import ParityError
from torchship.texts import is_text

Array = NDArray[Any]

UNIT_FLOAT32 = 2.0**-24
SMALLEST_FLOAT32 = 2.0**-126

# Disturbed evaluations from which a spread is estimated. With 32, an estimate is below half of the true spread once in
# a hundred thousand elements.
SAMPLES = 32
# The limit is at least this many spreads; of thousands of correct files none needed nine (docs/mutants.md), ...
LEAST = 12.0
# ... or this many times the spreads that torch's own float32 needs, on the same elements.
HEADROOM = 4.0
# Events of a batch that are witnessed at once, and how far the whole batch in float64 may be from its parts.
PART = 8192
SAME = 1e-9
# Where torch's float32 is further off, rounding is not all that it differs by, and nothing can be judged.
MOST_OF_TORCH = 64.0


@dataclass(frozen=True)
class Witnessed:
    """What the witnesses say of one output [batch, ...].

    Attributes:
        exact: in float64.
        single: in float32, by the same implementation.
        scale: standard deviation of `exact` under rounding, and one unit in the last place: what one spread is.
    """

    exact: Array
    single: Array
    scale: Array


@dataclass(frozen=True)
class Recorded:
    """A value that an arbiter computed on the way: by which operation, or under which name, and its witnesses."""

    name: str
    value: Witnessed


def witnessed(exact: Array, single: Array, samples: Iterable[Array]) -> Witnessed:
    """Put together what was computed; integer outputs have no spread and must be equal."""
    if not np.issubdtype(exact.dtype, np.floating):
        return Witnessed(exact, single, np.zeros(exact.shape))
    # An output that is rounded to a shorter type in the end may round either way.
    kind, wide = np.finfo(exact.dtype), exact.astype(np.float64)
    unit, smallest = max(UNIT_FLOAT32, float(kind.eps) / 2.0), max(SMALLEST_FLOAT32, float(kind.smallest_subnormal))
    with np.errstate(all="ignore"):
        deviations = [sample - wide for sample in samples]
        # About the undisturbed value, not the mean: a shift by rounding is part of the spread.
        spread = np.sqrt(np.mean([deviation**2 for deviation in deviations], axis=0))
        scale = spread + unit * np.abs(wide) + smallest
    # Where float64 itself is not finite a comparison is of kind alone, equal or not.
    return Witnessed(exact, single, np.where(np.isfinite(scale), scale, 0.0))


def witness_in_parts(arbiter: Any, feed: Mapping[str, Array], samples: int = SAMPLES) -> dict[str, Witnessed]:
    """Ask an arbiter for a large batch part by part, which takes less memory and time.

    Only where events are independent of one another, which the whole batch in float64 shows.
    """
    lengths = {len(array) if array.ndim else 0 for array in feed.values()}
    count = max(lengths)
    whole: Mapping[str, Witnessed] = {}
    if len(lengths) == 1 and count > PART:
        together = arbiter.evaluate(feed)
        parts = [arbiter.witness({name: array[first : first + PART] for name, array in feed.items()}, samples)
                 for first in range(0, count, PART)]  # fmt: skip
        if all(len(array) == count for array in together.values() if array.ndim):
            whole = {name: joined([part[name] for part in parts]) for name in together}
        if whole and all(np.allclose(whole[name].exact, array, rtol=SAME, atol=SAME, equal_nan=True)
                         for name, array in together.items()):  # fmt: skip
            return dict(whole)
    found: dict[str, Witnessed] = arbiter.witness(feed, samples)
    return found


def joined(parts: Sequence[Witnessed]) -> Witnessed:
    """Put the parts of a batch together."""
    return Witnessed(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Witnessed)))


def torch_needs(cases: Iterable[Mapping[str, Witnessed]]) -> float:
    """Give the largest |float32 - float64| of the arbiter itself over some cases, in spreads.

    Raises:
        ParityError: it is beyond what rounding explains, so that the witnesses do not agree.
    """
    largest, where = 0.0, ""
    for number, case in enumerate(cases):
        for name, output in case.items():
            ratio = ratios(output.single, output.exact, output.scale)
            if ratio.size and float(ratio.max()) > largest:
                event = int(np.unravel_index(int(ratio.argmax()), ratio.shape)[0]) if ratio.ndim else 0
                largest, where = float(ratio.max()), f"case {number}, output {name}, event {event}"
    if not largest <= MOST_OF_TORCH:
        raise ParityError(
            f"the witnesses disagree: the reference's own float32 is {largest:.3g} spreads from float64 "
            f"({where}), more than {MOST_OF_TORCH:g}; the network is discontinuous there, overflows in float32, or "
            "computes in another type: restrict the domain (low, high), or look for a comparison, a large constant, an "
            "exponential"
        )
    return largest


def factor(needed: float) -> float:
    """Give the limit in spreads, from what the arbiter's own float32 needs."""
    return max(LEAST, HEADROOM * needed)


def ratios(found: Array, expected: Array, limit: Array) -> Array:
    """Give |found - expected| / limit; equal values, NaN with NaN among them, give 0, NaN with a number infinity."""
    if is_text(np.asarray(found)) or is_text(np.asarray(expected)):
        return np.where(np.asarray(found) == np.asarray(expected), 0.0, np.inf)
    have, want = np.asarray(found, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    with np.errstate(all="ignore"):
        absolute = np.abs(have - want)
        absolute = np.where((have == want) | (np.isnan(have) & np.isnan(want)), 0.0, absolute)
        ratio = np.where(absolute == 0.0, 0.0, absolute / limit)
    # A limit that is itself NaN, as overflow makes it, excuses nothing.
    worst: Array = np.where(np.isnan(ratio), np.inf, ratio)
    return worst
