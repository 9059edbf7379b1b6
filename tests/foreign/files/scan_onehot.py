"""A running sum by Scan, categories by OneHot, a choice by Where: opset 9."""

import numpy as np
from making import BOOL, FLOAT, INT64, model, rewrite, value, weights, wide
from onnx import helper

W = {
    **weights(11, table=(4, 3)),
    "depth": np.array(4, np.int64),
    "offon": np.array([0, 1], np.float32),
    "start": np.zeros(3, np.float32),
}
BROKEN = "another threshold of the choice"
W["half"] = np.array(0.5, np.float32)


def make():
    body = helper.make_graph(
        [helper.make_node("Add", ["sum", "row"], ["next"]), helper.make_node("Identity", ["next"], ["out"])], "body",
        [value("sum", FLOAT, [3]), value("row", FLOAT, [3])], [value("next", FLOAT, [3]), value("out", FLOAT, [3])],
    )  # fmt: skip
    nodes = [
        helper.make_node("OneHot", ["category", "depth", "offon"], ["hot"], axis=-1),
        helper.make_node("MatMul", ["hot", "table"], ["embedded"]),
        helper.make_node("Greater", ["x", "half"], ["large"]),
        helper.make_node("Where", ["large", "x", "embedded"], ["chosen"]),
        helper.make_node("Scan", ["start", "chosen"], ["total", "sums"], num_scan_inputs=1, body=body),
    ]
    return model(nodes, [value("x", FLOAT, ["N", 3]), value("category", INT64, ["N"])],
                 [value("sums", FLOAT, ["N", 3]), value("total", FLOAT, [3])], W, 9, 4)  # fmt: skip


def reference(feed):
    x = feed["x"].astype(np.float64)
    sums = np.cumsum(np.where(x > 0.5, x, wide(W)["table"][feed["category"]]), axis=0)
    return {"sums": sums, "total": sums[-1] if len(sums) else np.zeros(3)}


def broken(made):
    rewrite(made, "half", lambda array: array + np.float32(0.25))


assert BOOL
