"""Compare the arbiter of files with ONNX Runtime, operator by operator."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto
from operator_cases import OperatorCase
from torchship.core.errors import TorchshipError
from torchship.gate.witness.arbiter import SAMPLES
from torchship.gate.witness.limits import LEAST, SMALLEST_FLOAT32, UNIT_FLOAT32, Witnessed, ratios
from torchship.gate.witness.onnx_arbiter import GraphArbiter
from torchship.gate.witness.op_rules import Rule, onnx_rule

Array = NDArray[Any]

# So many different numbers cannot all be float32's by chance.
ENOUGH = 8
# Operators that pass most of their numbers on, or add two of one size: they may have float32's digits and be right.
SELECT = frozenset(
    {"Scatter", "ScatterElements", "ScatterND", "Shrink", "TreeEnsembleClassifier", "TreeEnsembleRegressor"}
)

onnxruntime.set_default_logger_severity(4)


@dataclass(frozen=True)
class Outcome:
    """What a comparison gave: `agree`, or what else; the largest difference in limits; words; outputs that part.

    Verdicts: `agree`; `differ`, beyond the limit; the `arbiter` or the `runtime` raised, `neither` runs; `wide`, an exact
    operator has a spread; `coarse`, the arbiter computed in float32.
    """

    verdict: str
    ratio: float = 0.0
    words: str = ""
    outputs: tuple[str, ...] = ()


def run_runtime(case: OperatorCase) -> list[Any]:
    """Return what ONNX Runtime's CPU kernels give, without optimization."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(case.model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    found: list[Any] = session.run(None, case.feed)
    return found


def compare(case: OperatorCase, samples: int = SAMPLES) -> Outcome:
    """Compare one case."""
    witnesses, refused = None, ""
    try:
        witnesses = GraphArbiter(case.model).witness(case.feed, samples)
    except TorchshipError as error:
        refused = str(error)
    try:
        found = run_runtime(case)
    except Exception as error:
        return Outcome("neither" if refused else "runtime", 0.0, " ".join(str(error).split())[:160])
    if witnesses is None:
        return Outcome("arbiter", 0.0, refused)
    narrow = {value.name for value in case.model.graph.output if value.type.tensor_type.elem_type == TensorProto.FLOAT}
    judged = {
        name: compare_output(case, name, meant, np.asarray(value), narrow=name in narrow)
        for (name, meant), value in zip(witnesses.items(), found, strict=True)
    }
    apart = {name: outcome for name, outcome in judged.items() if outcome.verdict != "agree"}
    if apart:
        return replace(next(iter(apart.values())), outputs=tuple(apart))
    return max(judged.values(), key=lambda outcome: outcome.ratio)


def compare_output(case: OperatorCase, name: str, meant: Witnessed, got: Array, *, narrow: bool) -> Outcome:
    """Compare one output.

    Args:
        narrow: whether it is float32 in the file.
    """
    if meant.exact.shape != got.shape:
        return Outcome("differ", np.inf, f"{name}: shape {meant.exact.shape} for {got.shape}")
    if meant.exact.dtype.kind != "f" or got.dtype.kind != "f":
        if np.array_equal(meant.exact, got):
            return Outcome("agree")
        return Outcome("differ", np.inf, f"{name}: {meant.exact.ravel()[:4]} for {got.ravel()[:4]}")
    judged = difference(name, meant, got)
    # The backend tests' numbers are often whole ones.
    given = np.concatenate(
        [array.ravel() for array in case.feed.values() if array.dtype == np.float32] or [np.zeros(0)]
    )
    passed_on = meant.exact.dtype == np.float64 and bool(np.isin(meant.exact, given).all())
    if judged.verdict == "agree" and narrow and case.expected is None and not passed_on:
        return precision(case.kind, name, meant) or judged
    return judged


def difference(name: str, meant: Witnessed, got: Array) -> Outcome:
    """Return how far a runtime's floating-point output is from the arbiter's, in limits."""
    limit = LEAST * meant.scale
    if got.dtype == np.float16:  # one rounding of the result itself, which `witnessed` takes for a float32's
        limit = limit + 2.0**-10 * np.abs(meant.exact) + 2.0**-24
    ratio = ratios(got, meant.exact, limit)
    if not ratio.size:
        return Outcome("agree")
    place = np.unravel_index(int(ratio.argmax()), ratio.shape)
    words = f"{name}{[int(i) for i in place]}: {float(meant.exact[place])!r} for {float(got[place])!r}"
    return Outcome("agree" if ratio.max() <= 1.0 else "differ", float(ratio.max()), words)


def precision(kind: str, name: str, meant: Witnessed) -> Outcome | None:
    """Return what is wrong with an output that the arbiter should have in float64, if anything is.

    An operator that rounds nothing has no spread but one unit in the last place. One that rounds gives numbers that no
    float32 holds.
    """
    exact = meant.exact
    if exact.dtype != np.float64:
        return Outcome("coarse", 0.0, f"{name} is {exact.dtype}")
    finite = exact[np.isfinite(exact)]
    if onnx_rule(kind) is Rule.EXACT:
        spread = meant.scale - UNIT_FLOAT32 * np.abs(exact) - SMALLEST_FLOAT32
        wide = np.isfinite(exact) & (spread > 1e-3 * UNIT_FLOAT32 * np.abs(exact))
        return Outcome("wide", float(spread[wide].max()), name) if wide.any() else None
    rounded = (meant.scale > 1.2 * (UNIT_FLOAT32 * np.abs(exact) + SMALLEST_FLOAT32)).any()
    if rounded and kind not in SELECT and finite.size >= ENOUGH and len(np.unique(finite)) >= ENOUGH:
        with np.errstate(over="ignore"):
            single = finite.astype(np.float32).astype(np.float64)
        if (single == finite).all():
            return Outcome("coarse", 0.0, f"{name}: all of {finite.size} numbers are float32's")
    return None
