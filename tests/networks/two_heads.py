"""A class and an energy, from one body: the second head is not used by the first output."""

import torch
from torch import nn


class Network(nn.Module):
    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.body = nn.Linear(2, width)
        self.head, self.energy = nn.Linear(width, 1), nn.Linear(width, 3)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        h = torch.tanh(self.body(x))
        return [torch.sigmoid(self.head(h)), self.energy(h)]
