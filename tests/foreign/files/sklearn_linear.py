"""A linear classifier as skl2onnx writes it: Normalizer, LinearClassifier with a logistic link, label and probabilities."""

import numpy as np
from making import FLOAT, INT64, ML, model, set_attribute, sigmoid, value, weights
from onnx import helper

W = weights(6, coefficients=(3, 5), intercepts=(3,))
W["coefficients"] = W["coefficients"] * np.float32(4)
BROKEN = "norm L2 for L1"


def make():
    nodes = [
        helper.make_node("Normalizer", ["X"], ["normalized"], domain=ML, norm="L1"),
        helper.make_node("LinearClassifier", ["normalized"], ["label", "probabilities"], domain=ML, multi_class=0, post_transform="LOGISTIC",
                         coefficients=W["coefficients"].ravel().tolist(), intercepts=W["intercepts"].tolist(), classlabels_ints=[0, 1, 2]),
    ]  # fmt: skip
    return model(nodes, [value("X", FLOAT, [None, 5])], [value("label", INT64, [None]), value("probabilities", FLOAT, [None, 3])],
                 {}, 13, 7, "skl2onnx", others=[(ML, 1)])  # fmt: skip


def reference(feed):
    x = feed["X"].astype(np.float64)
    x = x / np.abs(x).sum(axis=1, keepdims=True)
    scores = x @ W["coefficients"].T.astype(np.float64) + W["intercepts"]
    return {"label": scores.argmax(axis=1), "probabilities": sigmoid(scores)}


def broken(made):
    set_attribute(made, "Normalizer", "norm", "L2")
