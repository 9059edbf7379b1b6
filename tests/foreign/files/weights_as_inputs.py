"""A file of IR 3, whose weights are listed among its inputs, opset 8."""

import numpy as np
from making import FLOAT, model, rewrite, value, weights, wide
from onnx import helper

W = weights(15, w0=(7, 7), b0=(7,), w1=(7, 2), b1=(2,))
BROKEN = "a square weight is transposed"


def make():
    nodes = [
        helper.make_node("Gemm", ["data", "w0", "b0"], ["fc1"], transB=0),
        helper.make_node("PRelu", ["fc1", "b0"], ["act"]),
        helper.make_node("Gemm", ["act", "w1", "b1"], ["fc2"]),
    ]
    return model(
        nodes, [value("data", FLOAT, ["N", 7])], [value("fc2", FLOAT, ["N", 2])], W, 8, 3, "mxnet", as_inputs=True
    )


def reference(feed):
    w = wide(W)
    h = feed["data"] @ w["w0"] + w["b0"]
    return {"fc2": np.where(h > 0, h, h * w["b0"]) @ w["w1"] + w["b1"]}


def broken(made):
    rewrite(made, "w0", np.transpose)
