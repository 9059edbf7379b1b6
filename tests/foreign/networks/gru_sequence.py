"""A bidirectional GRU(batch_first=True) over calorimeter time samples, with an output for every sample."""

import torch.nn as nn


class Network(nn.Module):
    def __init__(self, hidden=12):
        super().__init__()
        self.gru = nn.GRU(3, hidden, batch_first=True, bidirectional=True)
        self.norm = nn.LayerNorm(2 * hidden)
        self.energy = nn.Linear(2 * hidden, 1)

    def forward(self, samples):
        out, _ = self.gru(samples)
        return self.energy(self.norm(out))
