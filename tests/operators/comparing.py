"""Compare the arbiter of files with ONNX Runtime, operator by operator."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
from cases import OperatorCase
from numpy.typing import NDArray
from torchship.errors import TorchshipError
from torchship.graph_evaluator import EXACT, units_of
from torchship.graph_roundoff import GraphArbiter
from torchship.limits import LEAST, ratios

Array = NDArray[Any]

onnxruntime.set_default_logger_severity(4)


@dataclass(frozen=True)
class Outcome:
    """What a comparison gave: `agree`, or what else; the largest difference in limits; words.

    Verdicts: `agree`; `differ`, beyond the limit; `arbiter` or `runtime` raised, `neither` runs; `wide`: an exact operator has a spread.
    """

    verdict: str
    ratio: float = 0.0
    words: str = ""


def run_runtime(case: OperatorCase) -> list[Any]:
    """Return what ONNX Runtime's CPU kernels give, without optimization."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(case.model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    found: list[Any] = session.run(None, case.feed)
    return found


def compare(case: OperatorCase) -> Outcome:
    """Compare one case."""
    try:
        arbiter = GraphArbiter(case.model)
        witnesses = arbiter.witness(case.feed)
        refused = ""
    except TorchshipError as error:
        refused = str(error)
    try:
        found = run_runtime(case)
    except Exception as error:  # noqa: BLE001 -- its binding raises types of its own
        return Outcome("neither" if refused else "runtime", 0.0, " ".join(str(error).split())[:160])
    if refused:
        return Outcome("arbiter", 0.0, refused)
    worst, where = 0.0, ""
    for (name, meant), value in zip(witnesses.items(), found, strict=True):
        got = np.asarray(value)
        if meant.exact.shape != got.shape:
            return Outcome("differ", np.inf, f"{name}: shape {meant.exact.shape} for {got.shape}")
        if meant.exact.dtype.kind not in "fc" or got.dtype.kind not in "fc":
            if not np.array_equal(meant.exact, got):
                return Outcome("differ", np.inf, f"{name}: {meant.exact.ravel()[:4]} for {got.ravel()[:4]}")
            continue
        spread = LEAST * meant.scale
        if got.dtype == np.float16:  # one rounding of the result itself, which `witnessed` takes for a float32
            spread = spread + 2.0**-10 * np.abs(meant.exact) + 2.0**-24
        ratio = ratios(got, meant.exact, spread)
        if ratio.size and ratio.max() > worst:
            place = np.unravel_index(ratio.argmax(), ratio.shape)
            worst, where = float(ratio.max()), f"{name}{[int(i) for i in place]}: {meant.exact[place]!r} for {got[place]!r}"
    kind = case.operator.split("::")[-1]
    if worst > 1.0:
        return Outcome("differ", worst, where)
    return Outcome("agree", worst, where)


def cleanliness(case: OperatorCase) -> str:
    """Return what is wrong with float64 in the arbiter, in words; nothing where all is well.

    Outputs of float32 must be float64, with values between those of float32, unless the operator rounds nothing.
    """
    arbiter = GraphArbiter(case.model)
    exact = arbiter.evaluate(case.feed)
    wide = {value.name for value in case.model.graph.output if value.type.tensor_type.elem_type == 1}
    for name in wide:
        if exact[name].dtype != np.float64:
            return f"output {name} is {exact[name].dtype}"
    return ""
