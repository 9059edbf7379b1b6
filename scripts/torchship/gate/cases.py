"""The cases that an exported file is run on, with what the witnesses say of each: the input of the gate.

A file of cases holds, for case `k` of the list in its header, `k/input/<name>`, and for each output `<name>` of it
`k/exact/<name>` in float64, `k/single/<name>` in float32, and `k/limit/<name>`, how far a correct file may be from
`exact`.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from torchship.core.errors import DataError, ParityError, WitnessError
from torchship.data.checks import check_domain, check_sizes, check_types
from torchship.data.datasets import Arrays, read_about, read_arrays, write_arrays
from torchship.gate.about import About
from torchship.gate.case import Case
from torchship.gate.documents import Facts, NotTaken
from torchship.gate.witness.arbiter import SAMPLES, Arbiter, witness_in_parts
from torchship.gate.witness.checks import require_finite, require_narrow, require_numbers, require_rounding
from torchship.gate.witness.limits import Witnessed, factor
from torchship.spec.arrays import Array, Feed
from torchship.spec.axes import ANY_SIZE, BATCH, EVERY, Axes
from torchship.spec.tensor import Tensors

log = logging.getLogger(__name__)


class Witnesses:
    """All who say what a correct file gives: an arbiter of the whole network, and functions of single outputs.

    Args:
        arbiter: of the whole network.
        bound: gives for the inputs a rigorous bound by output, where the layers are covered; else None.
        handcoded: gives for the inputs what the hand-coded function gives, and how far that may be from float64.
    """

    def __init__(
        self,
        arbiter: Arbiter,
        bound: Callable[[Feed], dict[str, Array]] | None = None,
        handcoded: Callable[[Feed], dict[str, tuple[Array, Array]]] | None = None,
    ) -> None:
        self.arbiter, self.bound, self.handcoded = arbiter, bound, handcoded

    def limits(self, feed: Feed, output: Mapping[str, Witnessed], factors: Mapping[str, float]) -> dict[str, Array]:
        """Return by output how far a correct file may be from float64: the tighter of the two."""
        found = {name: factors[name] * value.scale for name, value in output.items()}
        # An infinite input makes the bound NaN, and says nothing then.
        bounds = self.bound(feed) if self.bound is not None else {}
        return {name: np.fmin(limit, bounds[name]) if name in bounds else limit for name, limit in found.items()}

    def judge(
        self, feed: Feed, factors: Mapping[str, float], samples: int = SAMPLES
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Return float64's outputs and their limits, for inputs that are in no case."""
        output = witness_in_parts(self.arbiter, feed, samples)
        return {name: value.exact for name, value in output.items()}, self.limits(feed, output, factors)


def witness_cases(
    witnesses: Witnesses, made: Iterable[tuple[About, dict[str, Array]]], widest: float = np.inf
) -> tuple[list[Case], Facts]:
    """Ask the witnesses for all cases.

    Args:
        widest: limits above that, in units of an output's range, tell nothing.

    Returns:
        the cases, and about them all, by output: `needed`, what torch's own float32 needs of the limit in spreads,
        `factors` of the limits, `widths`, see `widths.Width`, `not_finite`, where rounding makes NaN of numbers, and
        `not_taken`, the empty shapes that the network itself does not take, with its reason.

    Raises:
        WitnessError: the witnesses do not agree, or their limits tell nothing; with the evidence.
        ParityError: the network does not take a shape that is declared.
    """
    asked = []
    not_taken: list[NotTaken] = []
    for number, (about, feed) in enumerate(made):
        numbered: About = {"number": number, **about}
        try:
            output = witness_in_parts(witnesses.arbiter, feed)
        except WitnessError:
            raise
        except ParityError as error:
            if 0 not in about["sizes"].values():
                raise
            not_taken.append({"sizes": about["sizes"], "reason": str(error)})
            continue
        asked.append((numbered, feed, output))
    facts: Facts = {"not_taken": not_taken}
    facts["not_finite"] = require_finite(witnesses.arbiter, asked)
    facts["needed"] = require_rounding(witnesses.arbiter, asked)
    kinds = {name: value.exact.dtype.kind for _, _, output in asked for name, value in output.items()}
    facts["factors"] = {name: factor(needed, integer=kinds[name] != "f") for name, needed in facts["needed"].items()}
    cases = [
        Case(
            about,
            feed,
            exact={name: value.exact for name, value in output.items()},
            single={name: value.single for name, value in output.items()},
            limit=witnesses.limits(feed, output, facts["factors"]),
        )
        for about, feed, output in asked
    ]
    require_numbers(witnesses.arbiter, cases)
    facts["widths"] = {
        name: width.document() for name, width in require_narrow(witnesses.arbiter, cases, widest).items()
    }
    return cases, facts


def write_cases(path: Path, cases: Sequence[Case], about: Facts) -> None:
    """Write cases, with facts about them all."""
    arrays: Arrays = {}
    for number, case in enumerate(cases):
        parts = {"input": case.feed, "exact": case.exact, "single": case.single, "limit": case.limit}
        arrays |= {f"{number}/{part}/{name}": array for part, named in parts.items() for name, array in named.items()}
    write_arrays(path, arrays, {**about, "cases": [case.about for case in cases]})


def read_cases(path: Path) -> tuple[list[Case], Facts]:
    """Read cases, and the facts about them all.

    Raises:
        DataError: the file is damaged.
    """
    facts, arrays = read_about(path), read_arrays(path)
    about = facts.pop("cases")
    parts: list[dict[str, dict[str, Array]]] = [
        {part: {} for part in ("input", "exact", "single", "limit")} for _ in about
    ]
    for key, array in arrays.items():
        number, part, name = key.split("/", 2)
        parts[int(number)][part][name] = array
    cases = [
        Case(described, part["input"], part["exact"], part["single"], part["limit"])
        for described, part in zip(about, parts, strict=True)
    ]
    return cases, facts


def write_inputs(path: Path, cases: Sequence[Case]) -> None:
    """Keep the inputs of some cases for the next run."""
    arrays = {f"{number}/{name}": array for number, case in enumerate(cases) for name, array in case.feed.items()}
    write_arrays(path, arrays, {"cases": [case.about for case in cases]})


def read_inputs(
    path: Path, witnesses: Witnesses, factors: Mapping[str, float], inputs: Tensors, axes: Axes = EVERY
) -> list[Case]:
    """Read inputs that an earlier run kept, and ask the witnesses of today.

    What today's declaration leaves out is not replayed: who narrows a domain since the file fails beyond it may do so.
    """
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
                require_declared(feed, inputs, axes)
                exact, limit = witnesses.judge(feed, factors)
                cases.append(
                    Case({"origin": "worst of an earlier run", "sizes": described["sizes"]}, feed, exact, {}, limit)
                )
        except (DataError, ParityError) as error:
            log.warning("an input of the last run no longer fits, and is not replayed: %s", error)
    return cases


def require_declared(feed: Feed, inputs: Tensors, axes: Axes) -> None:
    """Check inputs that were kept against the declaration: types, sizes, domain and padding.

    Raises:
        DataError: what is not as it is declared.
    """
    place = "what a search has found"
    check_types(feed, inputs, place)
    batch, allowed = check_sizes(feed, inputs, place, axes).get(BATCH), axes.get(BATCH, ANY_SIZE)
    if batch is not None and not allowed.allows(batch):
        raise DataError(f"{place}: a batch of {batch}; `axes` says least {allowed.least}, multiple {allowed.multiple}")
    check_domain(feed, inputs, place)
