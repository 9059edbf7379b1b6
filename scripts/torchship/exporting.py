"""Export of an eager torch module to ONNX for one deployment target."""

import logging
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import torch
from torch import nn
from torchship.cases import traced_sizes
from torchship.domain import draw, element_type, uniform
from torchship.errors import ExportError


def export(module: nn.Module, inputs: Mapping[str, Any], outputs: Mapping[str, Any], opset: int) -> onnx.ModelProto:
    """Export with torch's exporter, dynamic axes and names as declared.

    Raises:
        ExportError: the exporter failed, or gave other names or axes than declared.
    """
    # It warns of every package that it could also convert and that is not installed. What matters is checked below.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    examples = example(inputs)
    axes = tuple(
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
                dynamic_shapes=axes,
                external_data=False,
            )
    except Exception as error:
        reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise ExportError(f"torch cannot export this network with opset {opset}: {reason}") from error
    assert program is not None  # noqa: S101 -- the type of a call that returns a program
    # The exporter's own class, brought to onnx's.
    model: onnx.ModelProto = onnx.ModelProto.FromString(program.model_proto.SerializeToString())
    check_signature("input", model.graph.input, inputs)
    check_signature("output", model.graph.output, outputs)
    return model


def example(inputs: Mapping[str, Any]) -> tuple[torch.Tensor, ...]:
    """Give inputs to trace with: from the domain, so that they are possible, each dynamic axis of its own size."""
    drawn = draw(inputs, dict.fromkeys(inputs, uniform), traced_sizes(inputs), np.random.default_rng(0))
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
