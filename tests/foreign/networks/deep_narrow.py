"""Fifty layers of width eight, without residual connections."""

import torch
import torch.nn as nn


class Network(nn.Module):
    def __init__(self, depth=50, width=8):
        super().__init__()
        self.first = nn.Linear(4, width)
        self.layers = nn.ModuleList([nn.Linear(width, width) for _ in range(depth - 2)])
        self.last = nn.Linear(width, 1)
        for layer in self.layers:
            nn.init.orthogonal_(layer.weight, gain=1.2)

    def forward(self, x):
        x = torch.tanh(self.first(x))
        for layer in self.layers:
            x = torch.tanh(layer(x))
        return self.last(x)
