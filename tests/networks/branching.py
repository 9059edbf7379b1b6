"""A network that takes another way for some batches, by their sum, and reads a number out of a tensor."""

import torch
from torch import nn


class Network(nn.Module):
    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.body, self.heavy, self.head = nn.Linear(2, width), nn.Linear(width, width), nn.Linear(width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = torch.relu(self.body(x))
        if x.sum() > 1.5:
            h = h + self.heavy(h)
        return torch.sigmoid(self.head(h) / (1.0 + x.abs().max().item()))
