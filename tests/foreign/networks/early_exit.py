"""Returns early where nothing is to be done, with .item() in Python: data-dependent control flow."""

import torch.nn as nn


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.coarse, self.fine = nn.Linear(4, 1), nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, x):
        score = self.coarse(x)
        if score.max().item() < 0:
            return score
        return score + self.fine(x)
