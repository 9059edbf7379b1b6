"""Multi-head attention among hits, with dropout, as torch's own layer has it."""

import torch
from torch import nn


class Network(nn.Module):
    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.embed, self.last = nn.Linear(3, width), nn.Linear(width, 1)
        self.attend = nn.MultiheadAttention(width, 2, dropout=0.1, batch_first=True)

    def forward(self, hits: torch.Tensor) -> torch.Tensor:
        h = self.embed(hits)
        h = h + self.attend(h, h, h, need_weights=False)[0]
        return torch.sigmoid(self.last(h.mean(dim=1)))
