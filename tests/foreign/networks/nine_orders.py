"""Normalises features from 1e-4 (an impact parameter) to 1e5 (an energy) within the file, some by their logarithm."""

import torch
import torch.nn as nn


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mu", torch.tensor([2.0e-4, 5.0e4, 0.0, 4.0, 1.0e2, 3.0e-3]))
        self.register_buffer("sd", torch.tensor([1.5e-4, 2.5e4, 1.2, 1.5, 40.0, 1.0e-3]))
        self.layers = nn.ModuleList([nn.Linear(6, 24), nn.Linear(24, 24), nn.Linear(24, 2)])

    def forward(self, x):
        x = torch.cat([x[:, :3], torch.log(x[:, 3:4]), x[:, 4:]], dim=1)
        x = (x - self.mu) / self.sd
        for layer in self.layers[:-1]:
            x = torch.tanh(layer(x))
        return self.layers[-1](x)
