"""An event classifier that takes logarithms of its energies in place, as analysis code does with columns of an array."""

import torch
import torch.nn as nn


class Network(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.register_buffer("mean", torch.tensor([4.0, 0.0, 0.0, 3.0, 2.0]))
        self.register_buffer("std", torch.tensor([1.5, 1.4, 1.8, 2.0, 1.2]))
        self.net = nn.Sequential(
            nn.Linear(5, hidden),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Linear(hidden, 1),
            nn.Sigmoid(),
        )

    def forward(self, x):
        x = x.clone()
        x[:, (0, 3)] = torch.log(x[:, (0, 3)])
        x -= self.mean
        x /= self.std
        x.clamp_(-5, 5)
        return self.net(x)
