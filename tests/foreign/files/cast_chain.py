"""Pixels of uint8, flags of bool, counts of int64 and a double, all cast to float; opset 13."""

import numpy as np
from making import BOOL, DOUBLE, FLOAT, INT64, UINT8, model, rewrite, value, weights, wide
from onnx import helper

W = {**weights(14, w=(12, 3)), "pixel": np.array(255, np.float32)}
BROKEN = "pixels divided by 256 for 255"


def make():
    nodes = [helper.make_node("Cast", [name], [f"{name}_f"], to=FLOAT) for name in ("image", "flags", "counts", "time")]
    nodes += [
        helper.make_node("Div", ["image_f", "pixel"], ["scaled"]),
        helper.make_node("Not", ["flags"], ["veto"]),
        helper.make_node("Cast", ["veto"], ["veto_f"], to=FLOAT),
        helper.make_node("Concat", ["scaled", "flags_f", "veto_f", "counts_f", "time_f"], ["all"], axis=1),
        helper.make_node("MatMul", ["all", "w"], ["s"]),
        helper.make_node("Sigmoid", ["s"], ["y"]),
        helper.make_node("Cast", ["s"], ["level"], to=INT64),
    ]
    inputs = [
        value("image", UINT8, ["N", 6]),
        value("flags", BOOL, ["N", 2]),
        value("counts", INT64, ["N", 1]),
        value("time", DOUBLE, ["N", 1]),
    ]
    return model(nodes, inputs, [value("y", FLOAT, ["N", 3])], W, 13, 7)


def reference(feed):
    flags = feed["flags"].astype(np.float64)
    x = np.concatenate([feed["image"] / 255.0, flags, 1 - flags, feed["counts"], feed["time"]], axis=1)
    return {"y": 1 / (1 + np.exp(-(x @ wide(W)["w"])))}


def broken(made):
    rewrite(made, "pixel", lambda _: np.array(256, np.float32))
