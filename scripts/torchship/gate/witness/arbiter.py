"""What an arbiter is: who says of a whole network what it computes in float64, and how far rounding moves that."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Protocol

import numpy as np
from torchship.core.texts import is_text
from torchship.gate.witness.limits import Recorded, Witnessed
from torchship.gate.witness.thresholds import Comparer
from torchship.spec.arrays import Array, Feed

# Disturbed evaluations from which a spread is estimated. With 32, an estimate is below half of the true spread once in
# a hundred thousand elements.
SAMPLES = 32
# And where few events are looked at closely: those that fail, those that a search found.
CLOSE_SAMPLES = 512
# Events of a batch that are witnessed at once, and how far the whole batch in float64 may be from its parts.
PART = 8192
SAME = 1e-9


class Arbiter(Comparer, Protocol):
    """The eager torch module, an ONNX file as the reference evaluator reads it, or a reference in their place."""

    @property
    def kind(self) -> str:
        """Say what it is, as the verdict does."""

    def evaluate(self, feed: Feed) -> dict[str, Array]:
        """Return the outputs by name in float64.

        Raises:
            ParityError: it does not take these inputs.
        """

    def witness(self, feed: Feed, samples: int = SAMPLES) -> dict[str, Witnessed]:
        """Return for each output its value in float64 and float32, and the spread that rounding gives it.

        Raises:
            ParityError: it does not take these inputs.
            UnjudgedError: it does not know what is right for them.
        """

    def record(self, feed: Feed, samples: int = SAMPLES) -> list[Recorded]:
        """Return every value that is computed on the way in float64, with the spread that rounding gives it."""


def witness_in_parts(arbiter: Arbiter, feed: Feed, samples: int = SAMPLES) -> dict[str, Witnessed]:
    """Ask an arbiter for a large batch part by part, which takes less memory and time.

    Only where events are independent of one another, which the whole batch in float64 shows; where an output is none of
    events, as a scalar, it is asked at once.
    """
    lengths = {len(array) if array.ndim else 0 for array in feed.values()}
    count = max(lengths)
    if len(lengths) == 1 and count > PART:
        together = arbiter.evaluate(feed)
        if all(array.shape[:1] == (count,) for array in together.values()):
            parts = [
                arbiter.witness({name: array[first : first + PART] for name, array in feed.items()}, samples)
                for first in range(0, count, PART)
            ]
            # A part of one event may lose its axis, where a network squeezes.
            whole = {
                name: joined([part[name] for part in parts])
                for name in together
                if all(part[name].exact.ndim for part in parts)
            }
            if all(name in whole and same(whole[name].exact, array) for name, array in together.items()):
                return whole
    found: dict[str, Witnessed] = arbiter.witness(feed, samples)
    return found


def same(one: Array, other: Array) -> bool:
    """Tell whether two evaluations in float64 are the same but for the order of sums, or the same text."""
    if one.shape != other.shape or is_text(other):
        return np.array_equal(one, other)
    return np.allclose(one, other, rtol=SAME, atol=SAME, equal_nan=True)


def joined(parts: Sequence[Witnessed]) -> Witnessed:
    """Put the parts of a batch together."""
    return Witnessed(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Witnessed)))
