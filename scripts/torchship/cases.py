"""The cases that an exported file is run on, with what the witnesses say of each: the input of the gate.

A file of cases holds, for case `k` of the list in its header, `k/input/<name>`, and for each output `<name>` of it
`k/exact/<name>` in float64, `k/single/<name>` in float32, and `k/limit/<name>`, how far a correct file may be from
`exact`.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torchship.datasets import Arrays, read_about, read_arrays, write_arrays
from torchship.domain import BATCH, draw, dynamic_axes, edge_draws, fits, fixed_batch, independent, rows
from torchship.errors import DataError, ParityError
from torchship.limits import SAMPLES, Witnessed, factor, torch_needs, witness_in_parts

log = logging.getLogger(__name__)

Array = NDArray[Any]
Feed = Mapping[str, Array]

# The example that torch traces has these sizes, in the order of the dynamic axes: each its own prime, so that no two
# axes look alike, and none is 1, which the exporter would take for a constant.
TRACED = (3, 5, 7, 11, 13, 17, 19, 23)

# The other axes while one is varied.
USUAL = 5
# Inputs that are not made of independent events, such as graphs, are drawn that many times at their largest.
LARGE_DRAWS = 16
# Where no axis is dynamic, each call is as small as it can be.
FIXED_DRAWS = 64


@dataclass(frozen=True)
class Case:
    """Inputs, where they are from, and what a correct file gives for them.

    Attributes:
        about: `origin`, `sizes` of the dynamic axes, and of cases from the test set `first`, their first event.
        feed: the inputs by name.
        exact, single, limit: by output, [batch, ...] each: float64, the same module's float32, and the limit.
    """

    about: dict[str, Any]
    feed: dict[str, Array]
    exact: dict[str, Array]
    single: dict[str, Array]
    limit: dict[str, Array]

    @property
    def place(self) -> str:
        """Say which case it is, for a message."""
        sizes = ", ".join(f"{axis} {size}" for axis, size in self.about["sizes"].items())
        return f"{self.about['origin']}, {sizes}"


def traced_sizes(inputs: Mapping[str, Any]) -> dict[str, int]:
    """Give the size of each dynamic axis in the example that is traced."""
    return dict(zip(dynamic_axes(inputs), TRACED, strict=False))


def shape_matrix(inputs: Mapping[str, Any], validate: Mapping[str, Any], beyond: int) -> list[dict[str, int]]:
    """Give the sizes to try: each dynamic axis at each of its sizes, the others as usual; and all at 0, 1 and 2.

    The traced size and 0 are among them, and a batch beyond `beyond`, the largest that training has seen.
    """
    traced = traced_sizes(inputs)
    base = {axis: validate["batch_sizes"][-1] if axis == BATCH and len(traced) == 1 else USUAL for axis in traced}
    found = []
    for axis in traced:
        wanted = {*validate["batch_sizes"], beyond + 1} if axis == BATCH else set(validate["axis_sizes"])
        empty = set() if axis in validate["never_empty"] else {0}
        found += [{**base, axis: size} for size in sorted(empty | {traced[axis], *wanted})]
    found += [
        dict.fromkeys(traced, size) for size in ((1, 2) if set(traced) & set(validate["never_empty"]) else (0, 1, 2))
    ]
    unique = {tuple(sizes.items()): sizes for sizes in found if fits(inputs, sizes)}
    return list(unique.values())


def make_inputs(
    inputs: Mapping[str, Any], events: Arrays | None, validate: Mapping[str, Any], *, beyond: int, seed: int
) -> Iterator[tuple[dict[str, Any], dict[str, Array]]]:
    """Give the inputs of all cases, in order.

    These are all events of the test set, in batches of the largest size; for each shape of the matrix the first events
    of the test set, repeated where it is shorter, and uniform draws; and at the usual shape the corners of the domain
    and the ends of each discrete input. Inputs that are not made of independent events are drawn at their largest, too.

    Yields:
        what a `Case` has as `about`, and the inputs by name.
    """
    generator = np.random.default_rng(seed)
    largest = max(validate["batch_sizes"])
    shapes = shape_matrix(inputs, validate, beyond)
    ways = edge_draws(inputs)
    if events is not None:
        yield from from_events(inputs, events, shapes, largest)
    for sizes in shapes:
        yield {"origin": ways[0][0], "sizes": sizes}, draw(inputs, ways[0][1], sizes, generator)
    if not independent(inputs):
        axes = dynamic_axes(inputs)
        sizes = {axis: max(validate["batch_sizes" if axis == BATCH else "axis_sizes"]) for axis in axes}
        for _ in range(LARGE_DRAWS if axes else FIXED_DRAWS):
            yield {"origin": f"{ways[0][0]}, large", "sizes": sizes}, draw(inputs, ways[0][1], sizes, generator)
    usual = {axis: 64 if axis == BATCH else USUAL for axis in dynamic_axes(inputs)}
    for origin, way in ways[1:]:
        for _ in range(1 if usual else LARGE_DRAWS):
            yield {"origin": origin, "sizes": usual}, draw(inputs, way, usual, generator)


def from_events(
    inputs: Mapping[str, Any], events: Arrays, shapes: Sequence[Mapping[str, int]], largest: int
) -> Iterator[tuple[dict[str, Any], dict[str, Array]]]:
    """Yield the inputs of the cases that are made of given events, see `make_inputs`."""
    fixed, sizes = fixed_batch(inputs), sizes_of(inputs, events)
    count = len(next(iter(events.values()))) if independent(inputs) or fixed is not None else 0
    if fixed is not None:
        # A caller calls with that batch, again and again.
        for first in range(0, count, fixed):
            yield {"origin": "reference", "sizes": {}, "first": first}, rows(events, slice(first, first + fixed))
        return
    if not independent(inputs):
        yield {"origin": "reference", "sizes": sizes, "first": 0}, dict(events)
        return
    for first in range(0, count, largest):
        feed = {name: events[name][first : first + largest] for name in inputs}
        size = len(next(iter(feed.values())))
        yield {"origin": "test set", "sizes": {**sizes, BATCH: size}, "first": first}, feed
    for batch in sorted({shape[BATCH] for shape in shapes} - {0, count}):
        feed = rows({name: events[name] for name in inputs}, np.arange(batch) % count)
        origin = "test set, repeated" if batch > count else "test set, its first events"
        yield {"origin": origin, "sizes": {**sizes, BATCH: batch}}, feed


def sizes_of(inputs: Mapping[str, Any], feed: Feed) -> dict[str, int]:
    """Give the sizes that the dynamic axes of some inputs have."""
    return {axis: feed[name].shape[place] for name, tensor in inputs.items()
            for place, axis in enumerate(tensor["shape"]) if isinstance(axis, str)}  # fmt: skip


class Witnesses:
    """All who say what a correct file gives: an arbiter of the whole network, and functions of single outputs.

    Args:
        arbiter: has `witness(feed, samples)`, see `roundoff`.
        bound: gives for the inputs a rigorous bound by output, where the layers are covered; else None.
        handcoded: gives for the inputs what the hand-coded function gives, and how far that may be from float64.
    """

    def __init__(
        self, arbiter: Any, bound: Callable[[Feed], dict[str, Array]] | None = None,
        handcoded: Callable[[Feed], dict[str, tuple[Array, Array]]] | None = None,
    ) -> None:  # fmt: skip
        self.arbiter, self.bound, self.handcoded = arbiter, bound, handcoded

    def limits(self, feed: Feed, output: Mapping[str, Witnessed], factor: float) -> dict[str, Array]:
        """Give by output how far a correct file may be from float64: the tighter of the two."""
        found = {name: factor * value.scale for name, value in output.items()}
        # An infinite input makes the bound NaN, and says nothing then.
        bounds = self.bound(feed) if self.bound is not None else {}
        return {name: np.fmin(limit, bounds[name]) if name in bounds else limit for name, limit in found.items()}

    def judge(self, feed: Feed, factor: float, samples: int = SAMPLES) -> tuple[dict[str, Array], dict[str, Array]]:
        """Give float64's outputs and their limits, for inputs that are in no case."""
        output = witness_in_parts(self.arbiter, feed, samples)
        return {name: value.exact for name, value in output.items()}, self.limits(feed, output, factor)


def witness_cases(
    witnesses: Witnesses, made: Iterable[tuple[dict[str, Any], dict[str, Array]]]
) -> tuple[list[Case], dict[str, Any]]:
    """Ask the witnesses for all cases.

    Returns:
        the cases, and about them all: `needed`, what torch's own float32 needs of the limit in spreads, the `factor` of
        the limits, and `not_taken`, the empty shapes that the network itself does not take, with its reason.

    Raises:
        ParityError: the network does not take a shape that is declared, or its float32 is not within rounding of its
            float64.
    """
    asked, not_taken = [], []
    for about, feed in made:
        try:
            output = witness_in_parts(witnesses.arbiter, feed)
        except ParityError as error:
            if 0 not in about["sizes"].values():
                raise
            not_taken.append({"sizes": about["sizes"], "reason": str(error)})
            continue
        asked.append((about, feed, output))
    needed = torch_needs(output for _, _, output in asked)
    used = factor(needed)
    cases = [
        Case(
            about,
            feed,
            exact={name: value.exact for name, value in output.items()},
            single={name: value.single for name, value in output.items()},
            limit=witnesses.limits(feed, output, used),
        )
        for about, feed, output in asked
    ]
    return cases, {"needed": needed, "factor": used, "not_taken": not_taken}


def write_cases(path: Path, cases: Sequence[Case], about: Mapping[str, Any]) -> None:
    """Write cases, with facts about them all."""
    arrays: Arrays = {}
    for number, case in enumerate(cases):
        parts = {"input": case.feed, "exact": case.exact, "single": case.single, "limit": case.limit}
        arrays |= {f"{number}/{part}/{name}": array for part, named in parts.items() for name, array in named.items()}
    write_arrays(path, arrays, {**about, "cases": [case.about for case in cases]})


def read_cases(path: Path) -> tuple[list[Case], dict[str, Any]]:
    """Read cases, and the facts about them all.

    Raises:
        DataError: the file is damaged.
    """
    about, arrays = read_about(path), read_arrays(path)
    parts: list[dict[str, dict[str, Array]]] = [
        {part: {} for part in ("input", "exact", "single", "limit")} for _ in about["cases"]
    ]
    for key, array in arrays.items():
        number, part, name = key.split("/", 2)
        parts[int(number)][part][name] = array
    cases = [
        Case(described, part["input"], part["exact"], part["single"], part["limit"])
        for described, part in zip(about["cases"], parts, strict=True)
    ]
    return cases, about


def write_inputs(path: Path, cases: Sequence[Case]) -> None:
    """Keep the inputs of some cases for the next run."""
    arrays = {f"{number}/{name}": array for number, case in enumerate(cases) for name, array in case.feed.items()}
    write_arrays(path, arrays, {"cases": [case.about for case in cases]})


def read_inputs(path: Path, witnesses: Witnesses, factor: float, inputs: Mapping[str, Any]) -> list[Case]:
    """Read inputs that an earlier run kept, and ask the witnesses of today; what no longer fits is left out."""
    if not path.exists():
        return []
    try:
        about, arrays = read_about(path), read_arrays(path)
    except DataError as error:
        log.warning("the worst inputs of the last run are not replayed: %s", error)
        return []
    cases = []
    for number, described in enumerate(about["cases"]):
        feed = {name: arrays[f"{number}/{name}"] for name in inputs if f"{number}/{name}" in arrays}
        try:
            if len(feed) == len(inputs):
                exact, limit = witnesses.judge(feed, factor)
                cases.append(Case({**described, "origin": "worst of an earlier run"}, feed, exact, {}, limit))
        except ParityError as error:
            log.warning("an input of the last run no longer fits: %s", error)
    return cases
