"""A GRU with linear_before_reset and an initial state as input, of opset 7."""

import numpy as np
from making import FLOAT, model, set_attribute, sigmoid, value, weights, wide
from onnx import helper

H = 5
W = weights(8, W=(1, 3 * H, 4), R=(1, 3 * H, H), B=(1, 6 * H))
BROKEN = "linear_before_reset is 0"


def make():
    nodes = [
        helper.make_node("GRU", ["X", "W", "R", "B", "", "state"], ["", "last"], hidden_size=H, linear_before_reset=1),
        helper.make_node("Squeeze", ["last"], ["y"], axes=[0]),
    ]
    return model(nodes, [value("X", FLOAT, ["time", "batch", 4]), value("state", FLOAT, [1, "batch", H])],
                 [value("y", FLOAT, ["batch", H])], W, 7, 3, as_inputs=True)  # fmt: skip


def reference(feed):
    w = wide(W)
    h = feed["state"][0].astype(np.float64)
    wz, wr, wh = np.split(w["W"][0], 3)
    rz, rr, rh = np.split(w["R"][0], 3)
    bz, br, bh, cz, cr, ch = np.split(w["B"][0], 6)
    for x in feed["X"].astype(np.float64):
        z = sigmoid(x @ wz.T + h @ rz.T + bz + cz)
        r = sigmoid(x @ wr.T + h @ rr.T + br + cr)
        n = np.tanh(x @ wh.T + bh + r * (h @ rh.T + ch))
        h = (1 - z) * n + z * h
    return {"y": h}


def broken(made):
    set_attribute(made, "GRU", "linear_before_reset", 0)
