"""How a long sum rounds: its error grows with the number of terms, whatever is summed.

Two ways, for two kinds of sums. Those of products, as in a layer, are taken for sums in a random order: their error has
an expectation that follows from the result and the terms alone. Those of numbers that are there, as in pooling, are
computed as the plainest implementation does, one number after the other in float32: where many are equal, as in an
empty part of an image, each addition rounds to the same side, and no random error is as large. (N. J. Higham, Accuracy
and Stability of Numerical Algorithms, 2nd edition, chapter 4, has the errors of both.)
"""

from collections.abc import Sequence
from math import hypot, prod, sqrt

import numpy as np
from torchship.spec.arrays import Array

# Shorter sums are left to the noise of their terms and their result.
LONG = 64
# Standard deviation of one rounding, in units roundoff of what is rounded: a unit in the last place over the root of
# 12, for numbers with the logarithmic distribution of mantissas.
ROUNDING = 0.4247
# Of a uniform number between -1 and 1, which is what an operation is disturbed by.
NOISE = 1.0 / sqrt(3.0)


def growth_of_result(terms: int) -> float:
    """Return what to multiply the noise of a sum's result by.

    The partial sums P_k of n terms with the sum S and the sum of squares Q, in a random order, have the expectation
    E[P_k²] = (k/n)² S² + (k/n) (1 - k/n) Q approximately; over all k that is n S² / 3 + n Q / 6. Each rounds by
    `ROUNDING` units. This is the first part.
    """
    return hypot(1.0, ROUNDING * sqrt(terms / 3.0) / NOISE)


def growth_of_terms(terms: int) -> float:
    """Return what to multiply the noise of both factors of all terms by: the second part of `growth_of_result`."""
    return hypot(1.0, ROUNDING * sqrt(terms / 6.0) / (NOISE * sqrt(2.0)))


# Sums side by side into which implementations part one, for instructions that add so many numbers at once.
LANES = 8


def running_sum(values: Array, axes: Sequence[int], seed: int) -> Array:
    """Return sums over some axes, which are kept, in float64; each addition is one of float32, in the order of memory.

    A random half of them is of one sum each, the other half of `LANES` sums side by side, since rounding that is of one
    sign in the one may cancel in the other.
    """
    axes = sorted(axis % values.ndim for axis in axes)
    shape = [1 if axis in axes else size for axis, size in enumerate(values.shape)]
    count = prod(values.shape[axis] for axis in axes)
    if axes != list(range(axes[0], axes[0] + len(axes))):
        # Side by side in memory, as they are mostly.
        others = [axis for axis in range(values.ndim) if axis not in axes]
        values, axes = values.transpose([*axes, *others]), list(range(len(axes)))
    outer = prod(values.shape[: axes[0]])
    with np.errstate(all="ignore"):
        terms = values.astype(np.float32, order="C").reshape(outer, count, -1)
        whole = count - count % LANES
        lanes = added(terms[:, :whole].reshape(outer, whole // LANES, -1)).reshape(outer, LANES, -1)
        lanes[:, : count - whole] += terms[:, whole:]
        plain = added(terms)
        several = np.random.default_rng(seed).random(plain.shape) < 0.5
        sums = np.where(several, added(lanes), plain)
    return sums.astype(np.float64).reshape(shape)


def added(terms: Array) -> Array:
    """Return the sums [a, c] of terms [a, b, c] over b, one added to the next."""
    # NumPy does so, but for what lies side by side: that it adds in pairs.
    return np.add.accumulate(terms, axis=1)[:, -1] if terms.shape[2] == 1 else np.add.reduce(terms, axis=1)


def running_sums(values: Array, axis: int) -> Array:
    """Return the sum up to each place of an axis, in float64; each addition is one of float32."""
    with np.errstate(all="ignore"):
        return np.add.accumulate(values.astype(np.float32), axis=axis).astype(np.float64)
