"""Export of an eager torch module to ONNX for one deployment target."""

import logging
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import torch
from onnx import defs
from torch import nn
from torchship.axis_sizes import EVERY, Axes, traced_sizes
from torchship.domain import draw, element_type, uniform
from torchship.errors import ExportError


def export(
    module: nn.Module, inputs: Mapping[str, Any], outputs: Mapping[str, Any], opset: int, axes: Axes = EVERY
) -> onnx.ModelProto:
    """Export with torch's exporter, dynamic axes and names as declared.

    Raises:
        ExportError: the exporter failed, or gave other names or axes than declared.
    """
    # They warn of every package that they could also convert and that is not installed, and print the traceback of a
    # conversion to an older operator set that fails. What matters is checked below.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    logging.getLogger("onnxscript").setLevel(logging.CRITICAL)
    examples = example(inputs, axes)
    dynamic = tuple(
        {i: torch.export.Dim(axis) for i, axis in enumerate(tensor["shape"]) if isinstance(axis, str)}
        for tensor in inputs.values()
    )
    try:
        with warnings.catch_warnings():
            # torch's own code is what it warns about here: deprecated calls within torch.export.
            warnings.filterwarnings("ignore", category=FutureWarning)
            program = torch.onnx.export(
                module.eval(),
                examples,
                None,
                dynamo=True,
                verbose=False,
                opset_version=opset,
                input_names=list(inputs),
                output_names=list(outputs),
                dynamic_shapes=dynamic,
                external_data=False,
            )
    except Exception as error:
        reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise ExportError(f"torch cannot export this network with opset {opset}: {reason}") from error
    assert program is not None  # noqa: S101 -- the type of a call that returns a program
    # The exporter's own class, brought to onnx's.
    model: onnx.ModelProto = onnx.ModelProto.FromString(program.model_proto.SerializeToString())
    model = lower(model, opset)
    check_signature("input", model.graph.input, inputs)
    check_signature("output", model.graph.output, outputs)
    return model


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


def lower(model: onnx.ModelProto, opset: int) -> onnx.ModelProto:
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
        for node in model.graph.node
        if (since := defs.get_schema(node.op_type, have).since_version) > opset
        and node.op_type not in UNCHANGED
        and not (node.op_type in LAST_AXIS and acts_on_last_axis(node, model))
    }
    problem = f"{', '.join(sorted(changed))} are newer" if changed else None
    if problem is None:
        older = onnx.ModelProto()
        older.CopyFrom(model)
        older.opset_import[0].version = opset
        try:
            onnx.checker.check_model(older, full_check=True)
        except Exception as error:  # the checker and shape inference raise types of their own
            problem = " ".join(str(error).split())[:200]
    if problem is not None:
        raise ExportError(
            f"torch exports this network with opset {have} at least, and it cannot be brought to opset {opset}: "
            f"{problem}; choose a target with opset {have} or newer, or write these operations by older ones"
        )
    return older


def acts_on_last_axis(node: onnx.NodeProto, model: onnx.ModelProto) -> bool:
    """Say whether a softmax is over the last axis, named from the end or, of [batch, classes], as 1."""
    axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), -1)
    ranks = {value.name: len(value.type.tensor_type.shape.dim)
             for value in [*model.graph.value_info, *model.graph.input, *model.graph.output]}  # fmt: skip
    return axis == -1 or ranks.get(node.output[0]) == axis + 1


def example(inputs: Mapping[str, Any], axes: Axes = EVERY) -> tuple[torch.Tensor, ...]:
    """Give inputs to trace with: from the domain, so that they are possible, each dynamic axis of its own size."""
    drawn = draw(inputs, dict.fromkeys(inputs, uniform), traced_sizes(inputs, axes), np.random.default_rng(0))
    return tuple(torch.from_numpy(array) for array in drawn.values())


def check_signature(kind: str, values: Any, declared: Mapping[str, Any]) -> None:
    """Check a graph's inputs or outputs against the declaration: names in order, type, and each axis.

    Raises:
        ExportError: with the name and both shapes; a dynamic axis that was frozen is named.
    """
    names = [value.name for value in values]
    if names != list(declared):
        raise ExportError(f"the graph has {kind}s {names}, declared are {list(declared)}")
    for value in values:
        wanted = declared[value.name]["shape"]
        tensor = value.type.tensor_type
        shape = [dim.dim_param or dim.dim_value for dim in tensor.shape.dim]
        found, declared_type = (
            onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type),
            element_type(declared[value.name]),
        )
        if found != declared_type:
            raise ExportError(f"{kind} {value.name!r} is {found}, declared {declared_type}")
        frozen = [
            axis for axis, have in zip(wanted, shape, strict=False) if isinstance(axis, str) and isinstance(have, int)
        ]
        if frozen:
            raise ExportError(
                f"{kind} {value.name!r}: axis {frozen[0]!r} is frozen, the graph has {shape}, declared {wanted}"
            )
        if shape != wanted:
            raise ExportError(f"{kind} {value.name!r} has shape {shape}, declared {wanted}")
