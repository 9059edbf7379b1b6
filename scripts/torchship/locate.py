"""Where a file first differs from its reference: the node of the graph, and the torch module that it came from."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from torchship.cases import Case
from torchship.errors import ExportError, ParityError
from torchship.frames import RefusedError
from torchship.gate import Model
from torchship.graph_roundoff import GraphArbiter
from torchship.limits import Recorded, ratios

Array = NDArray[Any]

# The row of the matrix that is no runtime's.
ARBITERS_OWN = "the reference's float32"
# The row of the usual setting again, with the first events alone.
ONE_BY_ONE = "event by event"
# Values of that many nodes are held at once.
CHUNK = 64
# Axes of a value whose every order is tried: exporters like to transpose.
MOST_AXES = 4


def locate(
    model: Model, feed: Mapping[str, Array], reference: Sequence[Recorded], factor: float, modules: Mapping[str, str]
) -> dict[str, Any] | None:
    """Find the first node from which on nothing that the file computes is anything that the reference computed.

    Each node's output is added to the outputs of a copy, some at a time, and looked for among the reference's values,
    in any order of the axes, within the limit of each. A node that exists in the file alone, such as a part of a
    function that torch computes at once, agrees with nothing; so a node is passed if anything after it agrees.

    Args:
        feed: one event, or as little as fails.
        reference: of the arbiter, see `record` there.
        factor: of the limits.
        modules: the torch module of each node, by the node's name.

    Returns:
        `node`, `operator`, `module`, and `after`, the last node before it that agrees. None where every node agrees,
        or the file does not run with its nodes' values as outputs.
    """
    proto = onnx.load_from_string(model.content)
    known: dict[int, list[Recorded]] = {}
    for value in reference:
        known.setdefault(value.value.exact.size, []).append(value)
    agrees: dict[str, bool] = {}
    names = [name for node in proto.graph.node for name in node.output if name]
    for chunk in chunks(names, CHUNK):
        found = tapped(model, proto, chunk, feed)
        if found is None:
            return None
        agrees |= {name: matches(value, known, factor) for name, value in found.items()}
    passed = reaches_agreement(proto, agrees)
    for place, node in enumerate(proto.graph.node):
        tested = [name for name in node.output if name in agrees]
        if tested and not any(passed[name] for name in tested):
            before = [earlier for earlier in proto.graph.node[:place] if any(agrees.get(n) for n in earlier.output)]
            return {
                "node": node.name, "operator": node.op_type, "module": modules.get(node.name, ""),
                "after": before[-1].name if before else None,
            }  # fmt: skip
    return None


def fault(
    content: bytes, case: Case, runtimes: Sequence[Mapping[str, Any]] | None = None, tolerance: float = 1.0
) -> str | None:
    """Say whether a file is wrong itself, or right and computed wrongly: `file`, `runtime`, or `alone`.

    The ONNX reference evaluator says what a file means. Where it is the arbiter itself, nobody else has spoken for it:
    if all runtimes disagree with it at every setting it stands `alone`, and who is right is not known.

    Args:
        runtimes: the rows of the runtime matrix, where the evaluator is the arbiter; see `everyone_differs`.
        tolerance: of the configuration, in limits.

    Returns:
        None where the evaluator does not evaluate this file.
    """
    if runtimes is not None:
        return "alone" if everyone_differs(runtimes, tolerance) else "runtime"
    try:
        meant = GraphArbiter(content).evaluate(case.feed)
    except (ExportError, ParityError):
        return None
    right = all(
        name in meant
        and meant[name].shape == exact.shape
        and (ratios(meant[name], exact, case.limit[name]) <= 1.0).all()
        for name, exact in case.exact.items()
    )
    return "runtime" if right else "file"


def everyone_differs(runtimes: Sequence[Mapping[str, Any]], tolerance: float) -> bool:
    """Say whether every runtime, at every setting that ran, is beyond the limit.

    Args:
        runtimes: `evidence["runtimes"]`: rows with `setting`, `refused` and `ratio`, in limits. The usual setting is
            not among them: whoever asks has seen it fail.
    """
    ran = [row for row in runtimes if row["refused"] is None and row["elements"] and row["setting"] != ARBITERS_OWN
           and not row["setting"].endswith(ONE_BY_ONE)]  # fmt: skip
    return all(not float(row["ratio"]) <= tolerance for row in ran)


def chunks(items: Sequence[str], size: int) -> list[Sequence[str]]:
    """Cut a list into pieces."""
    return [items[start : start + size] for start in range(0, len(items), size)]


def tapped(
    model: Model, proto: onnx.ModelProto, names: Sequence[str], feed: Mapping[str, Array]
) -> dict[str, Array] | None:
    """Give the values of some nodes' outputs, floating point alone; None if the copy does not run."""
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    there = {output.name for output in copy.graph.output}
    copy.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names if name not in there)
    try:
        number = model.runtime.open(copy.SerializeToString(), "disabled", 1)
        found = model.runtime.run(number, feed)
        model.runtime.close(number)
    except RefusedError:
        return None
    return {name: found[name] for name in names if name in found and found[name].dtype.kind == "f"}


def matches(value: Array, known: Mapping[int, Sequence[Recorded]], factor: float) -> bool:
    """Say whether the reference computed this value somewhere, in any order of its axes."""
    orders = itertools.permutations(range(value.ndim)) if value.ndim <= MOST_AXES else [tuple(range(value.ndim))]
    forms = [np.transpose(value, order).ravel() for order in orders]
    for candidate in known.get(value.size, []):
        exact, limit = candidate.value.exact.ravel(), factor * candidate.value.scale.ravel()
        if any((ratios(form, exact, limit) <= 1.0).all() for form in forms):
            return True
    return False


def reaches_agreement(proto: onnx.ModelProto, agrees: Mapping[str, bool]) -> dict[str, bool]:
    """Say of each value whether it, or anything that is computed from it, agrees."""
    passed = dict.fromkeys((name for node in proto.graph.node for name in node.output), False)
    passed |= agrees
    for node in reversed(proto.graph.node):
        good = any(passed[name] for name in node.output)
        for name in node.input:
            if name in passed:
                passed[name] = passed[name] or good
    return passed
