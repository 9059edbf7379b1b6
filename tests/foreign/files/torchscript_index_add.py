"""A sum over edges by torch's older exporter: index_add becomes ScatterElements without reduction. The file is its own twin."""

import io
import logging
import warnings

import numpy as np
import onnx
import torch
from torch import nn

BROKEN = None


class Sum(nn.Module):
    def forward(self, hits, edges):
        return torch.zeros_like(hits).index_add(0, edges[1], torch.tanh(hits[edges[0]]))


def make():
    with warnings.catch_warnings(), io.BytesIO() as stream:
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.CRITICAL)
        torch.onnx.export(
            Sum().eval(), (torch.randn(5, 3), torch.tensor([[0, 1, 2], [1, 2, 3]])), stream, dynamo=False, opset_version=16,
            input_names=["hits", "edges"], output_names=["sums"], dynamic_axes={"hits": {0: "hits"}, "edges": {1: "edges"}, "sums": {0: "hits"}},
        )  # fmt: skip
        return onnx.load_from_string(stream.getvalue())


def reference(feed):
    hits = feed["hits"].astype(np.float64)
    sums = np.zeros_like(hits)
    np.add.at(sums, feed["edges"][1], np.tanh(hits[feed["edges"][0]]))
    return {"sums": sums}
