"""A file that takes one event at a time and a scalar working condition, as a real-time system runs it; opset 13."""

import numpy as np
from making import FLOAT, model, rewrite, sigmoid, value, weights, wide
from onnx import helper

W = weights(13, w0=(5, 8), b0=(8,), w1=(8, 1))
BROKEN = "weights × 1.01"


def make():
    nodes = [
        helper.make_node("Gemm", ["x", "w0", "b0"], ["h"]),
        helper.make_node("Tanh", ["h"], ["t"]),
        helper.make_node("Mul", ["t", "gain"], ["g"]),
        helper.make_node("MatMul", ["g", "w1"], ["s"]),
        helper.make_node("Sigmoid", ["s"], ["y"]),
    ]
    return model(nodes, [value("x", FLOAT, [1, 5]), value("gain", FLOAT, [])], [value("y", FLOAT, [1, 1])], W, 13, 7)


def reference(feed):
    w = wide(W)
    return {"y": sigmoid(np.tanh(feed["x"] @ w["w0"] + w["b0"]) * np.float64(feed["gain"]) @ w["w1"])}


def broken(made):
    rewrite(made, "w0", lambda array: array * np.float32(1.01))
