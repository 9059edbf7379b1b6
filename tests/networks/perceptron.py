"""A multilayer perceptron as analyses have them: 30 inputs, two hidden layers, one probability."""

from collections.abc import Sequence

import torch
from torch import nn


class Network(nn.Module):
    def __init__(self, inputs: int = 30, widths: Sequence[int] = (32, 16)) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in zip([inputs, *widths], widths, strict=False):
            layers += [nn.Linear(before, after), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], 1), nn.Sigmoid())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)
