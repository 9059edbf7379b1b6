"""The comparison of an exported file with the witnesses: case by case, and what its shapes allow."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from torchship.core.errors import ParityError
from torchship.data.domain import element_type
from torchship.gate.case import Case
from torchship.gate.cases import Witnesses
from torchship.gate.compare import Difference, compare, explain
from torchship.gate.documents import CaseEntry, FailureDocument, Worst
from torchship.gate.session import ExportedFile, Result
from torchship.gate.witness.arbiter import CLOSE_SAMPLES, SAMPLES
from torchship.gate.witness.given_reference import GivenReference
from torchship.gate.witness.limits import ratios
from torchship.runtimes.protocol import Signature
from torchship.spec.arrays import Array, Feed
from torchship.spec.axes import BATCH
from torchship.spec.tensor import Tensor, Tensors

# ONNX Runtime's names of the element types that a model may declare.
TYPES = {
    **{name: f"tensor({name})" for name in ("float16", "int64", "int32", "uint8", "bool")},
    "float32": "tensor(float)",
    "float64": "tensor(double)",
    "object": "tensor(string)",
}

log = logging.getLogger(__name__)

# How many events of a case may be looked at again: at CLOSE_SAMPLES as much work as a case of 256 events.
MOST_AGAIN = 16


@dataclass(frozen=True)
class Failure:
    """One thing that is wrong: which check found it, where, and what it is, with the numbers.

    `ratio` orders failures of one check: how far beyond the limit, infinite where no number says it.
    """

    check: str
    place: str
    message: str
    ratio: float = float("inf")

    def document(self) -> FailureDocument:
        """Return what the evidence holds of it."""
        return {"check": self.check, "place": self.place, "message": self.message}

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


@dataclass(frozen=True)
class Judge:
    """Says how far what a runtime gives is from float64, in units of what a correct file may be off by.

    Attributes:
        witnesses: who say what is right for any inputs.
        factors: of the limits by output, see `limits.factor`.
        outputs: the declared ones by name.
        tolerance: how many limits pass, as the configuration says it.
        again: the limits of events that were looked at again, by output, for the bytes of their inputs.
    """

    witnesses: Witnesses
    factors: Mapping[str, float]
    outputs: Tensors
    tolerance: float = 1.0
    again: dict[tuple[bytes, ...], dict[str, Array]] = field(default_factory=dict, compare=False)

    def expected(self, feed: Feed, samples: int = SAMPLES) -> tuple[dict[str, Array], dict[str, Array]]:
        """Return float64's outputs and their limits, for inputs that are in no case."""
        return self.witnesses.judge(feed, self.factors, samples)

    def case(self, case: Case, found: Result, check: str = "parity") -> tuple[dict[str, Difference], list[Failure]]:
        """Compare what a runtime gave for a case with float64; return the differences by output, and what failed."""
        if isinstance(found, str):
            return {}, [Failure("refused", case.place, found)]
        differences, failures = {}, []
        for name, tensor in self.outputs.items():
            try:
                difference = compare_output(name, tensor, found, case)
            except UnlikeError as unlike:
                failures.append(Failure(unlike.check, f"{case.place}, output {name!r}", str(unlike)))
                continue
            if difference is None:
                continue
            differences[name] = difference
            if not difference.ratio <= self.tolerance:
                message = explain(difference, self.tolerance, name)
                failures.append(Failure(check, case.place, message, difference.ratio))
        return differences, failures

    def look_again(self, case: Case, found: Result, *, separate: bool) -> Case:
        """Return a case with the limits of the few events that fail from many more disturbances.

        A decision that rounding takes otherwise once in fifty times, as the order of equal distances, is in none of 32
        disturbances of half of such events; no correct file is to fail by that. What rounding never does stays as
        narrow as it was.

        Args:
            separate: whether events are independent of one another, so that some can be looked at alone.
        """
        events = np.flatnonzero(self._failing(case, found))
        few = 0 < len(events) <= MOST_AGAIN
        if not separate or not few or isinstance(self.witnesses.arbiter, GivenReference):
            return case
        feed = {name: array[events] for name, array in case.feed.items()}
        # The same events mostly fail at other settings and in other versions, too.
        key = tuple(array.tobytes() for array in feed.values())
        if key not in self.again:
            log.info("%s: %d events are looked at again, in %d disturbances", case.place, len(events), CLOSE_SAMPLES)
            _, self.again[key] = self.expected(feed, CLOSE_SAMPLES)
        limit = {name: array.copy() for name, array in case.limit.items()}
        for name, array in self.again[key].items():
            limit[name][events] = np.fmax(limit[name][events], array)
        return replace(case, limit=limit)

    def settled(self, cases: Sequence[Case], results: Sequence[Result], *, separate: bool) -> list[Case]:
        """Return cases with the limits that hold for what a runtime gave, see `look_again`.

        Where many events of a case fail the file is wrong whatever a few of the others are, and none is looked at.
        """
        if any(self._failing(case, found).sum() > MOST_AGAIN for case, found in zip(cases, results, strict=True)):
            return list(cases)
        return [self.look_again(case, found, separate=separate) for case, found in zip(cases, results, strict=True)]

    def _failing(self, case: Case, found: Result) -> NDArray[np.bool_]:
        """Return which events of a case are beyond the limit in any output; none where they cannot be compared."""
        if isinstance(found, str):
            return np.zeros(1, dtype=bool)
        failing = np.zeros(case.about["sizes"].get(BATCH, 1), dtype=bool)
        # What has no batch, as a scalar, is no event's own.
        if any(array.shape[:1] != failing.shape for array in (*case.feed.values(), *case.exact.values())):
            return np.zeros(1, dtype=bool)
        for name, exact in case.exact.items():
            have = found.get(name)
            if have is None or have.shape != exact.shape:
                return np.zeros(1, dtype=bool)
            beyond = ratios(have, exact, case.limit[name]) > self.tolerance
            failing |= beyond.any(axis=tuple(range(1, beyond.ndim)))
        return failing

    def cases(self, cases: Sequence[Case], results: Sequence[Result]) -> "Judged":
        """Judge what a runtime gave for all cases."""
        judged = Judged()
        for case, found in zip(cases, results, strict=True):
            differences, failures = self.case(case, found)
            judged.failures += failures
            refused = found if isinstance(found, str) else None
            documents = {name: difference.document() for name, difference in differences.items()}
            judged.entries.append({**case.about, "outputs": documents, "refused": refused})
            for name, difference in differences.items():
                if judged.worst is None or difference.ratio > judged.worst_ratio:
                    judged.worst = {**case.about, "output": name, **difference.document()}
                    judged.worst_ratio = difference.ratio
        return judged


@dataclass
class Judged:
    """What was found of all cases.

    Attributes:
        entries: one for each case, as validation.json has it.
        failures: all of them.
        worst: the largest difference in units of the limit, and where it is; None where nothing was compared.
    """

    entries: list[CaseEntry] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    worst: Worst | None = None
    worst_ratio: float = 0.0


class UnlikeError(Exception):
    """An output cannot be compared, since it is not there, or of another type or shape; `check` says which."""

    def __init__(self, check: str, message: str) -> None:
        super().__init__(message)
        self.check = check


def compare_output(name: str, tensor: Tensor, found: Mapping[str, Array], case: Case) -> Difference | None:
    """Compare one output with float64; None where it is rightly empty.

    Raises:
        UnlikeError: it is not there, or of another type or shape.
    """
    if name not in found:
        raise UnlikeError("signature", f"is not there, only {', '.join(found)}")
    if found[name].dtype != element_type(tensor):
        raise UnlikeError("type", f"is {found[name].dtype}, declared {element_type(tensor)}")
    # The witnesses may give the same shape, and both be other than declared: whoever reads it relies on that.
    if not as_declared(found[name], tensor, case.about["sizes"]):
        raise UnlikeError("shape", f"has shape {list(found[name].shape)}, declared {tensor.spelled}")
    if case.exact[name].size == 0 and found[name].shape == case.exact[name].shape:
        return None
    try:
        return compare(found[name], case.exact[name], case.limit[name])
    except ParityError as error:
        raise UnlikeError("shape", str(error)) from error


def as_declared(array: Array, tensor: Tensor, sizes: Mapping[str, int]) -> bool:
    """Tell whether an output has its declared axes, each of its size; those that no input has may be of any."""
    wanted = [sizes.get(axis) if isinstance(axis, str) else axis for axis in tensor.shape]
    return array.ndim == len(wanted) and all(
        want is None or have == want for have, want in zip(array.shape, wanted, strict=True)
    )


def check_signature(signature: Signature, file: ExportedFile) -> list[Failure]:
    """Compare what a runtime says of inputs and outputs with the declaration: names in order, types, axes."""
    failures = []
    both = {"inputs": (signature["inputs"], file.inputs), "outputs": (signature["outputs"], file.outputs)}
    for kind, (values, declared) in both.items():
        names = [name for name, _, _ in values]
        if names != list(declared):
            failures.append(
                Failure("signature", "", f"the file's {kind} are in order {names}, declared are {list(declared)}")
            )
            continue
        for name, found, shape in values:
            wanted, place = list(declared[name].shape), f"{kind[:-1]} {name!r}"
            expected = TYPES[str(element_type(declared[name]))]
            if found != expected:
                failures.append(Failure("signature", place, f"is {found}, declared {expected}"))
            if len(shape) != len(wanted):
                failures.append(Failure("signature", place, f"has shape {shape}, declared {wanted}"))
                continue
            for index, (have, want) in enumerate(zip(shape, wanted, strict=True)):
                if isinstance(want, str) and isinstance(have, int):
                    message = f"axis {want!r} (axis {index}) is frozen at {have}: shape {shape}, declared {wanted}"
                    failures.append(Failure("signature", place, message))
                elif isinstance(want, int) and isinstance(have, int) and have != want:
                    message = f"axis {index} is {have}, declared {want}: shape {shape}, declared {wanted}"
                    failures.append(Failure("signature", place, message))
    return failures


def shape_failures(entries: Sequence[CaseEntry]) -> list[Failure]:
    """Name the axes that a file does not take at every size, from the cases that were refused."""
    failures = []
    for axis in dict.fromkeys(axis for entry in entries for axis in entry["sizes"]):
        ran = {entry["sizes"][axis] for entry in entries if entry["refused"] is None and axis in entry["sizes"]}
        refused = {entry["sizes"][axis] for entry in entries if axis in entry["sizes"]} - ran
        if ran and refused:
            state = f"is frozen at {min(ran)}" if len(ran) == 1 else f"takes only {sorted(ran)}"
            hint = "; if it is never empty, say so in validate/never_empty" if refused == {0} else ""
            failures.append(Failure("axis", "", f"axis {axis!r} {state}: sizes {sorted(refused)} were refused{hint}"))
    return failures
