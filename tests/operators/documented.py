"""A file as the CMS documentation has it: BatchNormalization of opset 9, with momentum; and what it must compute."""

import numpy as np
import onnx
from case_maker import Maker
from onnx import TensorProto, helper
from torchship.spec.tensor import Tensor


def graph_model(nodes, inputs, outputs, initializers=(), opset=13, functions=(), more=(), ir=8):
    described = [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in inputs]
    results = [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in outputs]
    graph = helper.make_graph(
        nodes, "g", described, results, [onnx.numpy_helper.from_array(v, n) for n, v in initializers]
    )
    imports = [helper.make_opsetid("", opset), *more]
    return helper.make_model(graph, opset_imports=imports, functions=list(functions), ir_version=ir)


def documented(broken=False):
    make = Maker(3)
    weights = {"w1": make.x(4, 8), "b1": make.x(8), "w2": make.x(8, 3), "b2": make.x(3)}
    for place in ("1", "2"):
        weights |= {f"scale{place}": make.x(4 if place == "1" else 8, low=0.5), f"shift{place}": make.x(4 if place == "1" else 8),
                    f"mean{place}": make.x(4 if place == "1" else 8), f"var{place}": make.x(4 if place == "1" else 8, low=0.2)}  # fmt: skip
    given = {name: value.copy() for name, value in weights.items()}
    if broken:
        given["mean2"] *= np.float32(1.01)

    def norm(place, source, result):
        return helper.make_node("BatchNormalization", [source, *(f"{name}{place}" for name in ("scale", "shift", "mean", "var"))],
                                [result], f"norm{place}", epsilon=1e-3, momentum=0.99)  # fmt: skip

    nodes = [norm("1", "x", "n1"), helper.make_node("MatMul", ["n1", "w1"], ["m1"], "dense1"), helper.make_node("Add", ["m1", "b1"], ["a1"]),
             helper.make_node("Relu", ["a1"], ["r1"]), norm("2", "r1", "n2"), helper.make_node("Gemm", ["n2", "w2", "b2"], ["g"], "dense2"),
             helper.make_node("Softmax", ["g"], ["y"], "softmax")]  # fmt: skip
    model = graph_model(
        nodes,
        [("x", TensorProto.FLOAT, ["batch", 4])],
        [("y", TensorProto.FLOAT, ["batch", 3])],
        given.items(),
        opset=9,
        ir=4,
    )

    def reference(x):
        x = x.astype(np.float64)
        wide = {name: value.astype(np.float64) for name, value in weights.items()}

        def normed(value, place):
            return (value - wide["mean" + place]) / np.sqrt(wide["var" + place] + np.float64(np.float32(1e-3))) * wide[
                "scale" + place
            ] + wide["shift" + place]

        hidden = np.maximum(normed(x, "1") @ wide["w1"] + wide["b1"], 0)
        powers = np.exp(normed(hidden, "2") @ wide["w2"] + wide["b2"])
        return powers / powers.sum(1, keepdims=True)

    return model.SerializeToString(), reference


INPUTS = {"x": Tensor(("batch", 4), low=-2.0, high=2.0)}
OUTPUTS = {"y": Tensor(("batch", 3))}
