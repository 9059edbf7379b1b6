"""A file of opset 21: LayerNormalization, Gelu, ReduceSum with axes as input, of IR 10."""

import math

import numpy as np
from making import FLOAT, model, set_attribute, value, weights, wide
from onnx import helper

W = {**weights(17, w=(6, 8), scale=(8,), shift=(8,)), "axis": np.array([1], np.int64)}
W["scale"] = W["scale"] + np.float32(2)
BROKEN = "Gelu of the tanh form"


def make():
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"]),
        helper.make_node("LayerNormalization", ["h", "scale", "shift"], ["n"], epsilon=1e-5),
        helper.make_node("Gelu", ["n"], ["g"]),
        helper.make_node("ReduceSum", ["g", "axis"], ["y"], keepdims=1),
    ]
    return model(nodes, [value("x", FLOAT, ["N", 6])], [value("y", FLOAT, ["N", 1])], W, 21, 10, "onnxscript")


def reference(feed):
    w = wide(W)
    h = feed["x"] @ w["w"]
    h = (h - h.mean(axis=1, keepdims=True)) / np.sqrt(h.var(axis=1, keepdims=True) + np.float32(1e-5)) * w["scale"] + w[
        "shift"
    ]
    gelu = 0.5 * h * (1 + np.vectorize(math.erf)(h / math.sqrt(2))) if h.size else h
    return {"y": gelu.sum(axis=1, keepdims=True)}


def broken(made):
    set_attribute(made, "Gelu", "approximate", "tanh")
