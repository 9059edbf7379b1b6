"""A Keras image network as tf2onnx writes it: NHWC transposed to NCHW, Conv, Squeeze and Unsqueeze with attributes, opset 11."""

import numpy as np
from making import FLOAT, model, set_attribute, value, weights, wide
from onnx import helper

W = weights(2, kernel=(4, 1, 3, 3), bias=(4,), w=(4, 3))
BROKEN = "Relu leaks by 0.01, a layer replaced"


def make():
    nodes = [
        helper.make_node("Transpose", ["image"], ["nchw"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["nchw", "kernel", "bias"], ["conv"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("LeakyRelu", ["conv"], ["act"], alpha=0.3),
        helper.make_node("GlobalAveragePool", ["act"], ["pool"]),
        helper.make_node("Squeeze", ["pool"], ["flat"], axes=[2, 3]),
        helper.make_node("Unsqueeze", ["flat"], ["row"], axes=[1]),
        helper.make_node("MatMul", ["row", "w"], ["scores"]),
        helper.make_node("Squeeze", ["scores"], ["dense"], axes=[1]),
    ]
    return model(
        nodes, [value("image", FLOAT, ["unk__1", 8, 8, 1])], [value("dense", FLOAT, ["unk__2", 3])], W, 11, 6, "tf2onnx"
    )


def reference(feed):
    w = wide(W)
    x = np.pad(feed["image"][..., 0].astype(np.float64), ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))
    h = np.einsum("bijkl,ckl->bcij", windows, w["kernel"][:, 0]) + w["bias"][:, None, None]
    h = np.where(h > 0, h, np.float32(0.3) * h.astype(np.float64))
    return {"dense": h.mean(axis=(2, 3)) @ w["w"]}


def broken(made):
    set_attribute(made, "LeakyRelu", "alpha", 0.01)
