"""The comparison of an exported file with the witnesses: case by case, and what its shapes allow."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from torchship.core.errors import ParityError
from torchship.data.domain import element_type, independent
from torchship.gate.cases import Case
from torchship.gate.compare import Difference, compare, explain
from torchship.runtimes.frames import RefusedError
from torchship.spec.arrays import Array
from torchship.spec.axes import BATCH, EVERY, Axes, single_events
from torchship.spec.tensor import Tensors

# ONNX Runtime's names of the element types that a model may declare.
TYPES = {
    **{name: f"tensor({name})" for name in ("float16", "int64", "int32", "uint8", "bool")},
    "float32": "tensor(float)",
    "float64": "tensor(double)",
    "object": "tensor(string)",
}


@dataclass(frozen=True)
class Failure:
    """One thing that is wrong: which check found it, where, and what it is, with the numbers.

    `ratio` orders failures of one check: how far beyond the limit, infinite where no number says it.
    """

    check: str
    place: str
    message: str
    ratio: float = float("inf")

    def document(self) -> dict[str, Any]:
        """Return what the evidence holds of it."""
        return {key: value for key, value in asdict(self).items() if key != "ratio"}

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


@dataclass(frozen=True)
class Model:
    """A file as bytes, its declared signature, and the runtime that it is judged in.

    Attributes:
        runtime: a `runtimes.LocalRuntime` or an `interpreters.Runtime`.
        inputs, outputs: the declared tensors by name.
        axes: which sizes the dynamic axes may have.
    """

    content: bytes
    runtime: Any
    inputs: Tensors
    outputs: Tensors
    axes: Axes = field(default_factory=lambda: EVERY)

    @property
    def separate(self) -> bool:
        """Whether events know nothing of one another, and one may be given alone."""
        return independent({**self.inputs, **self.outputs}) and single_events(self.axes)


def check_signature(signature: Mapping[str, Any], model: Model) -> list[Failure]:
    """Compare what a runtime says of inputs and outputs with the declaration: names in order, types, axes."""
    failures = []
    for kind, declared in (("inputs", model.inputs), ("outputs", model.outputs)):
        names = [name for name, _, _ in signature[kind]]
        if names != list(declared):
            failures.append(
                Failure("signature", "", f"the file's {kind} are in order {names}, declared are {list(declared)}")
            )
            continue
        for name, found, shape in signature[kind]:
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


def run_feed(model: Model, number: int, feed: Mapping[str, Array]) -> dict[str, Array] | str:
    """Run a model that is open; give the outputs by name, or why the runtime refused the inputs."""
    try:
        found: dict[str, Array] = model.runtime.run(number, feed)
    except RefusedError as refused:
        return str(refused)
    return found


def judge_case(
    case: Case, found: Mapping[str, Array] | str, outputs: Tensors, tolerance: float, check: str = "parity"
) -> tuple[dict[str, Difference], list[Failure]]:
    """Compare what a runtime gave for a case with float64; give the differences by output, and what failed."""
    if isinstance(found, str):
        return {}, [Failure("refused", case.place, found)]
    differences, failures = {}, []
    for name, tensor in outputs.items():
        place = f"{case.place}, output {name!r}"
        if name not in found:
            failures.append(Failure("signature", place, f"is not there, only {', '.join(found)}"))
            continue
        if found[name].dtype != element_type(tensor):
            failures.append(Failure("type", place, f"is {found[name].dtype}, declared {element_type(tensor)}"))
            continue
        if case.exact[name].size == 0 and found[name].shape == case.exact[name].shape:
            continue
        try:
            difference = compare(found[name], case.exact[name], case.limit[name])
        except ParityError as error:
            failures.append(Failure("shape", place, str(error)))
            continue
        differences[name] = difference
        if not difference.ratio <= tolerance:
            message = explain(difference, tolerance, name)
            failures.append(Failure(check, case.place, message, difference.ratio))
    return differences, failures


def run_all(model: Model, number: int, cases: Sequence[Case]) -> list[dict[str, Array] | str]:
    """Run all cases in one setting of the runtime."""
    return [run_feed(model, number, case.feed) for case in cases]


def judge_all(
    cases: Sequence[Case], results: Sequence[dict[str, Array] | str], outputs: Tensors, tolerance: float,
    check: str = "parity",
) -> tuple[list[dict[str, Any]], list[Failure], dict[str, Any] | None]:  # fmt: skip
    """Judge all cases; give an entry for each, all failures, and the largest difference in units of the limit."""
    entries, failures, worst = [], [], None
    for case, found in zip(cases, results, strict=True):
        differences, wrong = judge_case(case, found, outputs, tolerance, check)
        failures += wrong
        refused = found if isinstance(found, str) else None
        documents = {name: difference.document() for name, difference in differences.items()}
        entries.append({**case.about, "outputs": documents, "refused": refused})
        for name, difference in differences.items():
            if worst is None or difference.ratio > worst[0]:
                worst = (difference.ratio, {**case.about, "output": name, **difference.document()})
    return entries, failures, worst[1] if worst else None


def shape_failures(entries: Sequence[Mapping[str, Any]]) -> list[Failure]:
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


def batch_of_one(model: Model, number: int, case: Case, most: int) -> tuple[Case, dict[str, Array] | str]:
    """Run the first events of a case one by one; give them as a case, and the outputs put together."""
    count = min(most, case.about["sizes"][BATCH])
    part = first_events(case, count)
    parts: list[dict[str, Array]] = []
    for event in range(count):
        found = run_feed(model, number, select(part, slice(event, event + 1)).feed)
        if isinstance(found, str):
            return part, found
        parts.append(found)
    return part, {name: np.concatenate([found[name] for found in parts]) for name in parts[0]}


def first_events(case: Case, count: int) -> Case:
    """Return a case with its first events alone."""
    return select(case, slice(0, count))


def select(case: Case, chosen: slice) -> Case:
    """Return a case with some of its events, which must be independent of one another."""
    parts = {part: {name: array[chosen] for name, array in getattr(case, part).items()}
             for part in ("feed", "exact", "single", "limit")}  # fmt: skip
    count = len(next(iter(parts["feed"].values())))
    return Case({**case.about, "sizes": {**case.about["sizes"], BATCH: count}}, **parts)
