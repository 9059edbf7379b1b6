"""Golden events: inputs that the gate was asked about, what is right for them, and how far from it a copy may be.

A consumer's own test feeds them to what it has loaded, and compares element by element.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from math import prod
from pathlib import Path

import numpy as np
from torchship.core.errors import DeliveryError
from torchship.data.domain import independent
from torchship.gate.case import Case
from torchship.gate.cases import read_cases
from torchship.spec.arrays import Array
from torchship.spec.axes import EVERY, Axes, single_events
from torchship.spec.tensor import Tensors

# Enough that a wrong weight or a wrong order of features shows, few enough to read.
EVENTS = 64
# So many numbers a compiler takes in a second; of larger inputs there are fewer events.
NUMBERS = 50_000

# Events of a case that go in together: one, or all where they are not independent of one another.
Unit = tuple[Case, slice]


@dataclass(frozen=True)
class Golden:
    """Events by tensor.

    Attributes:
        calls: how many events go in together, one call after the other.
        origins: of each event what drew it.
        inputs: by name, [events, ...], in the types of the inputs.
        exact, limit: by output, [events, ...]: the value in float64, and how far a correct float32 may be from it.
    """

    calls: tuple[int, ...]
    origins: tuple[str, ...]
    inputs: Mapping[str, Array]
    exact: Mapping[str, Array]
    limit: Mapping[str, Array]

    def __len__(self) -> int:
        return len(self.origins)


def read_golden(cases: Path, inputs: Tensors, outputs: Tensors, axes: Axes = EVERY, count: int = EVENTS) -> Golden:
    """Return golden events out of the gate's cases.

    Args:
        cases: the gate's.
        inputs, outputs: the declared ones, whose axis 0 is the batch.
        axes: which sizes dynamic axes may have.
        count: how many events at most.

    Raises:
        DeliveryError: there is none with finite numbers alone.
    """
    separate = independent({**inputs, **outputs}) and single_events(axes)
    units = golden_units(read_cases(cases)[0], count, separate=separate)
    if not units:
        raise DeliveryError(f"{cases} has no event of finite numbers, none that could be a golden one")

    def together(parts: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
        pairs = [(part, chosen) for part, (_, chosen) in zip(parts, units, strict=True)]
        return {name: np.concatenate([part[name][chosen] for part, chosen in pairs]) for name in parts[0]}

    calls, drawn = tuple(chosen.stop - chosen.start for _, chosen in units), [case.about["origin"] for case, _ in units]
    return Golden(
        calls=calls,
        origins=tuple(name for name, events in zip(drawn, calls, strict=True) for _ in range(events)),
        inputs=together([case.feed for case, _ in units]),
        exact=together([case.exact for case, _ in units]),
        limit=together([case.limit for case, _ in units]),
    )


def golden_units(cases: Iterable[Case], count: int, *, separate: bool) -> list[Unit]:
    """Return the events that are golden: of each case in turn one, or where they are not independent the whole case.

    None is there twice. Events of one shape alone count: that of the first case without an empty axis.

    Args:
        cases: the gate's.
        count: how many events at most; one case at least is whole all the same.
        separate: whether events are independent of one another.
    """
    usable = [(case, finite_events(case)) for case in cases]
    usable = [(case, events) for case, events in usable if len(events) and all(map(prod, event_shapes(case).values()))]
    if not usable:
        return []
    shapes = event_shapes(usable[0][0])
    usable = [(case, events) for case, events in usable if event_shapes(case) == shapes]
    count = max(min(count, NUMBERS // sum(map(prod, shapes.values()))), 1)
    candidates = one_by_one(usable) if separate else whole(usable)
    found: dict[bytes, Unit] = {}
    taken = 0
    for case, chosen in candidates:
        size, key = chosen.stop - chosen.start, b"".join(array[chosen].tobytes() for array in case.feed.values())
        if found and taken + size > count:
            break
        if key not in found:
            found[key] = (case, chosen)
            taken += size
    return list(found.values())


def one_by_one(usable: Sequence[tuple[Case, Array]]) -> Iterator[Unit]:
    """Yield single events, of each case in turn one."""
    generator = np.random.default_rng(0)
    shuffled = [[(case, int(event)) for event in generator.permutation(events)] for case, events in usable]
    for case, event in filter(None, chain.from_iterable(zip_longest(*shuffled))):
        yield case, slice(event, event + 1)


def whole(usable: Sequence[tuple[Case, Array]]) -> Iterator[Unit]:
    """Yield whole cases, the smallest first, those of which all events can be used."""
    cases = (case for case, events in usable if len(events) == events_of(case))
    for case in sorted(cases, key=events_of):
        yield case, slice(0, events_of(case))


def events_of(case: Case) -> int:
    """Return the batch of a case: the size of axis 0 of all its inputs and outputs, 0 where that is not the same."""
    sizes = {array.shape[0] if array.ndim else 0 for part in (case.feed, case.exact) for array in part.values()}
    return sizes.pop() if len(sizes) == 1 else 0


def finite_events(case: Case) -> Array:
    """Return the places of those of a case's events whose numbers are all finite, and whose outputs have limits."""
    count = events_of(case)
    whole = np.ones(count, bool)
    for part in (case.feed, case.exact, case.limit) if count else ():
        for array in part.values():
            if array.dtype.kind == "f":
                whole &= np.isfinite(array.reshape(count, -1)).all(1)
    return np.flatnonzero(whole)


def event_shapes(case: Case) -> dict[str, tuple[int, ...]]:
    """Return the shape of one event of each input and output."""
    return {name: array.shape[1:] for part in (case.feed, case.exact) for name, array in part.items()}
