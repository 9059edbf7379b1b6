"""A segmentation head of opset 7: Upsample with scales as attribute, BatchNormalization of seven, AveragePool, IR 3."""

import numpy as np
from making import FLOAT, model, set_attribute, value, weights, wide
from onnx import helper

W = weights(9, kernel=(2, 2, 1, 1), bias=(2,), scale=(2,), shift=(2,), mean=(2,))
W["scale"], W["var"] = W["scale"] + np.float32(1), np.array([0.01, 0.5], np.float32)
BROKEN = "eps of another value"


def make():
    nodes = [
        helper.make_node("AveragePool", ["image"], ["pooled"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node(
            "BatchNormalization", ["pooled", "scale", "shift", "mean", "var"], ["norm"], epsilon=1e-3, momentum=0.9
        ),
        helper.make_node("Upsample", ["norm"], ["up"], mode="nearest", scales=[1.0, 1.0, 2.0, 2.0]),
        helper.make_node("Conv", ["up", "kernel", "bias"], ["conv"], kernel_shape=[1, 1]),
        helper.make_node("Sigmoid", ["conv"], ["mask"]),
    ]
    return model(
        nodes, [value("image", FLOAT, ["N", 2, 6, 6])], [value("mask", FLOAT, ["N", 2, 6, 6])], W, 7, 3, as_inputs=True
    )


def reference(feed):
    w, x = wide(W), feed["image"].astype(np.float64)
    x = x.reshape(len(x), 2, 3, 2, 3, 2).mean(axis=(3, 5))

    def turn(name):
        return w[name][None, :, None, None]

    x = (x - turn("mean")) / np.sqrt(turn("var") + np.float32(1e-3)) * turn("scale") + turn("shift")
    x = x.repeat(2, axis=2).repeat(2, axis=3)
    x = np.einsum("bcij,dc->bdij", x, w["kernel"][:, :, 0, 0]) + turn("bias")
    return {"mask": 1 / (1 + np.exp(-x))}


def broken(made):
    set_attribute(made, "BatchNormalization", "epsilon", 1e-5)
