"""A model brought to float64, and what one unit roundoff is of each of its values."""

import numpy as np
import onnx
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper
from torchship.gate.witness.limits import UNIT_FLOAT32

# One unit roundoff of what a value is in the file.
UNITS = {
    TensorProto.FLOAT: UNIT_FLOAT32,
    TensorProto.FLOAT16: 2.0**-11,
    TensorProto.BFLOAT16: 2.0**-8,
    TensorProto.DOUBLE: 2.0**-53,
}
NARROW = frozenset({TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16})
# Attributes that hold a type of numbers.
TYPES = frozenset({"to", "dtype", "output_dtype", "output_datatype", "softmax_precision"})


def widen(model: ModelProto) -> ModelProto:
    """Return a copy of a model that computes in float64."""
    wide = ModelProto()
    wide.CopyFrom(model)
    _widen_graph(wide.graph)
    for function in wide.functions:
        for node in function.node:
            widen_node(node)
    return wide


def _widen_graph(graph: GraphProto) -> None:
    for tensor in graph.initializer:
        _widen_tensor(tensor)
    for sparse in graph.sparse_initializer:
        _widen_tensor(sparse.values)
    for value in [*graph.input, *graph.output, *graph.value_info]:
        _widen_type(value.type)
    for node in graph.node:
        widen_node(node)


def _widen_type(kind: onnx.TypeProto) -> None:
    match kind.WhichOneof("value"):
        case "tensor_type":
            if kind.tensor_type.elem_type in NARROW:
                kind.tensor_type.elem_type = TensorProto.DOUBLE
        case "sequence_type":
            _widen_type(kind.sequence_type.elem_type)
        case "optional_type":
            _widen_type(kind.optional_type.elem_type)


def widen_node(node: NodeProto) -> None:
    """Bring a node's constants and types to float64."""
    for attribute in node.attribute:
        if attribute.type == AttributeProto.TENSOR:
            _widen_tensor(attribute.t)
        elif attribute.type == AttributeProto.SPARSE_TENSOR:
            _widen_tensor(attribute.sparse_tensor.values)
        elif attribute.type == AttributeProto.TYPE_PROTO:
            _widen_type(attribute.tp)
        elif attribute.type == AttributeProto.GRAPH:
            _widen_graph(attribute.g)
        elif attribute.name in TYPES and attribute.type == AttributeProto.INT and attribute.i in NARROW:
            attribute.i = TensorProto.DOUBLE
        elif node.op_type == "Constant" and attribute.name in ("value_float", "value_floats"):
            values = attribute.f if attribute.name == "value_float" else list(attribute.floats)
            # A float attribute is a float32: its exact value in float64.
            attribute.CopyFrom(helper.make_attribute("value", numpy_helper.from_array(np.array(values, np.float64))))


def _widen_tensor(tensor: TensorProto) -> None:
    if tensor.data_type in NARROW:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float64), tensor.name))


def units_of(model: ModelProto) -> dict[str, float]:
    """Return one unit roundoff of each value whose type is known, in graphs within graphs as well."""
    try:
        known = onnx.shape_inference.infer_shapes(model)
    except Exception:
        known = model
    units: dict[str, float] = {}

    def gather(graph: GraphProto) -> None:
        for value in [*graph.input, *graph.output, *graph.value_info]:
            kind = value.type.tensor_type.elem_type
            if kind in UNITS:
                units[value.name] = UNITS[kind]
        for node in graph.node:
            for attribute in node.attribute:
                if attribute.type == AttributeProto.GRAPH:
                    gather(attribute.g)

    gather(known.graph)
    return units
