"""Operator sets: how a translated model is brought down to an older one."""

import logging

import onnx
import onnxscript.optimizer
import onnxscript.version_converter
from onnx import ModelProto, NodeProto, defs
from torchship.core.errors import ExportError
from torchship.export import origins
from torchship.export.contract import all_nodes


def bring(model: ModelProto, opset: int) -> ModelProto:
    """Bring a translated model to an older operator set, each node with its origin; a model that has it stays as it is.

    onnxscript's converter is tried first, as torch itself does, then `lower`.

    Raises:
        ExportError: see `lower`.
    """
    (have,) = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    if have <= opset:
        return model
    # It prints the traceback of a conversion that fails; then `lower` says why.
    logging.getLogger("onnxscript").setLevel(logging.CRITICAL)
    converted = onnxscript.ir.from_proto(model)
    onnxscript.version_converter.convert_version(converted, opset, fallback=True)
    onnxscript.optimizer.optimize_ir(converted)
    older = ModelProto.FromString(onnxscript.ir.to_proto(converted).SerializeToString())
    if invalid(older):
        # The converter keeps attributes that the older set does not have, as ReduceMean's noop_with_empty_axes.
        return lower(model, opset)
    origins.carry(model.graph, older.graph)
    return lower(older, opset)


def invalid(model: ModelProto) -> str | None:
    """Return what onnx's checker finds wrong with a model, in one line, None if it is valid."""
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:  # the checker and shape inference raise types of their own
        return " ".join(str(error).split())[:200]
    return None


# Operators whose newer forms, up to opset 20, differ from those since opset 11 only in element types that are not used
# here, or in attributes that default to what was so before (onnx's Changelog.md).
UNCHANGED = frozenset(
    "Abs Add AveragePool BatchNormalization Cast Ceil Clip Concat Constant Conv Cos Div Elu Equal Erf Exp Expand "
    "Flatten Floor Gather GatherElements Gemm Greater Identity LeakyRelu Less Log MatMul Max MaxPool Min Mul Neg Not "
    "PRelu Pow Reciprocal Relu Reshape Selu Shape Sigmoid Sign Sin Slice Softplus Sqrt Sub Tanh Tile Transpose "
    "Where".split()
)
# The same for these where they act on the last axis alone.
LAST_AXIS = frozenset(["Softmax", "LogSoftmax"])
# Since when these are over one axis, the last by default; before over all from one on, the second by default.
SOFTMAX_OF_ONE_AXIS = 13


def lower(model: ModelProto, opset: int) -> ModelProto:
    """Bring a model to an older operator set than the exporter reaches, where its operators mean the same there.

    onnx's own version converter stops at operators that differ in their types alone, such as Relu; torch falls back to
    18 then. What is brought down here is checked against the older set's schemas, and by the gate like any other file.

    Raises:
        ExportError: the message names the operators that the older set lacks, or has in another form.
    """
    (have,) = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    if have <= opset:
        return model
    changed = {
        f"{node.op_type} (since {since})"
        for node in all_nodes(model.graph)
        if (since := defs.get_schema(node.op_type, have).since_version) > opset
        and node.op_type not in UNCHANGED
        and not (node.op_type in LAST_AXIS and acts_on_last_axis(node, model))
    }
    problem = f"{', '.join(sorted(changed))} are newer" if changed else None
    if problem is None:
        older = ModelProto()
        older.CopyFrom(model)
        for node in all_nodes(older.graph):
            if node.op_type in LAST_AXIS and not any(attribute.name == "axis" for attribute in node.attribute):
                node.attribute.append(onnx.helper.make_attribute("axis", default_axis(have)))
        older.opset_import[0].version = opset
        problem = invalid(older)
    if problem is not None:
        raise ExportError(
            f"torch exports this network with opset {have} at least, and it cannot be brought to opset {opset}: "
            f"{problem}; choose a target with opset {have} or newer, or write these operations by older ones"
        )
    return older


def acts_on_last_axis(node: NodeProto, model: ModelProto) -> bool:
    """Say whether a softmax is over the last axis, named from the end or, of [batch, classes], as 1."""
    (have,) = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), default_axis(have))
    ranks = {
        value.name: len(value.type.tensor_type.shape.dim)
        for value in [*model.graph.value_info, *model.graph.input, *model.graph.output]
    }
    return axis == -1 or ranks.get(node.output[0]) == axis + 1


def default_axis(opset: int) -> int:
    """Return the axis of a softmax that names none: the last, before opset 13 the first after the batch."""
    return -1 if opset >= SOFTMAX_OF_ONE_AXIS else 1
