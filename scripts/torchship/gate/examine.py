"""The whole examination of an exported file: everything that the gate knows to ask, and the verdict."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torchship.data.domain import draw, edge_draws
from torchship.gate import bad_input, decisions, locate
from torchship.gate import settings as matrix
from torchship.gate.cases import Case, Witnesses
from torchship.gate.judge import (
    Failure,
    Model,
    check_signature,
    first_events,
    judge_all,
    judge_case,
    run_all,
    run_feed,
    select,
    shape_failures,
)
from torchship.gate.search import Found, search
from torchship.gate.verdict import STATIC_ONLY
from torchship.gate.witness.given_reference import GivenReference
from torchship.gate.witness.onnx_arbiter import GraphArbiter
from torchship.runtimes.frames import RefusedError
from torchship.spec.arrays import Array
from torchship.spec.axes import BATCH, usual_sizes
from torchship.spec.section import Validate

log = logging.getLogger(__name__)


# Which kind of failure is said first: what is wrong with the numbers, before what may have caused it.
ORDER = ("parity", "search", "regression", "shape", "type", "axis", "signature", "refused", "static", "promise",
         "bad input")  # fmt: skip


@dataclass
class Examination:
    """What was found: `failures` is empty for a file that passes.

    Attributes:
        evidence: of validation.json, all but the verdict.
        results: what the usual setting gave for each case.
        worst: the inputs to keep, as cases.
    """

    failures: list[Failure] = field(default_factory=list)
    evidence: dict[str, Any] = field(default_factory=dict)
    results: Sequence[dict[str, Array] | str] = ()
    worst: list[Case] = field(default_factory=list)


def examine(
    model: Model, cases: Sequence[Case], witnesses: Witnesses, factor: float, validate: Validate, *,
    threshold: float, seed: int, others: Sequence[Any] = (), kept: Sequence[Case] = (),
    modules: Mapping[str, Mapping[str, str]] | None = None,
) -> Examination:  # fmt: skip
    """Examine a file.

    Args:
        cases: see `cases`.
        witnesses, factor: what the cases were judged by, for inputs that are in none of them.
        validate: the section of the configuration.
        threshold: the working point of a single output.
        others: further runtimes, see `matrix.run_matrix`.
        kept: the worst inputs of earlier runs, judged again.
        modules: the torch module of each node, by name.
    """
    tolerance = validate["tolerance"]
    done = Examination()
    try:
        number = model.runtime.open(model.content)
    except RefusedError as refused:
        done.failures.append(Failure("refused", f"ONNX Runtime {model.runtime.version}", str(refused)))
        return done
    try:
        done.failures += check_signature(model.runtime.signature(number), model)
    except RefusedError as refused:
        done.failures.append(Failure("refused", f"ONNX Runtime {model.runtime.version}", str(refused)))
    done.results = run_all(model, number, cases)
    entries, wrong, worst = judge_all(cases, done.results, model.outputs, tolerance)
    done.failures += [*shape_failures(entries), *wrong]
    done.evidence |= {"cases": entries, "worst": worst}
    done.evidence["runtimes"], wrong = matrix.run_matrix(model, others, cases, done.results, validate, tolerance)
    done.failures += wrong
    decider = next(iter(model.outputs))
    done.evidence["decisions"] = decisions.compare_decisions(cases, done.results, decider, threshold)
    replay(done, model, number, kept, tolerance)
    sizes, good = good_inputs(model, seed)

    def judge(feed: dict[str, Array]) -> tuple[dict[str, Array], dict[str, Array]]:
        return witnesses.judge(feed, factor)

    done.evidence["bad_input"], wrong = bad_input.examine(model, number, judge, good, sizes, validate["promises"])
    done.failures += wrong
    look_for_worse(done, model, number, witnesses, factor, cases, validate, seed)
    done.evidence["largest"] = largest_errors(done.evidence)
    if any(failure.check in ("parity", "search", "regression") for failure in done.failures):
        done.evidence["located"] = place_failure(done, model, cases, witnesses, factor, modules or {}, tolerance)
    model.runtime.close(number)
    return done


def largest_errors(evidence: Mapping[str, Any]) -> dict[str, float]:
    """Return by output the largest error in any runtime, at any setting, in units of the limit."""
    found: dict[str, float] = {}
    usual = [{name: float(difference["ratio"]) for name, difference in entry["outputs"].items()}
             for entry in evidence["cases"]]  # fmt: skip
    for ratios in [*usual, *(row.get("ratios", {}) for row in evidence["runtimes"])]:
        for name, ratio in ratios.items():
            found[name] = max(found.get(name, 0.0), ratio)
    return found


def good_inputs(model: Model, seed: int) -> tuple[dict[str, int], dict[str, Array]]:
    """Return inputs of the usual sizes from the domain."""
    sizes = usual_sizes(model.inputs, model.axes)
    return sizes, draw(model.inputs, edge_draws(model.inputs)[0][1], sizes, np.random.default_rng([seed, 2]))


def replay(done: Examination, model: Model, number: int, kept: Sequence[Case], tolerance: float) -> None:
    """Judge the worst inputs of earlier runs again."""
    for case in kept:
        _, wrong = judge_case(case, run_feed(model, number, case.feed), model.outputs, tolerance, "regression")
        done.failures += wrong


def look_for_worse(
    done: Examination, model: Model, number: int, witnesses: Witnesses, factor: float, cases: Sequence[Case],
    validate: Validate, seed: int,
) -> None:  # fmt: skip
    """Search for the worst input, from the worst cases on, and keep what was found."""
    wanted = validate["search"]
    done.evidence["search"] = None
    # Of inputs that a search would make up a reference alone says nothing.
    if not wanted["evaluations"] or isinstance(witnesses.arbiter, GivenReference):
        return
    starts = [case.feed for case in worst_cases(cases, done.evidence["cases"], separate=model.separate)]
    found: Found | None = search(
        model, number, witnesses, factor, starts, evaluations=wanted["evaluations"], seconds=wanted["seconds"],
        seed=seed, tolerance=validate["tolerance"],
    )  # fmt: skip
    if found is not None:
        done.evidence["search"] = found.document
        done.failures += found.failures
        done.worst = [found.worst]


def worst_cases(
    cases: Sequence[Case], entries: Sequence[Mapping[str, Any]], most: int = 4, *, separate: bool = True
) -> list[Case]:
    """Return the cases with the largest differences, each with the event where it is, if events are independent."""
    scored = [
        (float(difference["ratio"]), difference["event"], case)
        for case, entry in zip(cases, entries, strict=True)
        for difference in entry["outputs"].values()
    ]
    scored.sort(key=lambda item: -item[0])
    return [select(case, slice(event, event + 1)) if separate else case
            for _, event, case in scored[:most]]  # fmt: skip


def place_failure(
    done: Examination, model: Model, cases: Sequence[Case], witnesses: Witnesses, factor: float,
    modules: Mapping[str, Mapping[str, str]], tolerance: float,
) -> dict[str, Any] | None:  # fmt: skip
    """Find where in the graph the failing case with the smallest inputs goes wrong."""
    failing = [case for case, entry in zip(cases, done.evidence["cases"], strict=True)
               if any(not float(found["ratio"]) <= tolerance for found in entry["outputs"].values())]  # fmt: skip
    failing = failing or done.worst
    if not failing or isinstance(witnesses.arbiter, GivenReference):
        return None
    case = min(failing, key=smallest)
    if model.separate:
        case = failing_event(model, case, tolerance)
    located = locate.locate(model, case.feed, witnesses.arbiter.record(case.feed), factor, modules)
    # Where the evaluator is the arbiter, it cannot be asked whether the arbiter is right.
    rows = done.evidence["runtimes"] if isinstance(witnesses.arbiter, GraphArbiter) else None
    return {**located, "fault": locate.fault(model.content, case, rows, tolerance)} if located else None


def smallest(case: Case) -> tuple[bool, int]:
    """Order cases by the size of their inputs, those last in which sums, orders and softmaxes are over one or two."""
    others = [size for axis, size in case.about["sizes"].items() if axis != BATCH]
    return min(others, default=3) < 3, sum(array.size for array in case.feed.values())


def failing_event(model: Model, case: Case, tolerance: float) -> Case:
    """Return the worst event of a case alone, or the case if that does not fail alone."""
    number = model.runtime.open(model.content)
    differences, _ = judge_case(case, run_feed(model, number, case.feed), model.outputs, tolerance)
    model.runtime.close(number)
    if not differences:
        return first_events(case, 1)
    event = max(differences.values(), key=lambda difference: difference.ratio).event
    return select(case, slice(event, event + 1))


def in_order(failures: Sequence[Failure]) -> list[Failure]:
    """Return failures with the most telling first."""
    return sorted(failures, key=lambda failure: (ORDER.index(failure.check), -failure.ratio))


def conclude(done: Examination, static: Sequence[Failure], more: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document of validation.json: the verdict, the failures in order, and all evidence."""
    failures = in_order([*done.failures, *static])
    stood_in = more.get("runtime", {}).get("static_only", False)
    return {
        "verdict": "failed" if failures else STATIC_ONLY if stood_in else "passed",
        "failures": [failure.document() for failure in failures],
        "elements": sum(found["elements"] for entry in done.evidence.get("cases", [])
                        for found in entry["outputs"].values()),
        **done.evidence,
        **more,
    }  # fmt: skip
