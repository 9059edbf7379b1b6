"""The runtime matrix: one file at several settings and versions, and what differs bit by bit between them."""

from collections.abc import Container, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from torchship.gate.cases import Case
from torchship.gate.judge import Failure, Model, batch_of_one, judge_all, judge_case, run_all
from torchship.gate.witness.limits import ratios
from torchship.runtimes.frames import RefusedError
from torchship.spec.arrays import Array
from torchship.spec.axes import BATCH
from torchship.spec.section import Validate

Results = Sequence[dict[str, Array] | str]

# What users run unless they say otherwise; every other setting is compared with it.
USUAL = ("all", 1)
# Events of a case that are run one by one.
ONE_BY_ONE = 64


def settings(validate: Validate) -> list[tuple[str, int]]:
    """Return the settings to try beside the usual one: optimization level, and threads."""
    tried = [(level, threads) for level in validate["levels"] for threads in validate["threads"]]
    return [setting for setting in tried if setting != USUAL]


def describe(version: str, level: str, threads: int) -> str:
    """Name a setting."""
    return f"ONNX Runtime {version}, optimization {level}, {threads} thread{'s' if threads > 1 else ''}"


def run_matrix(
    model: Model, others: Sequence[Any], cases: Sequence[Case], usual: Results, validate: Validate,
    tolerance: float,
) -> tuple[list[dict[str, Any]], list[Failure]]:  # fmt: skip
    """Run the cases at every setting, in other versions, and event by event; give a row for each, and what failed.

    A case that fails at the usual setting is not said again for each of the others.

    Args:
        others: further runtimes, each run at the usual setting; newer versions read older files, and must agree.
        usual: what the usual setting gave.
    """
    rows, failures = [], []
    known = {failure.place for failure in judge_all(cases, usual, model.outputs, tolerance)[1]}
    plan = [(model.runtime, level, threads) for level, threads in settings(validate)]
    for runtime, level, threads in [*plan, *[(other, *USUAL) for other in others]]:
        row, wrong = try_setting(model, runtime, level, threads, cases, usual, tolerance)
        rows.append(row)
        failures += [
            Failure(failure.check, f"{row['setting']}, {failure.place}", failure.message, failure.ratio)
            for failure in wrong
            if failure.place not in known
        ]
    if model.separate:
        row, wrong = try_one_by_one(model, cases, usual, known, tolerance)
        rows.append(row)
        failures += wrong
    single = [case.single for case in cases]
    rows.append({"setting": "the reference's float32", "refused": None, **against(single, usual, cases)})
    return rows, failures


def try_setting(
    model: Model, runtime: Any, level: str, threads: int, cases: Sequence[Case], usual: Results, tolerance: float
) -> tuple[dict[str, Any], list[Failure]]:
    """Run the cases at one setting."""
    setting = describe(runtime.version, level, threads)
    here = replace(model, runtime=runtime)
    try:
        number = runtime.open(model.content, level, threads)
    except RefusedError as refused:
        return {"setting": setting, "refused": str(refused)}, [Failure("refused", "", str(refused))]
    results = run_all(here, number, cases)
    runtime.close(number)
    _, failures, _ = judge_all(cases, results, model.outputs, tolerance)
    refused_cases = [result for result in results if isinstance(result, str)]
    row = {"setting": setting, "refused": refused_cases[0] if refused_cases else None}
    return {**row, **against(results, usual, cases)}, failures


def try_one_by_one(
    model: Model, cases: Sequence[Case], usual: Results, known: Container[str], tolerance: float
) -> tuple[dict[str, Any], list[Failure]]:
    """Run events one by one that were run in larger batches."""
    setting = f"{describe(model.runtime.version, *USUAL)}, event by event"
    number = model.runtime.open(model.content, *USUAL)
    parts, results, batches, failures = [], [], [], []
    seen: set[str] = set()
    # One case of each origin, the largest: another size of the same draws adds nothing.
    for case, batch in sorted(zip(cases, usual, strict=True), key=lambda pair: -pair[0].about["sizes"][BATCH]):
        if isinstance(batch, str) or case.about["sizes"][BATCH] < 2 or case.about["origin"] in seen:
            continue
        seen.add(case.about["origin"])
        part, found = batch_of_one(model, number, case, ONE_BY_ONE)
        if case.place not in known:
            _, wrong = judge_case(part, found, model.outputs, tolerance)
            failures += [Failure(item.check, f"{setting}, {item.place}", item.message, item.ratio) for item in wrong]
        parts.append(part)
        results.append(found)
        batches.append({name: array[:ONE_BY_ONE] for name, array in batch.items()})
    model.runtime.close(number)
    refused = [result for result in results if isinstance(result, str)]
    return {"setting": setting, "refused": refused[0] if refused else None,
            **against(results, batches, parts)}, failures  # fmt: skip


def against(results: Results, usual: Results, cases: Sequence[Case]) -> dict[str, Any]:
    """Count the outputs whose bits differ from the usual setting's, and give the largest differences.

    Returns:
        `elements` compared, how many are `different`, the largest difference between both in units in the last place
        (`ulp`), the largest from float64 in units of the limit (`ratio`), and the same by output (`ratios`).
    """
    elements, different, ulp = 0, 0, 0.0
    largest: dict[str, float] = {}
    for found, other, case in zip(results, usual, cases, strict=True):
        if isinstance(found, str) or isinstance(other, str):
            continue
        for name, exact in case.exact.items():
            mine, theirs = found.get(name), other.get(name)
            if mine is None or theirs is None or mine.shape != theirs.shape or mine.shape != exact.shape:
                continue
            unequal = (mine != theirs) & ~((mine != mine) & (theirs != theirs))  # noqa: PLR0124 -- NaN, of any type
            elements += mine.size
            different += int(unequal.sum())
            if unequal.any() and np.issubdtype(mine.dtype, np.floating):
                with np.errstate(all="ignore"):
                    delta = np.abs(mine.astype(np.float64) - theirs.astype(np.float64))
                    steps = delta[unequal] / np.spacing(np.abs(theirs[unequal]))
                # NaN on one side is as far as it gets.
                ulp = max(ulp, float(np.where(np.isnan(steps), np.inf, steps).max()))
            if mine.size:
                found_ratio = float(ratios(mine, exact, case.limit[name]).max())
                largest[name] = max(largest.get(name, 0.0), found_ratio)
    return {"elements": elements, "different": different, "ulp": ulp,
            "ratio": max(largest.values(), default=0.0), "ratios": largest}  # fmt: skip
