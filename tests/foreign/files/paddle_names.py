"""A classifier with paddle2onnx's names (save_infer_model/scale_0.tmp_1), opset 11, and Softmax with its axis left out."""

import numpy as np
from making import FLOAT, model, rewrite, softmax, value, weights, wide
from onnx import helper

W = {f"linear_{k}.{'w' if n[0] == 'w' else 'b'}_0": v for k, n, v in
     ((int(n[1]), n, v) for n, v in weights(3, w0=(6, 16), b0=(16,), w1=(16, 4), b1=(4,)).items())}  # fmt: skip
BROKEN = "a bias is dropped"


def make():
    nodes = [
        helper.make_node("MatMul", ["x", "linear_0.w_0"], ["linear_0.tmp_0"], name="p2o.MatMul.0"),
        helper.make_node("Add", ["linear_0.tmp_0", "linear_0.b_0"], ["linear_0.tmp_1"], name="p2o.Add.0"),
        helper.make_node("Tanh", ["linear_0.tmp_1"], ["tanh_0.tmp_0"], name="p2o.Tanh.0"),
        helper.make_node("MatMul", ["tanh_0.tmp_0", "linear_1.w_0"], ["linear_1.tmp_0"], name="p2o.MatMul.1"),
        helper.make_node("Add", ["linear_1.tmp_0", "linear_1.b_0"], ["linear_1.tmp_1"], name="p2o.Add.1"),
        helper.make_node("Softmax", ["linear_1.tmp_1"], ["save_infer_model/scale_0.tmp_1"], name="p2o.Softmax.0"),
    ]
    outputs = [value("save_infer_model/scale_0.tmp_1", FLOAT, [-1, 4])]
    outputs[0].type.tensor_type.shape.dim[0].Clear()  # an axis without a name
    inputs = [value("x", FLOAT, [None, 6])]
    return model(nodes, inputs, outputs, W, 11, 6, "PaddlePaddle")


def reference(feed):
    w = wide(W)
    h = np.tanh(feed["x"] @ w["linear_0.w_0"] + w["linear_0.b_0"])
    return {"save_infer_model/scale_0.tmp_1": softmax(h @ w["linear_1.w_0"] + w["linear_1.b_0"])}


def broken(made):
    rewrite(made, "linear_1.b_0", np.zeros_like)
