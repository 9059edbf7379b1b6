"""The constants that an ONNX graph compares with: of comparisons, of clips, of trees of decisions."""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper
from torchship.export.contract import all_nodes
from torchship.gate.witness.thresholds import constants_of, some_of

COMPARING = frozenset("Clip Equal Greater GreaterOrEqual Less LessOrEqual Max Min".split())
# Attributes that hold what inputs are compared with, by the names that ai.onnx.ml and ai.onnx give them.
ATTRIBUTES = frozenset("max min nodes_splits nodes_values threshold".split())


def graph_constants(model: onnx.ModelProto) -> tuple[float, ...]:
    """Return the numbers that a file's graph compares with, sorted, evenly chosen if there are many."""
    known = {tensor.name: tensor for tensor in model.graph.initializer}
    found: list[NDArray[np.generic]] = []
    for node in all_nodes(model.graph):
        if node.op_type == "Constant":
            for attribute in node.attribute:
                if attribute.name == "value":
                    known[node.output[0]] = attribute.t
        if node.op_type in COMPARING:
            found += [numpy_helper.to_array(known[name]) for name in node.input if name in known]
        for attribute in node.attribute:
            if attribute.name in ATTRIBUTES:
                value = onnx.helper.get_attribute_value(attribute)
                found.append(numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else np.array(value))
    return some_of(constants_of([array for array in found if array.dtype.kind in "fiu"]))
