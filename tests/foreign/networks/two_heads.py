"""Two inputs (jets, event), two outputs (class, mass): multi-task, residual trunk, GELU of the tanh form."""

import torch.nn as nn


class Network(nn.Module):
    def __init__(self, dim=24):
        super().__init__()
        self.jets = nn.Linear(12, dim)
        self.event = nn.Linear(5, dim)
        self.blocks = nn.ModuleList(
            [
                nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, dim), nn.GELU(approximate="tanh"), nn.Linear(dim, dim))
                for _ in range(3)
            ]
        )
        self.classify, self.mass = nn.Linear(dim, 3), nn.Linear(dim, 1)

    def forward(self, jets, event):
        x = self.jets(jets.flatten(1)) + self.event(event)
        for block in self.blocks:
            x = x + block(x)
        return self.classify(x).softmax(dim=1), 125 + 20 * self.mass(x)
