"""Softmax of opset 11 with its default axis, 1, on three axes: over all further axes together."""

import numpy as np
from making import FLOAT, model, set_attribute, softmax, value, weights, wide
from onnx import helper

W = weights(12, w=(4, 4))
BROKEN = "softmax over the last axis alone"


def make():
    nodes = [helper.make_node("MatMul", ["x", "w"], ["scores"]), helper.make_node("Softmax", ["scores"], ["y"])]
    return model(nodes, [value("x", FLOAT, ["N", 3, 4])], [value("y", FLOAT, ["N", 3, 4])], W, 11, 6, "CNTK")


def reference(feed):
    scores = feed["x"].astype(np.float64) @ wide(W)["w"]
    return {"y": softmax(scores.reshape(len(scores), -1)).reshape(scores.shape)}


def broken(made):
    set_attribute(made, "Softmax", "axis", 2)
