"""Graph attention over hits and edges: gathers, and sums by repeated indices."""

import torch
from torch import nn


class Network(nn.Module):
    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.embed = nn.Linear(3, width)
        self.score = nn.Linear(2 * width, 1)
        self.last = nn.Linear(2 * width, 2)

    def forward(self, hits: torch.Tensor, edges: torch.Tensor) -> torch.Tensor:
        h = torch.tanh(self.embed(hits))
        source, target = h.index_select(0, edges[0]), h.index_select(0, edges[1])
        weight = torch.exp(torch.tanh(self.score(torch.cat([source, target], dim=1))))
        total = torch.zeros_like(h[:, :1]).index_add(0, edges[1], weight)
        summed = torch.zeros_like(h).index_add(0, edges[1], weight * source)
        return self.last(torch.cat([h, summed / (total + 1e-6)], dim=1))
