"""What a deployment target demands of a file before it runs: versions, operators, one file, and CMSSW's contract.

The last is that of `cms::Ort::ONNXRuntime` (PhysicsTools/ONNXRuntime), whose sources were compiled and run in both of
their generations: each line says what the target's class does with a file that breaks it. Some of that is silent.
"""

import json
import math
from collections.abc import Iterator, Mapping

import onnx
from google.protobuf.message import DecodeError
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, defs
from torchship.data.domain import element_type
from torchship.spec.axes import BATCH
from torchship.spec.target import CMSSW, INTO, Target
from torchship.spec.tensor import Tensor, Tensors, documents

# The element type that cms::Ort::ONNXRuntime reads and writes; it has no other.
CMSSW_TYPE = TensorProto.FLOAT

# The names of the domain of ONNX's own operators, and that of its trees and encoders, which ONNX Runtime is built with.
ONNX = ("", "ai.onnx")
ML = "ai.onnx.ml"
# That of the operators that ONNX Runtime itself makes when it optimizes, and which it alone has.
MICROSOFT = "com.microsoft"


def violations(
    content: bytes,
    target: Target,
    *,
    inputs: Tensors,
    outputs: Tensors,
    metadata: Mapping[str, object],
    input_shapes: bool = False,
) -> list[str]:
    """Return a line for everything in a file that its target does not take, or that its metadata says wrongly.

    Args:
        content: the file that ships.
        target: what it goes to.
        inputs, outputs: the declared tensors by name.
        metadata: what the file must say of itself, by key.
        input_shapes: the caller passes the sizes of further dynamic axes, as newer series of CMSSW can.
    """
    try:
        model = onnx.load_from_string(content)
    except DecodeError as error:
        return [f"the file is no ONNX model: {error}"]
    found = [*versions(model, target), *operators(model), *external(model), *wrong_metadata(model, metadata)]
    if target.contract == CMSSW:
        for kind, value, declared in signature(model, inputs, outputs):
            found += cmssw(kind, value, declared, into=target.generation == INTO, input_shapes=input_shapes)
        batches = fixed_batches(model, inputs, outputs)
        if len(set(batches.values())) > 1:
            found.append(
                f"cms::Ort::ONNXRuntime takes one batch for all inputs and outputs, but axis 0 is fixed to "
                f"{', '.join(f'{size} in {place}' for place, size in batches.items())}: any call throws an "
                "exception"
            )
    return found


def notes(content: bytes, target: Target, *, inputs: Tensors, outputs: Tensors) -> list[str]:
    """Return a line for everything that whoever calls a file at its target must keep to, or that nobody could check.

    Args:
        content, target, inputs, outputs: see `violations`.
    """
    model = onnx.load_from_string(content)
    fixed = fixed_batches(model, inputs, outputs) if target.contract == CMSSW else {}
    return [
        *unchecked(model, target),
        *(
            f"{place}: a caller must call with batch {size}; any other throws an exception"
            for place, size in fixed.items()
        ),
    ]


def unchecked(model: ModelProto, target: Target) -> list[str]:
    """Return a line for the operators of ONNX Runtime's own that a target may not have: no table says since when.

    Nothing where the file runs in the target's own runtime, which refuses what it does not have.
    """
    own = sorted({node.op_type for node in all_nodes(model.graph) if node.domain == MICROSOFT})
    if target.wheel or not own:
        return []
    return [
        (
            f"{MICROSOFT}'s operators {', '.join(own)} are ONNX Runtime's own, and nobody could check here whether "
            f"{target.onnxruntime} has them: run the file there, or write it without them"
        )
    ]


def fixed_batches(model: ModelProto, inputs: Tensors, outputs: Tensors) -> dict[str, int]:
    """Return the batch of each input and output that is fixed to one, as was declared."""
    sizes = {
        f"{kind} {value.name!r}": fixed_batch(value, declared)
        for kind, value, declared in signature(model, inputs, outputs)
    }
    return {place: size for place, size in sizes.items() if size is not None}


def signature(model: ModelProto, inputs: Tensors, outputs: Tensors) -> Iterator[tuple[str, ValueInfoProto, Tensors]]:
    """Yield the inputs and outputs of a model, each with its kind and what is declared of its kind."""
    # A weight may be listed among the inputs, as IR 3 had it.
    weights = {tensor.name for tensor in model.graph.initializer}
    yield from (("input", value, inputs) for value in model.graph.input if value.name not in weights)
    yield from (("output", value, outputs) for value in model.graph.output)


def versions(model: ModelProto, target: Target) -> list[str]:
    """Compare operator sets and IR version with what the target accepts."""
    found = []
    opset = operator_set(model)
    if opset > target.opset:
        found.append(
            f"opset {opset} is newer than the target's {target.opset}: lower export/opset, export "
            f"anew, or convert: onnx.version_converter.convert_version(model, {target.opset})"
        )
    # A runtime refuses an operator set that is named, whether a node uses it or not.
    ml = max((entry.version for entry in model.opset_import if entry.domain == ML), default=0)
    if ml > target.ml:
        found.append(
            f"opset {ml} of {ML} is newer than the target's {target.ml}: have it written in an older one, "
            f"as skl2onnx and onnxmltools do with target_opset={{'': {target.opset}, '{ML}': {target.ml}}}"
        )
    if model.ir_version > target.ir:
        found.append(
            f"IR version {model.ir_version} is newer than the target's {target.ir}: export anew, or lower it, which "
            f"changes no operator: model = onnx.load(file); model.ir_version = {target.ir}; onnx.save(model, file)"
        )
    return found


def operators(model: ModelProto) -> list[str]:
    """Name the operators that the file's own operator set does not have, or not in this form."""
    opset, nodes = operator_set(model), list(all_nodes(model.graph))
    local = {function.name for function in model.functions}
    foreign = sorted(
        {
            f"{node.domain}.{node.op_type}"
            for node in nodes
            if node.domain not in (*ONNX, ML, MICROSOFT) and node.op_type not in local
        }
    )
    if foreign:
        return [f"{', '.join(foreign)}: not operators of ONNX, nor of ONNX Runtime; write them by others"]
    missing = sorted({node.op_type for node in nodes if node.domain in ONNX and not defs.has(node.op_type, opset)})
    if missing:
        since = [
            f"{name} (since opset {newest(name)})" if newest(name) else f"{name} (of no opset)" for name in missing
        ]
        return [f"opset {opset} has no operator {', '.join(since)}: choose a newer target, or other layers"]
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:  # the checker and shape inference raise types of their own
        return [f"not a valid ONNX model: {' '.join(str(error).split())[:300]}"]
    return []


def operator_set(model: ModelProto) -> int:
    """Return the version of ONNX's operator set that a file is written in, 0 if it names none."""
    return next((entry.version for entry in model.opset_import if entry.domain in ONNX), 0)


def all_nodes(graph: GraphProto) -> Iterator[NodeProto]:
    """Return the nodes of a graph, and of the graphs within them."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in [attribute.g] * attribute.HasField("g") + list(attribute.graphs):
                yield from all_nodes(inner)


def newest(operator: str) -> int | None:
    """Return the operator set in which an operator last changed, None if there is no such operator."""
    return int(defs.get_schema(operator).since_version) if defs.has(operator) else None


def external(model: ModelProto) -> list[str]:
    """Find weights that are not in the file."""
    names = [tensor.name for tensor in model.graph.initializer if tensor.data_location == TensorProto.EXTERNAL]
    return [f"the data of {', '.join(names)} are in another file: only one is deployed, export anew"] if names else []


def wrong_metadata(model: ModelProto, expected: Mapping[str, object]) -> list[str]:
    """Compare what a file says of itself with what its consumers rely on: names, order of features and classes."""
    found = {entry.key: entry.value for entry in model.metadata_props}
    lines = []
    for key, value in sorted(expected.items()):
        if key not in found:
            lines.append(f"the metadata have no {key!r}, which its consumers read: export anew")
        elif found[key] != json.dumps(value, sort_keys=True):
            lines.append(
                f"the metadata's {key!r} is {found[key][:80]}, the configuration says {json.dumps(value)[:80]}"
            )
    return lines


def flat_length(tensor: Tensor) -> int | None:
    """Return the numbers of one event in the flat vector that cms::Ort::ONNXRuntime takes; None where it varies."""
    sizes = [axis for axis in tensor.shape if not isinstance(axis, str)]
    return None if any(isinstance(axis, str) and axis != BATCH for axis in tensor.shape) else math.prod(sizes)


def axes_of(value: ValueInfoProto) -> list[str | int]:
    """Return the axes of an input or output: a name where one is dynamic, which may be empty, a number where not."""
    return [dim.dim_value if dim.HasField("dim_value") else dim.dim_param for dim in value.type.tensor_type.shape.dim]


def fixed_batch(value: ValueInfoProto, declared: Tensors) -> int | None:
    """Return the batch that an input or output is fixed to, if it is declared so: shape [1, …]."""
    shape, wanted = axes_of(value), declared[value.name].shape if value.name in declared else ()
    return shape[0] if shape and isinstance(shape[0], int) and list(wanted[:1]) == shape[:1] else None


def cmssw(kind: str, value: ValueInfoProto, declared: Tensors, *, into: bool, input_shapes: bool) -> list[str]:
    """Return what cms::Ort::ONNXRuntime does not take of one input or output, and what it does with it.

    Args:
        into: whether the class is of the newer generation.
        input_shapes: the caller passes the sizes of further dynamic axes.
    """
    tensor, place, shape = value.type.tensor_type, f"{kind} {value.name!r}", axes_of(value)
    found = []
    if value.name not in declared:
        found.append(
            f"{place} is not declared: CMSSW finds inputs and outputs by their names; declared are "
            f"{', '.join(declared)}"
        )
    throws = kind == "input" or into
    if tensor.elem_type != CMSSW_TYPE:
        number = TensorProto.DataType.Name(tensor.elem_type)
        does = "throws an exception" if throws else "reads garbage without an error"
        found.append(f"{place} is {number}: cms::Ort::ONNXRuntime {does}; cast to float32 in the network")
    if not shape:
        return [*found, f"{place} is a scalar: the constructor throws an exception; give it a batch axis"]
    if isinstance(shape[0], int):
        if fixed_batch(value, declared) is None:
            found.append(
                f"{place} has shape {shape}: axis 0 must be the dynamic batch; another batch than {shape[0]} "
                "throws an exception"
            )
    elif value.name in declared and declared[value.name].shape[0] != BATCH:
        does = "an exception is thrown" if throws else "its data come out transposed, without an error,"
        found.append(f"{place} has axis 0 {shape[0]!r}: it must be the batch, or {does} as soon as both differ")
    free = [axis for axis in shape[1:] if isinstance(axis, str)]
    return found + further_axes(kind, place, free, into=into, input_shapes=input_shapes)


def further_axes(kind: str, place: str, free: list[str], *, into: bool, input_shapes: bool) -> list[str]:
    """Return what cms::Ort::ONNXRuntime does with dynamic axes beside the batch."""
    said = f"{place} has further dynamic axes {free}: "
    if free and kind == "output" and into:
        does = "run() throws an exception, with input_shapes as well, and asks for output_shapes in runInto(); "
        return [f"{said}{does}fix their sizes, or choose an older target"]
    if free and not input_shapes:
        does = "an exception unless the caller passes input_shapes; "
        return [f"{said}{does}fix their sizes, or set export/input_shapes"]
    return []


def expected_metadata(inputs: Tensors, outputs: Tensors, working_point: float) -> dict[str, object]:
    """Return what a consumer reads from a file: names, shapes, types, order of features and classes, flat lengths."""
    return {
        "inputs": documents(inputs),
        "outputs": documents(outputs),
        "types": {name: str(element_type(tensor)) for name, tensor in [*inputs.items(), *outputs.items()]},
        "flat_lengths": {name: flat_length(tensor) for name, tensor in [*inputs.items(), *outputs.items()]},
        "working_point": working_point,
    }
