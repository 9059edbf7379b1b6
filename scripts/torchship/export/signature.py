"""The inputs and outputs of a graph, against those that are declared."""

from collections.abc import Iterable

import onnx
from onnx import ModelProto, ValueInfoProto
from torchship.core.errors import ExportError
from torchship.data.domain import element_type
from torchship.export.contract import axes_of
from torchship.spec.tensor import Tensors

# How an axis is spelled that the graph says nothing of.
UNKNOWN = "?"


def check_graph(model: ModelProto, inputs: Tensors, outputs: Tensors) -> None:
    """Check a model's inputs and outputs against the declaration.

    Raises:
        ExportError: see `check_signature`.
    """
    check_signature("input", model.graph.input, inputs)
    check_signature("output", model.graph.output, outputs)


def check_signature(kind: str, values: Iterable[ValueInfoProto], declared: Tensors) -> None:
    """Check a graph's inputs or outputs against the declaration: names in order, type, and each axis.

    Raises:
        ExportError: with the name and both shapes; a dynamic axis that was frozen is named.
    """
    values = list(values)
    names = [value.name for value in values]
    if names != list(declared):
        raise ExportError(f"the graph has {kind}s {names}, declared are {list(declared)}")
    for value in values:
        wanted = list(declared[value.name].shape)
        tensor = value.type.tensor_type
        # What neither has a size nor a name is unknown, and no axis that was frozen.
        shape = [axis if axis != "" else UNKNOWN for axis in axes_of(value)]
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
