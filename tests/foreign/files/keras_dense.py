"""A Keras classifier as in the CMS documentation: dense layers, BatchNormalization of opset 9 with a momentum, softmax."""

import numpy as np
from making import FLOAT, model, rewrite, softmax, value, weights, wide
from onnx import helper

W = weights(1, w0=(10, 32), b0=(32,), gamma=(32,), beta=(32,), mean=(32,), w1=(32, 2), b1=(2,))
W["gamma"], W["var"] = W["gamma"] + np.float32(1.0), np.linspace(0.2, 3.0, 32, dtype=np.float32)
BROKEN = "stale statistics: a mean of zeros"


def make():
    nodes = [
        helper.make_node("MatMul", ["input:0", "w0"], ["sequential/dense/MatMul:0"]),
        helper.make_node("Add", ["sequential/dense/MatMul:0", "b0"], ["sequential/dense/BiasAdd:0"]),
        helper.make_node("Relu", ["sequential/dense/BiasAdd:0"], ["sequential/dense/Relu:0"]),
        helper.make_node("BatchNormalization", ["sequential/dense/Relu:0", "gamma", "beta", "mean", "var"],
                         ["sequential/batch_normalization/add:0"], epsilon=0.001, momentum=0.99),
        helper.make_node("MatMul", ["sequential/batch_normalization/add:0", "w1"], ["sequential/dense_1/MatMul:0"]),
        helper.make_node("Add", ["sequential/dense_1/MatMul:0", "b1"], ["sequential/dense_1/BiasAdd:0"]),
        helper.make_node("Softmax", ["sequential/dense_1/BiasAdd:0"], ["Identity:0"], axis=1),
    ]  # fmt: skip
    return model(
        nodes,
        [value("input:0", FLOAT, ["unk__6", 10])],
        [value("Identity:0", FLOAT, ["unk__7", 2])],
        W,
        9,
        6,
        "tf2onnx",
    )


def reference(feed):
    w = wide(W)
    h = np.maximum(feed["input:0"] @ w["w0"] + w["b0"], 0)
    h = (h - w["mean"]) / np.sqrt(w["var"] + np.float32(0.001)) * w["gamma"] + w["beta"]
    return {"Identity:0": softmax(h @ w["w1"] + w["b1"])}


def broken(made):
    rewrite(made, "mean", np.zeros_like)
