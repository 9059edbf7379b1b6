"""The witnesses of a run, who say what its file must compute.

Of a trained network these are the eager torch module, and the analytic bound and the code where its layers are covered;
of a file from elsewhere the ONNX reference evaluator, and reference outputs where there are some.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from torchship.codegen import run_python as handcoded
from torchship.codegen.layers import read_network
from torchship.core.errors import DataError, ParityError
from torchship.core.files import read_json
from torchship.data.checks import check_domain
from torchship.data.datasets import Arrays, read_arrays
from torchship.data.domain import element_type, fixed_batch
from torchship.gate.cases import Case, Feed, Witnesses
from torchship.gate.compare import compare, require
from torchship.gate.witness.error_bound import BOTH_ROUND, UNIT_FLOAT64, evaluate
from torchship.gate.witness.onnx.kernels import opinions
from torchship.gate.witness.onnx_arbiter import GraphArbiter
from torchship.gate.witness.torch_arbiter import TorchArbiter
from torchship.models.module import load

Array = NDArray[Any]


def read_witnesses(model: Mapping[str, Any], files: Mapping[str, Path]) -> Witnesses:
    """Return the witnesses of a run from its files, by the names that the rules give them."""
    if "onnx" in files:
        return Witnesses(GraphArbiter(files["onnx"].read_bytes(), model["seed"]))
    return torch_witnesses(model, files["network"], files["trained"], files.get("weights"), files.get("python"))


def torch_witnesses(
    model: Mapping[str, Any], network: Path, trained: Path, weights: Path | None = None, python: Path | None = None
) -> Witnesses:
    """Return the witnesses of a trained network.

    Args:
        model: with `network`, `inputs`, `outputs` and `seed`.
        network, trained: the network's file, and its weights.
        weights, python: weights.json and the generated code, where the generator covers the network.
    """
    module = load(network, model["network"].get("arguments", {}), trained)
    arbiter = TorchArbiter(module, list(model["inputs"]), list(model["outputs"]), model["seed"])
    if weights is None or python is None:
        return Witnesses(arbiter)
    described, function = read_network(read_json(weights)), handcoded.load(python)

    def bound(feed: Feed) -> dict[str, Array]:
        return {described.output_name: evaluate(described, feed[described.input_name])[1]}

    def code(feed: Feed) -> dict[str, tuple[Array, Array]]:
        x = feed[described.input_name]
        values = handcoded.evaluate_all(function, x).reshape(len(x), len(described.classes))
        return {described.output_name: (values, BOTH_ROUND * evaluate(described, x, UNIT_FLOAT64)[1])}

    return Witnesses(arbiter, bound, code)


def require_agreement(witnesses: Witnesses, cases: list[Case], run: str) -> dict[str, float]:
    """Compare the hand-coded function with torch's float64 before any runtime is judged, where there is one.

    Returns:
        the largest difference by output, in units of what two implementations in float64 may differ by.

    Raises:
        ParityError: they differ by more than that.
    """
    largest: dict[str, float] = {}
    if witnesses.handcoded is None:
        return largest
    for case in cases:
        for name, (found, bound) in witnesses.handcoded(case.feed).items():
            if case.exact[name].size:
                difference = compare(found, case.exact[name], bound)
                require(difference, 1.0, f"{run}, {case.place}: hand-coded against torch float64", name)
                largest[name] = float(np.maximum(largest.get(name, 0.0), difference.ratio))
    return largest


def read_reference(path: Path, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> tuple[Arrays, Arrays]:
    """Read what a file from elsewhere must give: inputs, and outputs in whatever precision they were computed.

    Raises:
        DataError: an array is missing, or of another type, or shape, or outside of the declared domain.
    """
    arrays = read_arrays(path)
    missing = [name for name in [*inputs, *outputs] if name not in arrays]
    if missing:
        raise DataError(f"{path} has no array {missing[0]!r}, only {', '.join(sorted(arrays))}")
    fixed = fixed_batch({**inputs, **outputs})
    for name, tensor in inputs.items():
        if arrays[name].dtype != element_type(tensor) or not has_shape(arrays[name], tensor["shape"], fixed):
            raise DataError(
                f"{path}: {name!r} is {arrays[name].dtype} of shape {list(arrays[name].shape)}, declared "
                f"{element_type(tensor)} of {tensor['shape']}"
            )
    given = {name: arrays[name] for name in inputs}
    check_domain(given, inputs, str(path))
    return given, {name: arrays[name] for name in outputs}


def has_shape(array: Array, shape: Sequence[int | str], fixed: int | None) -> bool:
    """Tell whether an array has a declared shape; where the batch is fixed, it may hold several batches."""
    wanted = [None, *shape[1:]] if fixed is not None and array.ndim and len(array) % fixed == 0 else shape
    return array.ndim == len(shape) and all(
        not isinstance(want, int) or have == want for have, want in zip(array.shape, wanted, strict=True)
    )


def require_reference(
    cases: Sequence[Case], expected: Arrays, run: str, content: bytes | None = None
) -> dict[str, float]:
    """Compare reference outputs from elsewhere with what the file means, on the cases that are made of their inputs.

    Args:
        content: of the file. If ONNX Runtime computes what the reference says, it is the evaluator that stands alone.

    Returns:
        the largest difference by output, in units of what it may be. Reference outputs in float32 may be as far from
        float64 as those of any other correct implementation, so that both may differ by two limits.

    Raises:
        ParityError: they differ by more, or the reference has other shapes.
    """
    largest = dict.fromkeys(expected, 0.0)
    for case in cases:
        if "first" not in case.about:
            continue
        for name, values in expected.items():
            exact, first = case.exact[name], case.about["first"]
            part = values[first : first + len(exact)]
            limit = case.limit[name] * (1.0 if values.dtype == np.float64 else BOTH_ROUND)
            difference = compare(part, exact, limit)
            if content is not None and not difference.ratio <= 1.0:
                require_company(
                    content, case, {key: array[first : first + len(exact)] for key, array in expected.items()}, run
                )
            require(difference, 1.0, f"{run}, from event {first}: the reference against what the file says", name)
            largest[name] = max(largest[name], difference.ratio)
    return largest


def require_company(content: bytes, case: Case, expected: Arrays, run: str) -> None:
    """Ask ONNX Runtime, where reference and evaluator part, whether the evaluator stands alone.

    Raises:
        ParityError: at some optimization level it gives what the reference says.
    """
    for setting, found in opinions(content, dict(case.feed)).items():
        if all(
            name in found and found[name].shape == values.shape
            and compare(found[name], np.asarray(values, np.float64), BOTH_ROUND * case.limit[name]).ratio <= 1.0
            for name, values in expected.items()
        ):  # fmt: skip
            operators = ", ".join(sorted({node.op_type for node in onnx.load_from_string(content).graph.node}))
            raise ParityError(
                f"{run}: the ONNX reference evaluator stands alone: the reference outputs agree with {setting}, "
                f"and the evaluator with neither; nothing is wrong with the reference. It misunderstands one "
                f"of the operators {operators}: write the file in a newer operator set, or without the rarest of them"
            )
