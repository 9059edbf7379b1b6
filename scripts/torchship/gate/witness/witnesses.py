"""The witnesses of a run, who say what its file must compute.

Of a trained network these are the eager torch module, and the analytic bound and the code where its layers are covered;
of a file from elsewhere the ONNX reference evaluator, and reference outputs where there are some, which judge alone
where the evaluator cannot run the file.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from torchship.codegen import run_python as handcoded
from torchship.codegen.layers import read_network
from torchship.core.errors import ConfigError, DataError, ExportError, ParityError
from torchship.core.files import read_json
from torchship.data.checks import check_domain, check_sizes
from torchship.data.datasets import Arrays, read_arrays
from torchship.data.domain import draw, element_type, fixed_batch, uniform
from torchship.gate.case import Case
from torchship.gate.cases import Witnesses
from torchship.gate.compare import compare, require
from torchship.gate.documents import Facts
from torchship.gate.witness.error_bound import BOTH_ROUND, UNIT_FLOAT64, evaluate
from torchship.gate.witness.given_reference import GivenReference
from torchship.gate.witness.onnx.kernels import opinions
from torchship.gate.witness.onnx_arbiter import GraphArbiter, read_model
from torchship.gate.witness.torch_arbiter import TorchArbiter
from torchship.gate.witness.widths import widths
from torchship.models.module import load
from torchship.spec.arrays import Array, Feed
from torchship.spec.axes import ANY_SIZE, BATCH, Sizes, read_axes
from torchship.spec.section import Section
from torchship.spec.tensor import Axis, Tensors

STATE_WITHIN = (
    "state in onnx/within how far a correct file may be from the reference, by output or for all, and the reference "
    "alone judges"
)


def read_witnesses(model: Section, files: Mapping[str, Path]) -> Witnesses:
    """Return the witnesses of a run from its files, by the names that the rules give them."""
    if "onnx" in files:
        return file_witnesses(model, files["onnx"].read_bytes(), files.get("reference"))
    return torch_witnesses(model, files["network"], files["trained"], files.get("weights"), files.get("python"))


def file_witnesses(model: Section, content: bytes, reference: Path | None) -> Witnesses:
    """Return the witnesses of a file from elsewhere.

    Raises:
        ConfigError: onnx/within is stated although the file can be evaluated, or is not stated although it cannot.
        ExportError: the file is no valid ONNX model.
    """
    within, proto = model.get("onnx", {}).get("within"), read_model(content)
    if reference is None:
        return Witnesses(GraphArbiter(proto, model["seed"]))
    alone = GivenReference(*read_reference(reference, model["inputs"], model["outputs"]), model, within or 0.0)
    try:
        arbiter = GraphArbiter(proto, model["seed"])
        # Some operators are not known to be missing before they are met.
        arbiter.witness(alone.batch(read_axes(model).get(BATCH, ANY_SIZE).nearest(1))[0], samples=1)
    except (ExportError, ParityError) as error:
        if within is None:
            raise ConfigError(f"{error}; {STATE_WITHIN}") from error
        return Witnesses(alone)
    if within is not None:
        raise ConfigError(
            "onnx/within is for files that the ONNX reference evaluator cannot run; it runs this one, and the limits "
            "follow from rounding: leave it out"
        )
    return Witnesses(arbiter)


def torch_witnesses(
    model: Section, network: Path, trained: Path, weights: Path | None = None, python: Path | None = None
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


def judged_inputs(
    witnesses: Witnesses, model: Section, sizes: Sizes, factors: Mapping[str, float]
) -> tuple[dict[str, Array], dict[str, Array], dict[str, Array]]:
    """Return inputs of some sizes with what is right and how far a file may be from it, for a check while it is timed.

    They are drawn from the domain, or events of the reference where that judges alone.
    """
    if isinstance(witnesses.arbiter, GivenReference):
        feed, exact, _, limit = witnesses.arbiter.batch(sizes.get(BATCH, 1))
        return feed, exact, limit
    drawn = draw(model["inputs"], dict.fromkeys(model["inputs"], uniform), sizes, np.random.default_rng(model["seed"]))
    return drawn, *witnesses.judge(drawn, factors)


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


def read_reference(path: Path, inputs: Tensors, outputs: Tensors) -> tuple[Arrays, Arrays]:
    """Read what a file from elsewhere must give: inputs, and outputs in whatever precision they were computed.

    Raises:
        DataError: an array is missing, or of another type, or shape, or outside of the declared domain; inputs and
            outputs are of other numbers of events, or of none.
    """
    arrays, tensors = read_arrays(path), {**inputs, **outputs}
    missing = [name for name in tensors if name not in arrays]
    if missing:
        raise DataError(f"{path} has no array {missing[0]!r}, only {', '.join(sorted(arrays))}")
    fixed, events = fixed_batch(tensors), np.shape(arrays[next(iter(inputs))])[:1]
    for name, tensor in tensors.items():
        array = arrays[name]
        typed = name in outputs or array.dtype == element_type(tensor)
        if not typed or not has_shape(array, tensor.shape, fixed) or (fixed and array.shape[:1] != events):
            raise DataError(
                f"{path}: {name!r} is {array.dtype} of shape {list(array.shape)}, declared "
                f"{element_type(tensor)} of {tensor.spelled}" + (f", for {events[0]} events" if fixed else "")
            )
    check_sizes(arrays, tensors, str(path))
    if not any(arrays[name].size for name in outputs):
        raise DataError(f"{path} has no events: all outputs are empty")
    given = {name: arrays[name] for name in inputs}
    check_domain(given, inputs, str(path))
    return given, {name: arrays[name] for name in outputs}


def has_shape(array: Array, shape: Sequence[Axis], fixed: int | None) -> bool:
    """Tell whether an array has a declared shape; where the batch is fixed, it may hold several batches."""
    several = fixed is not None and array.ndim and len(array) % fixed == 0
    wanted = [None, *shape[1:]] if several else list(shape)
    return array.ndim == len(shape) and all(
        not isinstance(want, int) or have == want for have, want in zip(array.shape, wanted, strict=True)
    )


def cases_alone(reference: GivenReference, model: Section, beyond: int) -> tuple[list[Case], Facts]:
    """Return the cases of a reference that judges alone, and the facts about them, as `witness_cases` does.

    Raises:
        WitnessError: what a file may be off by is stated so wide that nothing can be told apart.
    """
    validate = model["validate"]
    reference.require_narrow(validate["widest_limit"])
    made = reference.cases(validate, read_axes(model), beyond)
    cases = [Case({"number": number, **about}, *told) for number, (about, told) in enumerate(made)]
    found = {name: width.document() for name, width in widths(cases, validate["widest_limit"]).items()}
    # The limits are what is stated: in units of it there is no rounding, and one of it is the limit.
    return cases, {
        "within": reference.within,
        "needed": dict.fromkeys(model["outputs"], 0.0),
        "factors": dict.fromkeys(model["outputs"], 1.0),
        "widths": found,
        "not_taken": [],
        "not_finite": [],
    }


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
        ParityError: they differ by more, or the reference has other shapes, or no case is made of it.
    """
    largest = dict.fromkeys(expected, 0.0)
    # A batch that is larger than the reference holds its events over again, and has no first one.
    made = [case for case in cases if "first" in case.about or case.about["origin"] == "test set"]
    if not made:
        raise ParityError(f"{run}: no case is made of the reference, so that it is compared with nothing")
    for case in made:
        first, parts = case.about.get("first", 0), parts_of_case(case, expected, run, single=len(made) == 1)
        for name, values in expected.items():
            exact, part = case.exact[name], parts[name]
            limit = case.limit[name] * (1.0 if values.dtype == np.float64 else BOTH_ROUND)
            difference = compare(part, exact, limit)
            if content is not None and not difference.ratio <= 1.0:
                require_company(content, case, parts, run)
            require(difference, 1.0, f"{run}, from event {first}: the reference against what the file says", name)
            largest[name] = max(largest[name], difference.ratio)
    return largest


def parts_of_case(case: Case, expected: Arrays, run: str, *, single: bool) -> dict[str, Array]:
    """Return what a reference has of the events of a case.

    Args:
        single: whether the case has all events, so that an output of the whole batch is known.

    Raises:
        ParityError: an output has another shape there, or is known of all batches together alone.
    """
    parts = {}
    for name, values in expected.items():
        exact = case.exact[name]
        if single and values.shape == exact.shape:
            parts[name] = values
            continue
        each = exact.ndim and values.ndim and len(exact) == case.about["sizes"].get(BATCH, len(exact))
        part = values[(case.about.get("first", 0) + np.arange(len(exact))) % len(values)] if each else values
        if part.shape != exact.shape or not each:
            raise ParityError(
                f"{run}, {case.place}: the reference has shape {list(part.shape)} of output {name!r} where the file "
                f"gives {list(exact.shape)}; if that is one for the whole batch, give a reference of one batch"
            )
        parts[name] = part
    return parts


def require_company(content: bytes, case: Case, expected: Arrays, run: str) -> None:
    """Ask ONNX Runtime, where reference and evaluator part, whether the evaluator stands alone.

    Raises:
        ParityError: at some optimization level it gives what the reference says.
    """
    for setting, found in opinions(content, dict(case.feed)).items():
        if all(
            name in found
            and found[name].shape == values.shape
            and compare(found[name], values, BOTH_ROUND * case.limit[name]).ratio <= 1.0
            for name, values in expected.items()
        ):
            operators = ", ".join(sorted({node.op_type for node in onnx.load_from_string(content).graph.node}))
            raise ParityError(
                f"{run}: the ONNX reference evaluator stands alone: the reference outputs agree with {setting}, "
                f"and the evaluator with neither; nothing is wrong with the reference. It misunderstands one "
                f"of the operators {operators}: write the file in a newer operator set, or without the rarest of them"
            )
