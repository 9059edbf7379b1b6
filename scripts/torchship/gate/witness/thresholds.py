"""Where a network compares: the constants that it compares with, and inputs between which a comparison flips.

A file that has `>=` where `>` is meant is right everywhere but on one number, where features that are counted do lie.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from torchship.data.padding import hidden, masks, pad
from torchship.spec.arrays import Array
from torchship.spec.tensor import Tensors

Feed = dict[str, Array]

# Pairs of events that are brought together, and halvings of what is between them. Beside a threshold of 0 there would
# be more to halve, down to numbers whose squares are 0.
PAIRS = 128
HALVINGS = 48
# Constants that are taken of each comparison: a table of bins has many, a tree of decisions thousands.
MOST_CONSTANTS = 64


@dataclass(frozen=True)
class Comparisons:
    """What a network compared in one evaluation.

    Attributes:
        answers: of each comparison, and of each rounding to an integer, what it gave, [batch, ...] or of any shape.
        constants: the numbers that were compared with, sorted.
    """

    answers: list[Array]
    constants: tuple[float, ...]


class Comparer(Protocol):
    """Says what a network compares: an arbiter."""

    def comparisons(self, feed: Mapping[str, Array], *, disturbed: int = 0) -> Comparisons:
        """Return what is compared on the way, in float64.

        Args:
            disturbed: evaluate with more rounding than there is, each time another, 0: with none.
        """


def some_of(constants: set[float]) -> tuple[float, ...]:
    """Return constants in order, evenly chosen if there are many."""
    ordered = sorted(number for number in constants if np.isfinite(number))
    return tuple(ordered[:: max(1, -(-len(ordered) // (4 * MOST_CONSTANTS)))])


def flips(comparer: Comparer, inputs: Tensors, events: Feed, generator: np.random.Generator) -> Feed | None:
    """Return events in pairs, as near to each other as float32 has them, between which a comparison flips.

    Pairs of events for which some comparison has different answers are halved again and again. In the first half of
    the pairs a single number differs, so that a comparison with it alone is met to the last place. Pairs whose
    comparisons flip under rounding are left out: there, two correct implementations may differ.

    Args:
        events: some of the domain, independent of one another.

    Returns:
        None where nothing is compared, or nothing flips.
    """
    low, high = pairs(inputs, events, generator)
    one, other = answers_of(comparer, low), answers_of(comparer, high)
    if one is None or other is None or one.shape != other.shape:
        return None
    differs = one != other
    kept = np.flatnonzero(differs.any(axis=1))[:PAIRS]
    if not len(kept):
        return None
    # Of each pair one comparison that flips, chosen at random.
    target = (differs[kept] * (1.0 + generator.random(differs[kept].shape))).argmax(axis=1)
    wanted, each = one[kept, target], np.arange(len(kept))
    low, high = ({name: array[kept] for name, array in feed.items()} for feed in (low, high))
    for _ in range(HALVINGS):
        middle = between(inputs, low, high)
        if all(((middle[name] == low[name]) | (middle[name] == high[name])).all() for name in low):
            break
        found = answers_of(comparer, middle)
        if found is None or found.shape[1] != one.shape[1]:
            return None
        below = found[each, target] == wanted
        low = {name: chosen(below, middle[name], low[name]) for name in low}
        high = {name: chosen(below, high[name], middle[name]) for name in high}
    both = {name: np.concatenate([low[name], high[name]]) for name in low}
    steady = unmoved(comparer, both)
    steady = np.tile(steady[: len(kept)] & steady[len(kept) :], 2)
    return {name: array[steady] for name, array in both.items()} if steady.any() else None


def pairs(inputs: Tensors, events: Feed, generator: np.random.Generator) -> tuple[Feed, Feed]:
    """Return events, and to each a partner: another event, or for every second the same with one number of another.

    Masks are those of a whole event, and padding is no number to take over.
    """
    count = len(next(iter(events.values())))
    order = generator.permutation(count)
    partner = {name: array[order] for name, array in events.items()}
    names = [name for name in inputs if events[name][0].size and name not in masks(inputs)]
    real = {
        name: np.where(hidden(inputs[name], partner, partner[name].ndim), events[name], partner[name]) for name in names
    }
    single = np.arange(0, count, 2)
    which = generator.integers(len(names), size=len(single))
    for name in inputs:
        partner[name][single] = events[name][single]
    for place, name in enumerate(names):
        flat, source = partner[name].reshape(count, -1), real[name].reshape(count, -1)
        entry = generator.integers(flat.shape[1], size=len(single))
        here = which == place
        flat[single[here], entry[here]] = source[single[here], entry[here]]
        partner[name] = flat.reshape(events[name].shape)
    return {name: array.copy() for name, array in events.items()}, pad(inputs, partner)


def between(inputs: Tensors, low: Feed, high: Feed) -> Feed:
    """Return what is in the middle of each pair and in the domain: what has no middle there is as in the first."""
    middle = {}
    for name, tensor in inputs.items():
        rank = low[name].ndim
        kept = hidden(tensor, low, rank) | hidden(tensor, high, rank) | (tensor.values is not None)
        middle[name] = np.where(kept, low[name], halfway(low[name], high[name]))
    return middle


def halfway(low: Array, high: Array) -> Array:
    """Return what is in the middle, in the same type; text and truth values have no middle."""
    if low.dtype.kind == "f":
        middle: Array = (low.astype(np.float64) / 2 + high.astype(np.float64) / 2).astype(low.dtype)
        return middle
    if low.dtype.kind in "iu":
        first = low.astype(np.int64)
        return (first + (high.astype(np.int64) - first) // 2).astype(low.dtype)
    return low


def chosen(where: Array, one: Array, other: Array) -> Array:
    """Return events of one or of the other array."""
    picked: Array = np.where(where.reshape(-1, *[1] * (one.ndim - 1)), one, other)
    return picked


def answers_of(comparer: Comparer, feed: Feed, *, disturbed: int = 0) -> Array | None:
    """Return what all comparisons gave, [batch, comparisons]; None where none is made for each event."""
    count = len(next(iter(feed.values())))
    found = [
        np.asarray(array, dtype=np.float64).reshape(count, -1)
        for array in comparer.comparisons(feed, disturbed=disturbed).answers
        if array.ndim and len(array) == count
    ]
    return np.concatenate(found, axis=1) if found else None


# Times that a pair is tried with rounding.
TRIES = 8


def unmoved(comparer: Comparer, feed: Feed) -> Array:
    """Say of each event whether no comparison flips under rounding."""
    plain = answers_of(comparer, feed)
    steady = np.ones(len(next(iter(feed.values()))), dtype=bool)
    for number in range(1, TRIES + 1):
        found = answers_of(comparer, feed, disturbed=number)
        if found is None or plain is None or found.shape != plain.shape:
            return np.zeros_like(steady)
        steady &= (found == plain).all(axis=1)
    return steady


def constants_of(tensors: Sequence[Array]) -> set[float]:
    """Return the numbers in arrays that something is compared with, evenly chosen where there are many."""
    found: set[float] = set()
    for array in tensors:
        values = np.unique(np.asarray(array, dtype=np.float64))
        found.update(values[:: max(1, -(-len(values) // MOST_CONSTANTS))].tolist())
    return found
