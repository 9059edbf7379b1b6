"""The XOR network of the CMS machine-learning documentation: two inputs, `hidden` sigmoids, one sigmoid output."""

import torch
from torch import nn


class Network(nn.Module):
    def __init__(self, hidden: int = 2) -> None:
        super().__init__()
        self.l1 = nn.Linear(2, hidden)
        self.l2 = nn.Linear(hidden, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.sigmoid(self.l1(x))
        return torch.sigmoid(self.l2(x))
