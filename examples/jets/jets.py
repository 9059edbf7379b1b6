"""A deep set: the same small network looks at each jet, and a second one at the sum over the jets that are there."""

import torch
from torch import nn


class Network(nn.Module):
    scale: torch.Tensor

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        # Brings pt, eta, phi and btag to a size of about 1; a buffer, so that it ships with the weights.
        self.register_buffer("scale", torch.tensor([0.01, 0.5, 0.5, 1.0]))
        self.each = nn.Sequential(nn.Linear(4, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        self.event = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1))

    def forward(self, jets: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        # What stands in the padding must not count: times 0, not only hoped to be 0.
        found = self.each(jets * self.scale) * present.unsqueeze(-1)
        return torch.sigmoid(self.event(found.sum(dim=1)))
