"""What the files of the wall are made with: a model from nodes and weights, and changes of it. Nothing of the gate."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT, INT64, BOOL, UINT8, DOUBLE = (
    TensorProto.FLOAT,
    TensorProto.INT64,
    TensorProto.BOOL,
    TensorProto.UINT8,
    TensorProto.DOUBLE,
)
ML, MICROSOFT = "ai.onnx.ml", "com.microsoft"


def weights(seed, **shapes):
    """Return float32 weights by name, of the size of a trained layer's."""
    generator = np.random.default_rng(seed)
    return {
        name: (generator.standard_normal(shape) / np.sqrt(max(np.prod(shape[:1]), 1))).astype(np.float32)
        for name, shape in shapes.items()
    }


def wide(values):
    return {name: array.astype(np.float64) for name, array in values.items()}


def value(name, kind, shape):
    return helper.make_tensor_value_info(name, kind, shape)


def model(nodes, inputs, outputs, values, opset, ir, producer="elsewhere", others=(), as_inputs=False):
    """Return a model; `as_inputs` lists the weights among the inputs, as files of IR 3 must."""
    tensors = [numpy_helper.from_array(np.asarray(array), name) for name, array in values.items()]
    listed = [value(tensor.name, tensor.data_type, tensor.dims) for tensor in tensors] if as_inputs else []
    graph = helper.make_graph(nodes, "main_graph", [*inputs, *listed], outputs, tensors)
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, version) for domain, version in others)]
    return helper.make_model(graph, producer_name=producer, ir_version=ir, opset_imports=imports)


def rewrite(made, name, change):
    """Change a weight in place."""
    tensor = next(tensor for tensor in made.graph.initializer if tensor.name == name)
    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(change(numpy_helper.to_array(tensor))), name))


def set_attribute(made: onnx.ModelProto, operator, name, changed):
    """Set an attribute of an operator to another value, in place."""
    for node in made.graph.node:
        if node.op_type == operator:
            kept = [attribute for attribute in node.attribute if attribute.name != name]
            del node.attribute[:]
            node.attribute.extend([*kept, helper.make_attribute(name, changed)])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)
