"""A long short-term memory over tracks in the order of their momenta."""

import torch
from torch import nn


class Network(nn.Module):
    def __init__(self, width: int = 5) -> None:
        super().__init__()
        self.memory, self.last = nn.LSTM(3, width, batch_first=True), nn.Linear(width, 1)

    def forward(self, hits: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.last(self.memory(hits)[0][:, -1]))
