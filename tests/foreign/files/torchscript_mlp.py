"""A file of torch's older exporter (dynamo=False), opset 11: shapes by Shape, Gather and Concat, as in thousands of repositories."""

import io
import logging
import warnings

import numpy as np
import onnx
import torch
from making import rewrite, softmax, weights
from torch import nn

W = weights(18, w0=(16, 12), b0=(16,), w1=(3, 16), b1=(3,))
BROKEN = "a bias is dropped"


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(12, 16), nn.Linear(16, 3)

    def forward(self, x):
        x = x.view(x.size(0), -1)
        return self.fc2(torch.relu(self.fc1(x))).softmax(dim=1)


def make():
    module = Mlp().eval()
    module.load_state_dict(
        {f"fc{k}.{kind}": torch.from_numpy(W[f"{kind[0]}{k - 1}"]) for k in (1, 2) for kind in ("weight", "bias")}
    )
    with warnings.catch_warnings(), io.BytesIO() as stream:
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        torch.onnx.export(module, (torch.randn(2, 3, 4),), stream, dynamo=False, opset_version=11, input_names=["x"],
                          output_names=["y"], dynamic_axes={"x": {0: "batch_size"}, "y": {0: "batch_size"}})  # fmt: skip
        return onnx.load_from_string(stream.getvalue())


def reference(feed):
    x = feed["x"].reshape(len(feed["x"]), -1).astype(np.float64)
    w = {name: array.astype(np.float64) for name, array in W.items()}
    return {"y": softmax(np.maximum(x @ w["w0"].T + w["b0"], 0) @ w["w1"].T + w["b1"])}


def broken(made):
    rewrite(made, "fc1.bias", np.zeros_like)
