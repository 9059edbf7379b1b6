"""Newton's iteration in a Loop, and an If on the whole input's mean; opset 16."""

import numpy as np
from making import BOOL, FLOAT, INT64, model, rewrite, value
from onnx import helper

W = {
    "times": np.array(5, np.int64),
    "true": np.array(True),
    "half": np.array(0.5, np.float32),
    "limit": np.array(2.0, np.float32),
}
BROKEN = "one iteration"


def make():
    step = [
        helper.make_node("Div", ["x", "guess"], ["quotient"]),
        helper.make_node("Add", ["guess", "quotient"], ["both"]),
        helper.make_node("Mul", ["both", "half"], ["better"]),
        helper.make_node("Identity", ["go"], ["again"]),
    ]
    body = helper.make_graph(step, "body", [value("i", INT64, []), value("go", BOOL, []), value("guess", FLOAT, ["N", 2])],
                             [value("again", BOOL, []), value("better", FLOAT, ["N", 2])])  # fmt: skip
    branches = {
        f"{name}_branch": helper.make_graph(
            [helper.make_node(op, ["root"], [f"{name}_out"])], name, [], [value(f"{name}_out", FLOAT, ["N", 2])]
        )
        for name, op in (("then", "Neg"), ("else", "Identity"))
    }
    nodes = [
        helper.make_node("Loop", ["times", "true", "x"], ["root"], body=body),
        helper.make_node("ReduceMean", ["x"], ["mean"], keepdims=0),
        helper.make_node("Greater", ["mean", "limit"], ["large"]),
        helper.make_node("If", ["large"], ["y"], **branches),
    ]
    return model(nodes, [value("x", FLOAT, ["N", 2])], [value("y", FLOAT, ["N", 2])], W, 16, 8)


def reference(feed):
    x = feed["x"].astype(np.float64)
    root = x
    for _ in range(5):
        root = 0.5 * (root + x / root)
    return {"y": -root if x.mean() > 2 else root}


def broken(made):
    rewrite(made, "times", lambda _: np.array(1, np.int64))
