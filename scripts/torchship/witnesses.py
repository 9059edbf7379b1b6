"""The witnesses of a run: its eager torch module, and the analytic bound and the code where its layers are covered."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torchship import handcoded
from torchship.cases import Case, Feed, Witnesses
from torchship.files import read_json
from torchship.layers import read_network
from torchship.networks import load
from torchship.parity import compare, require
from torchship.reference import BOTH_ROUND, UNIT_FLOAT64, evaluate
from torchship.roundoff import TorchArbiter

Array = NDArray[Any]


def torch_witnesses(
    model: Mapping[str, Any], network: Path, trained: Path, weights: Path | None = None, python: Path | None = None
) -> Witnesses:
    """Give the witnesses of a trained network.

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
