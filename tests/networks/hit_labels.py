"""Labels each hit of a track, and gives its charge: outputs of three axes, as of a network that segments or denoises."""

import torch
from torch import nn


class Network(nn.Module):
    def __init__(self, width: int = 6) -> None:
        super().__init__()
        self.memory = nn.GRU(3, width, batch_first=True, bidirectional=True)
        self.norm = nn.LayerNorm(2 * width)
        self.label, self.charge = nn.Linear(2 * width, 4), nn.Linear(2 * width, 1)

    def forward(self, hits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        out, _ = self.memory(hits)
        out = self.norm(out)
        return self.label(out), self.charge(out).exp()
