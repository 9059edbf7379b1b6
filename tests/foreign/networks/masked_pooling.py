"""A deep set that zeroes padded constituents by boolean indexing, h[m] = 0."""

import torch.nn as nn


class Network(nn.Module):
    def __init__(self, dim=24):
        super().__init__()
        self.phi = nn.Sequential(nn.Linear(4, dim), nn.ReLU(), nn.Linear(dim, dim))
        self.rho = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, 2))

    def forward(self, constituents, mask):
        m = mask == 0
        h = self.phi(constituents)
        h[m] = 0
        h = h.sum(dim=1)
        return self.rho(h)
