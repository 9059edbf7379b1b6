"""Hits of an event, some of them padding: only those that are there go through the network."""

import torch
from torch import nn


class Network(nn.Module):
    def __init__(self, width: int = 6) -> None:
        super().__init__()
        self.embed, self.last = nn.Linear(3, width), nn.Linear(width, 1)

    def forward(self, hits: torch.Tensor) -> torch.Tensor:
        there = hits[:, :, 0] > 0
        pooled = hits.new_zeros(len(hits), self.last.in_features)
        embedded = torch.relu(self.embed(hits[there]))
        pooled = pooled.index_add(0, there.nonzero()[:, 0], embedded)
        return torch.sigmoid(self.last(pooled / there.sum(dim=1, keepdim=True).clamp(min=1)))
