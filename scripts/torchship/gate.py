"""The verdict on an exported file, from what a target's runtime gave and what the witnesses say."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torchship.cases import WITNESSES
from torchship.errors import ParityError
from torchship.parity import compare, explain

Array = NDArray[Any]


def judge(
    about: Mapping[str, Any], cases: Mapping[str, Array], ran: Mapping[str, Any], outputs: Mapping[str, Array],
    *, target: Mapping[str, Any], exported: Mapping[str, Any], sha256: str, tolerance: float,
) -> dict[str, Any]:  # fmt: skip
    """Give the evidence: every comparison of every case, and `failures`, which is empty for a file that passes.

    Args:
        about, cases: of the cases, see `cases`.
        ran, outputs: of the runtime, see `runtimes`.
        exported: the document of export.json.
        sha256: of the file that ran.
    """
    failures = file_failures(ran, target, exported, sha256)
    compared: list[dict[str, Any]] = []
    for case, description in enumerate(about["cases"]):
        entry = {**description, "comparisons": {}, "error": ran["errors"].get(str(case))}
        compared.append(entry)
        place = f"{description['origin']}, batch {description['batch']}"
        found = outputs.get(f"{case}/{about['output']}")
        if found is None:
            failures.append(f"{place}: no output {about['output']!r}: {entry['error'] or ran['load_error']}")
            continue
        if found.dtype != np.float32:
            failures.append(f"{place}: output {about['output']!r} is {found.dtype}, float32 is declared")
            continue
        for witness in WITNESSES:
            try:
                difference = compare(found, cases[f"{case}/{witness}"], allowance(witness, cases[f"{case}/bound"]))
            except ParityError as error:
                failures.append(f"{place}: output {about['output']!r} against {witness}: {error}")
                continue
            entry["comparisons"][witness] = difference.document()
            if not difference.ratio <= tolerance:
                failures.append(f"{place}, against {witness}: {explain(difference, tolerance, about['output'])}")
        if not np.isfinite(found).all() and np.isfinite(cases[f"{case}/float64"]).all():
            failures.append(f"{place}: {np.sum(~np.isfinite(found))} outputs are not finite")
    frozen = frozen_batch(compared)
    if frozen:
        failures.insert(0, frozen)
    return {
        "verdict": "failed" if failures else "passed",
        "failures": failures,
        "tolerance": tolerance,
        "sha256": sha256,
        "runtime": {"onnxruntime": ran["onnxruntime"], "threads": 1, "provider": "CPUExecutionProvider"},
        "cases": compared,
        "worst": worst(compared),
    }


def allowance(witness: str, bound: Array) -> Array:
    """Give how far a correct file may be from a witness: torch's float32 has rounded as well, and by as much."""
    return 2.0 * bound if witness == "float32" else bound


def file_failures(
    ran: Mapping[str, Any], target: Mapping[str, Any], exported: Mapping[str, Any], sha256: str
) -> list[str]:
    """Say what is wrong with the file itself, and with what it ran in."""
    failures = []
    if sha256 != exported["sha256"]:
        failures.append(
            f"the file has changed since it was exported: sha256 {sha256[:12]}…, was {exported['sha256'][:12]}…"
        )
    if ran["onnxruntime"] != target["onnxruntime"]:
        failures.append(f"ran in ONNX Runtime {ran['onnxruntime']}, the target ships {target['onnxruntime']}")
    for key, name in (("opset", "opset"), ("ir", "ir_version")):
        if exported[name] > target[key]:
            failures.append(f"{name} {exported[name]} is newer than the target's {target[key]}")
    return failures


def frozen_batch(compared: list[dict[str, Any]]) -> str | None:
    """Say so if only one batch size ran at all: the batch axis is then a constant of the file."""
    ran = {case["batch"] for case in compared if case["error"] is None}
    refused = {case["batch"] for case in compared if case["error"] is not None}
    if len(ran) == 1 and refused:
        return f"the batch axis is frozen at {min(ran)}: batches {sorted(refused)} were refused"
    return None


def worst(compared: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Give the comparison with float64 that is largest in units of the bound, with its case."""
    entries = [
        {"origin": case["origin"], "batch": case["batch"], **case["comparisons"]["float64"]}
        for case in compared
        if "float64" in case["comparisons"]
    ]
    return max(entries, key=lambda entry: float(entry["ratio"]), default=None)


def verdict_line(evidence: Mapping[str, Any]) -> str:
    """Say in one line how a file did."""
    if evidence["failures"]:
        more = len(evidence["failures"]) - 1
        return str(evidence["failures"][0]) + (f" (and {more} more, see validation.json)" if more else "")
    largest = evidence["worst"]
    elements = sum(case["comparisons"]["float64"]["elements"] for case in evidence["cases"])
    return (
        f"passed: {elements} outputs within {float(largest['ratio']):.2g} of the bound, "
        f"largest |Δ| at {largest['origin']}, batch {largest['batch']}, event {largest['event']}"
    )
