"""The cross-check of the generated code: Python and C++ against torch, element by element, and its decisions."""

import logging
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import NotRequired, TypedDict

import numpy as np
import torch
from torch import nn
from torchship.codegen import compilers, run_cpp, run_python
from torchship.codegen.layers import Network
from torchship.core.errors import ParityError
from torchship.gate.compare import compare, require
from torchship.gate.documents import DifferenceDocument
from torchship.gate.witness.error_bound import BOTH_ROUND, UNIT_FLOAT64, evaluate
from torchship.gate.witness.torch_modes import Wide, plain_kernels
from torchship.spec.arrays import Array
from torchship.training.metrics import decide, true_classes

log = logging.getLogger(__name__)


class Cpp(TypedDict):
    """Whether there was a compiler to check the C++ header with."""

    checked: bool


class Answer(TypedDict):
    """An event and what the generated code makes of it."""

    input: Sequence[float]
    output: Sequence[float]


class Right(TypedDict):
    """How many decisions about labels are right."""

    events: int
    right: int
    required: float
    decided: Sequence[int]


class Check(TypedDict):
    """check.json: the largest differences by points and implementation, and on demand some events and the decisions."""

    comparisons: Mapping[str, Mapping[str, DifferenceDocument]]
    cpp: Cpp
    shown: NotRequired[Sequence[Answer]]
    decisions: NotRequired[Right]


def eager(module: nn.Module, x: Array, dtype: torch.dtype) -> Array:
    """Evaluate the eager module with its weights in a floating type, [events, inputs] to [events, outputs].

    Its constants, such as an epsilon or a slope, are what float32 makes of them in any type.
    """
    converted = module.to(dtype)
    wide = Wide() if dtype == torch.float64 else nullcontext()
    with torch.no_grad(), plain_kernels(dtype), wide:
        output: Array = converted(torch.from_numpy(x).to(dtype)).numpy()
    module.to(torch.float32)
    return output


def crosscheck(network: Network, module: nn.Module, python: Path, header: Path, points: dict[str, Array]) -> Check:
    """Compare all implementations with the hand-coded Python on each set of points [events, inputs].

    The bound comes from `network`, that is from weights.json; the values that are compared don't.

    Raises:
        ParityError: two of them differ by more than the bound of their arithmetic.
    """
    function, executable = run_python.load(python), compilers.compiler()
    with tempfile.TemporaryDirectory() as folder:
        compiled = None
        if executable is not None:
            compiled = run_cpp.CompiledNetwork(header, network.name, len(network.classes), Path(folder), executable)
        checked = {
            name: compared(network, name, run_python.evaluate_all(function, x), others(network, module, compiled, x))
            for name, x in points.items()
        }
    if executable is None:
        log.warning(
            "NOT CHECKED: the C++ header, because there is no C++ compiler; install g++ or set CXX, and run again"
        )
    else:
        # In the log, not in the evidence, which must be the same with any compiler.
        log.info("C++ compiler: %s", run_cpp.version(executable))
    return {"comparisons": checked, "cpp": {"checked": executable is not None}}


def others(
    network: Network, module: nn.Module, compiled: run_cpp.CompiledNetwork | None, x: Array
) -> dict[str, tuple[Array, Array]]:
    """Return what the other implementations compute for events [events, inputs], each with the bound of its arithmetic.

    Args:
        compiled: the C++ header, if there is a compiler.
    """
    (_, narrow), (_, wide) = evaluate(network, x), evaluate(network, x, UNIT_FLOAT64)
    found = {
        "torch float64": (eager(module, x, torch.float64), BOTH_ROUND * wide),
        "torch float32": (eager(module, x, torch.float32), narrow),
    }
    if compiled is not None:
        found["C++ double"] = (compiled.evaluate(x.astype(np.float64)), BOTH_ROUND * wide)
        found["C++ float"] = (compiled.evaluate(x), narrow)
    return found


def compared(
    network: Network, name: str, expected: Array, found: dict[str, tuple[Array, Array]]
) -> dict[str, DifferenceDocument]:
    """Compare what implementations have found on the points of that name with what is expected, within their bounds.

    Raises:
        ParityError: one differs by more than its bound.
    """
    documents = {}
    for other, (values, bound) in found.items():
        difference = compare(values, expected, bound)
        what = f"{network.name}: {other} against the hand-coded Python on the {name}"
        require(difference, 1.0, what, network.output_name)
        documents[other] = difference.document()
        ratio, largest = difference.ratio, difference.largest
        log.info("%s: %s within %.2g of its bound, largest |Δ| %.2g", name, other, ratio, largest)
    return documents


def check_decisions(
    outputs: Array, target: Array, function: str, threshold: float, required: float, what: str
) -> Right:
    """Count the right decisions of outputs [events, outputs] about labels [events] or [events, 1].

    Args:
        function: the loss that the labels are for.

    Raises:
        ParityError: fewer than the required share are right; the message names the first wrong event.
    """
    decided, true = decide(outputs, threshold), true_classes(target, function)
    right = int((decided == true).sum())
    if right < required * len(true):
        first = int(np.argmax(decided != true))
        raise ParityError(
            f"{what}: {right} of {len(true)} decisions are right, {required:g} of them must be; the first wrong one is "
            f"event {first}: output {outputs[first].tolist()}, decided {decided[first]}, label {true[first]}; "
            "look at the training's convergence, and at the labels"
        )
    return {"events": len(true), "right": right, "required": required, "decided": decided.tolist()}
