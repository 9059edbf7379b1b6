"""What its neighbour imports: a convolution whose bias the exporter drops, and a function."""

import torch
from torch import nn


class Convolution(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.module = nn.Conv1d(inputs, outputs, 1, bias=False)
        self.bias = nn.Parameter(torch.randn(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.module(x)
        if type(self.bias) is nn.Parameter:
            x = x + self.bias[None, :, None]
        return x


def swish(x: torch.Tensor) -> torch.Tensor:
    return x * torch.sigmoid(x)
