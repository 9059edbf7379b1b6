"""A critic with weight_norm and spectral_norm parametrisations left on its layers."""

import torch
import torch.nn as nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm


class Network(nn.Module):
    def __init__(self, width=24):
        super().__init__()
        self.first = weight_norm(nn.Linear(6, width))
        self.second = spectral_norm(nn.Linear(width, width))
        self.third = weight_norm(nn.Linear(width, width), dim=None)
        self.last = nn.Linear(width, 1)

    def forward(self, x):
        x = nn.functional.leaky_relu(self.first(x), 0.2)
        x = nn.functional.leaky_relu(self.second(x), 0.2)
        return self.last(torch.tanh(self.third(x)))
