"""Golden events: inputs that the gate was asked about, what is right for them, and how far from it a copy may be.

A consumer's own test feeds them to what it has loaded, and compares element by element.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from math import prod
from pathlib import Path

import numpy as np
from torchship.core.errors import DeliveryError
from torchship.gate.case import Case
from torchship.gate.cases import read_cases
from torchship.spec.arrays import Array
from torchship.spec.axes import BATCH
from torchship.spec.tensor import Tensors

# Enough that a wrong weight or a wrong order of features shows, few enough to read.
EVENTS = 64
# So many numbers a compiler takes in a second; of larger inputs there are fewer events.
NUMBERS = 50_000


@dataclass(frozen=True)
class Golden:
    """Events by tensor.

    Attributes:
        origins: of each event what drew it.
        inputs: by name, [events, ...], in the types of the inputs.
        exact, limit: by output, [events, ...]: the value in float64, and how far a correct float32 may be from it.
    """

    origins: tuple[str, ...]
    inputs: dict[str, Array]
    exact: dict[str, Array]
    limit: dict[str, Array]

    def __len__(self) -> int:
        return len(self.origins)


def read_golden(cases: Path, inputs: Tensors, count: int = EVENTS) -> Golden:
    """Return golden events out of the gate's cases.

    Args:
        inputs: the declared ones, whose axis 0 is the batch.
        count: how many at most.

    Raises:
        DeliveryError: there is none with finite numbers alone.
    """
    batches = [tensor.shape[0] for tensor in inputs.values()]
    fixed = next((size for size in batches if isinstance(size, int)), None)
    chosen = golden_places(read_cases(cases)[0], count - count % (fixed or 1), fixed)
    if not chosen:
        raise DeliveryError(f"{cases} has no event of finite numbers, none that could be a golden one")

    def together(part: str) -> dict[str, Array]:
        names = getattr(chosen[0][0], part)
        return {name: np.stack([getattr(case, part)[name][event] for case, event in chosen]) for name in names}

    origins = tuple(case.about["origin"] for case, _ in chosen)
    return Golden(origins, together("feed"), together("exact"), together("limit"))


def golden_places(cases: Sequence[Case], count: int, fixed: int | None = None) -> list[tuple[Case, int]]:
    """Return the events that are golden, as cases and places in them: one of each case in turn, none twice.

    Events of one shape alone count: that of the first case in which all numbers are finite, and no axis is empty.

    Args:
        cases: the gate's.
        count: how many at most.
        fixed: the batch, if it is fixed to a size.
    """
    sizes = [case.about["sizes"].get(BATCH, fixed) for case in cases]
    usable = [(case, finite_events(case, size)) for case, size in zip(cases, sizes, strict=True) if size]
    usable = [(case, events) for case, events in usable if len(events) and all(map(prod, event_shapes(case).values()))]
    if not usable:
        return []
    shapes = event_shapes(usable[0][0])
    largest = max(NUMBERS // sum(map(prod, shapes.values())), fixed or 1)
    count = min(count, largest - largest % (fixed or 1))
    usable = [(case, events) for case, events in usable if event_shapes(case) == shapes]
    generator = np.random.default_rng(0)
    shuffled = [[(case, int(event)) for event in generator.permutation(events)] for case, events in usable]
    found: dict[bytes, tuple[Case, int]] = {}
    for case, event in filter(None, chain.from_iterable(zip_longest(*shuffled))):
        found.setdefault(b"".join(array[event].tobytes() for array in case.feed.values()), (case, event))
        if len(found) == count:
            break
    places = list(found.values())
    return places[: len(places) - len(places) % (fixed or 1)]


def finite_events(case: Case, count: int) -> Array:
    """Return the places of those of a case's events whose numbers are all finite, and whose outputs have limits."""
    whole = np.ones(count, bool)
    for part in (case.feed, case.exact, case.limit):
        for array in part.values():
            if array.shape[:1] != (count,):
                return np.zeros(0, np.int64)
            if array.dtype.kind == "f":
                whole &= np.isfinite(array.reshape(count, -1)).all(1)
    return np.flatnonzero(whole)


def event_shapes(case: Case) -> dict[str, tuple[int, ...]]:
    """Return the shape of one event of each input and output."""
    return {name: array.shape[1:] for part in (case.feed, case.exact) for name, array in part.items()}
