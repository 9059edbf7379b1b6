"""A point cloud of a thousand calorimeter hits: one function for each, pooled by mean, deviation and a learned weight."""

import torch
import torch.nn as nn


class Network(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.phi = nn.Sequential(nn.Linear(4, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        self.weight = nn.Linear(width, 1)
        self.rho = nn.Sequential(nn.Linear(3 * width, 16), nn.ReLU(), nn.Linear(16, 2))

    def forward(self, hits):
        h = self.phi(hits)
        attention = self.weight(h).softmax(dim=1)
        pooled = torch.cat([h.mean(1), h.std(1, unbiased=False), (attention * h).sum(1)], dim=-1)
        return self.rho(pooled)
