"""Files that are correct though they look different: the gate must let them through."""

import copy
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import ModelProto, helper, numpy_helper


def variants(model: ModelProto) -> Iterator[tuple[str, bytes]]:
    """Return what was done to a correct file, and the file, which means the same."""
    yield "as exported", model.SerializeToString()
    for name, change in (("weights as constants", constants), ("Gemm as MatMul and Add", split_gemm),
                         ("other names", renamed), ("identities everywhere", identities),
                         ("a doubling undone", doubled)):  # fmt: skip
        changed = change(copy.deepcopy(model))
        if changed is not None:
            yield name, changed.SerializeToString()
    for level in ("BASIC",):
        yield f"optimized by ONNX Runtime, {level.lower()}", optimized(model, level)


def constants(model):
    nodes = [helper.make_node("Constant", [], [tensor.name], value=tensor) for tensor in model.graph.initializer]
    del model.graph.initializer[:]
    rest = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*nodes, *rest])
    return model


def split_gemm(model):
    places = [number for number, node in enumerate(model.graph.node) if node.op_type == "Gemm"]
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    if not places:
        return None
    for number in reversed(places):
        node = model.graph.node[number]
        turned = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
        name = f"{node.name}.matrix"
        matrix = weights[node.input[1]]
        model.graph.initializer.append(
            numpy_helper.from_array(np.ascontiguousarray(matrix.T if turned else matrix), name)
        )
        made = [helper.make_node("MatMul", [node.input[0], name], [f"{node.name}.product"], name=f"{node.name}.product"),
                helper.make_node("Add", [f"{node.name}.product", node.input[2]], list(node.output), name=node.name)]  # fmt: skip
        rest = list(model.graph.node)[number + 1 :]
        del model.graph.node[number:]
        model.graph.node.extend([*made, *rest])
    return model


def renamed(model):
    kept = {value.name for value in [*model.graph.input, *model.graph.output]}
    new: dict[str, str] = {}
    for node in model.graph.node:
        for field in (node.input, node.output):
            for place, name in enumerate(field):
                if name and name not in kept:
                    field[place] = new.setdefault(name, f"v{len(new)}")
    for tensor in model.graph.initializer:
        tensor.name = new.get(tensor.name, tensor.name)
    del model.graph.value_info[:]
    return model


def identities(model):
    nodes = []
    for number, node in enumerate(model.graph.node):
        nodes.append(node)
        for place, name in enumerate(node.output):
            if name:
                node.output[place] = f"{name}.{number}"
                nodes.append(helper.make_node("Identity", [f"{name}.{number}"], [name]))
    rest = [copy.deepcopy(node) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(rest)
    return model


def doubled(model):
    """Multiply an output by 2 and by a half, which is exact."""
    name = model.graph.output[0].name
    (node,) = [node for node in model.graph.node if name in node.output]
    node.output[list(node.output).index(name)] = f"{name}.once"
    for key, value in (("two", 2.0), ("half", 0.5)):
        model.graph.initializer.append(numpy_helper.from_array(np.float32(value), key))
    model.graph.node.append(helper.make_node("Mul", [f"{name}.once", "two"], [f"{name}.twice"]))
    model.graph.node.append(helper.make_node("Mul", [f"{name}.twice", "half"], [name]))
    return model


def optimized(model, level):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, f"ORT_ENABLE_{level}")
    options.log_severity_level = 4
    with tempfile.TemporaryDirectory() as folder:
        options.optimized_model_filepath = str(Path(folder) / "optimized.onnx")
        onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        made = onnx.load(options.optimized_model_filepath)
    # It imports all operator sets that it knows, the newest, which an older runtime refuses although nothing is of them.
    used = {node.domain for node in made.graph.node} | {""}
    imports = [one for one in made.opset_import if one.domain in used]
    del made.opset_import[:]
    made.opset_import.extend(imports)
    return made.SerializeToString()
