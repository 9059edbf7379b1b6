"""Where a file first differs from its arbiter: the node of the graph, and the torch module that it came from."""

import itertools
from collections.abc import Container, Mapping, Sequence

import numpy as np
import onnx
from torchship.core.errors import ExportError, ParityError
from torchship.gate.case import Case
from torchship.gate.documents import Located, Place, SettingRow
from torchship.gate.settings import ARBITERS_OWN, EVENT_BY_EVENT
from torchship.gate.witness.limits import Recorded, Witnessed, ratios
from torchship.gate.witness.onnx_arbiter import GraphArbiter
from torchship.runtimes.frames import RefusedError
from torchship.runtimes.protocol import Runtime
from torchship.spec.arrays import Array, Feed

# Values of that many nodes are held at once.
CHUNK = 64
# Axes of a value whose every order is tried: exporters like to transpose.
MOST_AXES = 4
# Operators that give the numbers that they are given.
MOVES = frozenset(
    "Cast Concat Expand Flatten Identity Reshape Slice Split Squeeze Tile Transpose Unsqueeze Constant".split()
)


def locate(
    content: bytes,
    runtime: Runtime,
    feed: Feed,
    record: Sequence[Recorded],
    factor: float,
    modules: Mapping[str, Mapping[str, str]],
) -> Located | None:
    """Find the first node from which on nothing that the file computes is anything that the arbiter computed.

    Each node's output is added to the outputs of a copy, some at a time, and looked for among the arbiter's values,
    in any order of the axes, within the limit of each. A node that exists in the file alone, such as a part of a
    function that torch computes at once, agrees with nothing; so a node is passed if anything after it agrees. The
    other way round, the first value of the arbiter from which on nothing is in the file is what the file lacks.

    Args:
        feed: one event, or as little as fails.
        record: of the arbiter, see `record` there.
        factor: of the limits.
        modules: where in torch's code each node is from, by the node's name: `module` and `line`.

    Returns:
        `node`, `operator`, `module`, `line`, and `after`, the last node before it that agrees; `lacks`, the operation
        of the arbiter that has no counterpart, with `module` and `line`, None where that is not known. None where
        every node agrees, or the file does not run with its nodes' values as outputs.
    """
    proto = onnx.load_from_string(content)
    held = held_against(proto, runtime, feed, record, factor)
    if held is None:
        return None
    agrees, there = held
    passed = reaches_agreement(proto, agrees)
    suspects = [place for place, node in enumerate(proto.graph.node) if suspect(node, agrees, passed)]
    if not suspects:
        return None
    # What only moves numbers may be in the file alone, and is passed by nothing where all that uses it is wrong.
    place = next((place for place in suspects if proto.graph.node[place].op_type not in MOVES), suspects[0])
    node = proto.graph.node[place]
    before = [earlier for earlier in proto.graph.node[:place] if any(agrees.get(name) for name in earlier.output)]
    module, line = origin_of(modules, node.name)
    after = before[-1].name if before else None
    return {
        "node": node.name,
        "operator": node.op_type,
        "module": module,
        "line": line,
        "after": after,
        "lacks": lacking(record, there),
    }


def held_against(
    proto: onnx.ModelProto, runtime: Runtime, feed: Feed, record: Sequence[Recorded], factor: float
) -> tuple[dict[str, bool], set[int]] | None:
    """Hold what each node computes against what the arbiter computed.

    Returns:
        for each value of the file, by its name, whether it is one of the arbiter's, and the places of those in the
        record; None where the file does not run with its values as outputs. Values that tell nothing are left out.
    """
    known: dict[int, list[int]] = {}
    for place, value in enumerate(record):
        if telling(value.value.exact):
            known.setdefault(value.value.exact.size, []).append(place)
    agrees: dict[str, bool] = {}
    there: set[int] = set()
    names = [name for node in proto.graph.node for name in node.output if name]
    for chunk in chunks(names, CHUNK):
        found = tapped(runtime, proto, chunk, feed)
        if found is None:
            return None
        for name, array in found.items():
            if not telling(array):
                continue
            same = [place for place in known.get(array.size, []) if matches(array, record[place].value, factor)]
            agrees[name] = bool(same)
            there.update(same)
    return agrees, there


def suspect(node: onnx.NodeProto, agrees: Mapping[str, bool], passed: Mapping[str, bool]) -> bool:
    """Say whether a node's values are wrong, though those that it is given are right."""
    tested = [name for name in node.output if name in agrees]
    wrong = bool(tested) and not any(passed[name] for name in tested)
    return wrong and all(passed[name] for name in node.input if name in agrees)


def telling(value: Array) -> bool:
    """Say whether a value tells right from wrong: a softmax over one, a mask, a dead layer are the same in any case."""
    return value.dtype.kind == "f" and bool(((value != 0.0) & (value != 1.0)).any())


def origin_of(modules: Mapping[str, Mapping[str, str]], node: str) -> tuple[str, str]:
    """Return the torch module and the line of code that a node is from, '' where that is not known."""
    found = modules.get(node) or {}
    return found.get("module", ""), found.get("line", "")


def lacking(record: Sequence[Recorded], there: Container[int]) -> Place | None:
    """Return the first value of a record from which on nothing is in the file, though all before it is.

    Args:
        there: places of the values that are in the file.
    """
    passed = [place in there for place in range(len(record))]
    for place in reversed(range(len(record))):
        for source in record[place].sources:
            passed[source] = passed[source] or passed[place]
    told = [value.between and telling(value.value.exact) for value in record]
    missing = [place for place in range(len(record)) if told[place] and not passed[place]]

    def first_missing(asked: Sequence[bool]) -> list[Recorded]:
        return [
            record[place]
            for place in missing
            if all(passed[source] or not asked[source] for source in record[place].sources)
        ]

    # Of a mask nobody can say whether the file has it: it is asked for first, and passed over if that finds nothing.
    suspects = first_missing([value.between for value in record]) or first_missing(told)
    found = next((value for value in suspects if not value.moved), suspects[0] if suspects else None)
    return {"operation": found.name, "module": found.module, "line": found.line} if found and found.line else None


def fault(
    content: bytes, case: Case, runtimes: Sequence[SettingRow] | None = None, tolerance: float = 1.0
) -> str | None:
    """Say whether a file is wrong itself, or right and computed wrongly: `file`, `runtime`, or `alone`.

    The ONNX reference evaluator says what a file means. Where it is the arbiter itself, nobody else has spoken for it:
    if all runtimes disagree with it at every setting it stands `alone`, and who is right is not known.

    Args:
        runtimes: the rows of the runtime matrix, where the evaluator is the arbiter; see `everyone_differs`.
        tolerance: of the configuration, in limits.

    Returns:
        None where the evaluator does not evaluate this file, or nobody but it and the usual setting has spoken.
    """
    if runtimes is not None:
        if not others(runtimes):
            return None
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


def everyone_differs(runtimes: Sequence[SettingRow], tolerance: float) -> bool:
    """Say whether every runtime, at every setting that ran, is beyond the limit; not where none other ran.

    Args:
        runtimes: `evidence["runtimes"]`: rows with `setting`, `refused` and `ratio`, in limits. The usual setting is
            not among them: whoever asks has seen it fail.
    """
    ran = others(runtimes)
    return bool(ran) and all(not float(row["ratio"]) <= tolerance for row in ran)


def others(runtimes: Sequence[SettingRow]) -> list[SettingRow]:
    """Return the rows of runtimes and settings other than the usual one that gave something to compare."""
    return [
        row
        for row in runtimes
        if row["refused"] is None
        and row["elements"]
        and row["setting"] != ARBITERS_OWN
        and not row["setting"].endswith(EVENT_BY_EVENT)
    ]


def chunks(items: Sequence[str], size: int) -> list[Sequence[str]]:
    """Cut a list into pieces."""
    return [items[start : start + size] for start in range(0, len(items), size)]


def tapped(
    runtime: Runtime, proto: onnx.ModelProto, names: Sequence[str], feed: Mapping[str, Array]
) -> dict[str, Array] | None:
    """Return the values of some nodes' outputs, floating point alone; None if the copy does not run."""
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    there = {output.name for output in copy.graph.output}
    copy.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names if name not in there)
    try:
        number = runtime.open(copy.SerializeToString(), "disabled", 1)
        found = runtime.run(number, feed)
        runtime.close(number)
    except RefusedError:
        return None
    return {name: found[name] for name in names if name in found and found[name].dtype.kind == "f"}


def matches(value: Array, witnessed: Witnessed, factor: float) -> bool:
    """Say whether a value is one of the arbiter's, in any order of its axes."""
    orders = itertools.permutations(range(value.ndim)) if value.ndim <= MOST_AXES else [tuple(range(value.ndim))]
    exact, limit = witnessed.exact.ravel(), factor * witnessed.scale.ravel()
    return any((ratios(np.transpose(value, order).ravel(), exact, limit) <= 1.0).all() for order in orders)


def reaches_agreement(proto: onnx.ModelProto, agrees: Mapping[str, bool]) -> dict[str, bool]:
    """Say of each value whether it, or anything that is computed from it, agrees."""
    passed = dict.fromkeys((name for node in proto.graph.node for name in node.output), False)
    passed |= agrees
    for node in reversed(proto.graph.node):
        # What is made from a shape alone says nothing of the numbers.
        good = any(passed[name] for name in node.output) and node.op_type not in ("Shape", "Size")
        for name in node.input:
            if name in passed:
                passed[name] = passed[name] or good
    return passed
