"""Operators whose attributes became inputs later: Clip, Pad, Slice, TopK, Dropout of opset 7."""

import numpy as np
from making import FLOAT, INT64, model, set_attribute, value, weights, wide
from onnx import helper

W = weights(10, w=(6, 4))
BROKEN = "clipped at 5 for 6"


def make():
    nodes = [
        helper.make_node("Slice", ["x"], ["first"], axes=[1], starts=[1], ends=[6]),
        helper.make_node("Clip", ["first"], ["clipped"], min=0.0, max=6.0),
        helper.make_node("Pad", ["clipped"], ["padded"], mode="constant", pads=[0, 0, 0, 1], value=1.0),
        helper.make_node("Dropout", ["padded"], ["kept"], ratio=0.5),
        helper.make_node("MatMul", ["kept", "w"], ["scores"]),
        helper.make_node("TopK", ["scores"], ["best", "which"], k=2, axis=1),
    ]
    return model(
        nodes,
        [value("x", FLOAT, ["N", 8])],
        [value("best", FLOAT, ["N", 2]), value("which", INT64, ["N", 2])],
        W,
        7,
        3,
        as_inputs=True,
    )


def reference(feed):
    x = np.clip(feed["x"][:, 1:6].astype(np.float64), 0, 6)
    scores = np.pad(x, ((0, 0), (0, 1)), constant_values=1.0) @ wide(W)["w"]
    which = np.argsort(-scores, axis=1, kind="stable")[:, :2]
    return {"best": np.take_along_axis(scores, which, axis=1), "which": which}


def broken(made):
    set_attribute(made, "Clip", "max", 5.0)
