"""How far a correct float32 implementation may be from float64, element by element."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from torchship.core.texts import is_text
from torchship.spec.arrays import Array

UNIT_FLOAT32 = 2.0**-24
SMALLEST_FLOAT32 = 2.0**-126

# The limit is at least this many spreads; of thousands of correct files none needed nine (docs/mutants.md), ...
LEAST = 12.0
# ... or this many times the spreads that torch's own float32 needs, on the same elements.
HEADROOM = 4.0
# And this many times the furthest that any disturbance moved it: where one in some hundred takes another decision, the
# mean of their squares is far below that. More would widen the limits of what is off by a normal distribution.
LEAST_OF_FURTHEST = 3.0
# Of integers, the limit itself.
LEAST_OF_INTEGERS = 2.0
# Where torch's float32 is further off, rounding is not all that it differs by, and nothing can be judged.
MOST_OF_TORCH = 64.0


@dataclass(frozen=True)
class Witnessed:
    """What the witnesses say of one output [batch, ...].

    Attributes:
        exact: in float64.
        single: in float32, by the same implementation.
        scale: standard deviation of `exact` under rounding, plus one unit roundoff of it: what one spread is; more
            where a few disturbances moved it much further than that.
        lost: the share of the disturbed evaluations that are not finite where `exact` is; the spread is that of the
            others.
    """

    exact: Array
    single: Array
    scale: Array
    lost: Array


@dataclass(frozen=True)
class Recorded:
    """A value that an arbiter computed on the way, and its witnesses.

    Attributes:
        name: of the operation, or of the value.
        module, line: where in the user's code it is asked for, '' where that is not known.
        sources: places in the record of the values that it was computed from.
        between: whether it is on the way from the inputs to the outputs.
        moved: whether it is numbers that were there before, in another order or shape.
    """

    name: str
    value: Witnessed
    module: str = ""
    line: str = ""
    sources: tuple[int, ...] = ()
    between: bool = True
    moved: bool = False


def witnessed(exact: Array, single: Array, samples: Iterable[Array]) -> Witnessed:
    """Put together what was computed; integer outputs must be equal, but where rounding makes others of them."""
    nothing = np.zeros(exact.shape)
    if not np.issubdtype(exact.dtype, np.floating):
        return Witnessed(exact, single, moved(exact, samples), nothing)
    # An output that is rounded to a shorter type in the end may round either way.
    kind, wide = np.finfo(single.dtype if single.dtype.kind == "f" else np.float32), exact.astype(np.float64)
    unit, smallest = max(UNIT_FLOAT32, float(kind.eps) / 2.0), max(SMALLEST_FLOAT32, float(kind.smallest_subnormal))
    squares, furthest, finite, count = np.zeros(exact.shape), np.zeros(exact.shape), np.zeros(exact.shape), 0
    with np.errstate(all="ignore"):
        for sample in samples:
            # About the undisturbed value, not the mean: a shift by rounding is part of the spread.
            deviation = sample - wide
            known = np.isfinite(deviation)
            deviation = np.where(known, deviation, 0.0)
            squares += deviation**2
            furthest = np.maximum(furthest, np.abs(deviation))
            finite += known
            count += 1
        spread = np.sqrt(squares / np.maximum(finite, 1))
        scale = np.maximum(spread + unit * np.abs(wide) + smallest, furthest * (LEAST_OF_FURTHEST / LEAST))
    # Where float64 itself is not finite a comparison is of kind alone, equal or not.
    there = np.isfinite(exact)
    return Witnessed(exact, single, np.where(there, scale, 0.0), np.where(there, 1.0 - finite / max(count, 1), 0.0))


def moved(exact: Array, samples: Iterable[Array]) -> Array:
    """Return how far rounding, or the order of equal numbers, moves integers: 0 where it does not."""
    furthest = np.zeros(exact.shape)
    if exact.dtype.kind in "iub":
        for sample in samples:
            if sample.shape == exact.shape:
                furthest = np.maximum(furthest, np.abs(sample.astype(np.float64) - exact.astype(np.float64)))
    return furthest


def factor(needed: float, *, integer: bool = False) -> float:
    """Return the limit of an output in spreads, from what the arbiter's own float32 needs."""
    return max(LEAST_OF_INTEGERS, needed) if integer else max(LEAST, HEADROOM * needed)


# Of the largest number: what another order of a sum in float64 may make of it.
SAME_SUM = 1e-11


def unchanged(one: Array, other: Array) -> bool:
    """Say whether two evaluations in float64 are the same, but for the order of sums, which follows memory's layout."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if one.dtype.kind not in "fc":
        return bool(np.array_equal(one, other))
    finite = np.abs(one[np.isfinite(one)])
    return np.allclose(one, other, rtol=0.0, atol=SAME_SUM * float(finite.max(initial=0.0)), equal_nan=True)


def ratios(found: Array, expected: Array, limit: Array) -> Array:
    """Return |found - expected| / limit; equal values, NaN with NaN among them, give 0, NaN with a number infinity."""
    if is_text(np.asarray(found)) or is_text(np.asarray(expected)):
        return np.where(np.asarray(found) == np.asarray(expected), 0.0, np.inf)
    same = np.asarray(found) == np.asarray(expected)
    have, want = np.asarray(found, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    with np.errstate(all="ignore"):
        absolute = np.abs(have - want)
        # Above 2**53 two integers may be one number in float64.
        absolute = np.where(absolute == 0.0, 1.0, absolute)
        absolute = np.where(same | (np.isnan(have) & np.isnan(want)), 0.0, absolute)
        ratio = np.where(absolute == 0.0, 0.0, absolute / limit)
    # A limit that is itself NaN, as overflow makes it, excuses nothing.
    worst: Array = np.where(np.isnan(ratio), np.inf, ratio)
    return worst
