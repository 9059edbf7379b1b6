"""A recurrent network that is run step by step, its states inputs and outputs, opset 9."""

import numpy as np
from making import FLOAT, model, rewrite, sigmoid, value, weights, wide
from onnx import helper

H = 6
W = weights(7, W=(1, 4 * H, 3), R=(1, 4 * H, H), B=(1, 8 * H))
BROKEN = "gates in torch's order (ifgo) for ONNX's (iofc)"


def make():
    node = helper.make_node("LSTM", ["X", "W", "R", "B", "", "h_in", "c_in"], ["Y", "h_out", "c_out"], hidden_size=H)
    state = [1, "batch", H]
    return model(
        [node], [value("X", FLOAT, ["time", "batch", 3]), value("h_in", FLOAT, state), value("c_in", FLOAT, state)],
        [value("Y", FLOAT, ["time", 1, "batch", H]), value("h_out", FLOAT, state), value("c_out", FLOAT, state)], W, 9, 4,
    )  # fmt: skip


def reference(feed):
    w = wide(W)
    h, c = feed["h_in"][0].astype(np.float64), feed["c_in"][0].astype(np.float64)
    outputs = []
    for x in feed["X"].astype(np.float64):
        gates = x @ w["W"][0].T + h @ w["R"][0].T + w["B"][0, : 4 * H] + w["B"][0, 4 * H :]
        i, o, f, g = np.split(gates, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        outputs.append(h)
    return {"Y": np.array(outputs).reshape(len(feed["X"]), 1, *h.shape), "h_out": h[None], "c_out": c[None]}


def broken(made):
    def torch_order(array):
        i, o, f, g = np.split(array, 4, axis=1)
        return np.concatenate([i, f, g, o], axis=1)

    rewrite(made, "W", torch_order)
