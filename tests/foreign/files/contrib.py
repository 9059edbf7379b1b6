"""A file that ONNX Runtime's own optimizer has written: com.microsoft FusedMatMul and Gelu; opset 17."""

import math

import numpy as np
from making import FLOAT, MICROSOFT, model, set_attribute, value, weights, wide
from onnx import helper

W = weights(16, w0=(12, 6), b0=(12,), w1=(12, 2))
BROKEN = "alpha of the fused product is 1"


def make():
    nodes = [
        helper.make_node("FusedMatMul", ["x", "w0"], ["h"], domain=MICROSOFT, transB=1, alpha=0.5),
        helper.make_node("Add", ["h", "b0"], ["a"]),
        helper.make_node("Gelu", ["a"], ["g"], domain=MICROSOFT),
        helper.make_node("MatMul", ["g", "w1"], ["y"]),
    ]
    return model(
        nodes,
        [value("x", FLOAT, ["N", 6])],
        [value("y", FLOAT, ["N", 2])],
        W,
        17,
        8,
        "onnxruntime",
        others=[(MICROSOFT, 1)],
    )


def reference(feed):
    w = wide(W)
    a = 0.5 * (feed["x"] @ w["w0"].T) + w["b0"]
    gelu = 0.5 * a * (1 + np.vectorize(math.erf)(a / math.sqrt(2))) if a.size else a
    return {"y": gelu @ w["w1"]}


def broken(made):
    set_attribute(made, "FusedMatMul", "alpha", 1.0)
