"""A layer that keeps the norm of its weight as a number, anew whenever it is moved: a meta tensor has no numbers."""

import torch
from torch import nn


class Network(nn.Module):
    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(2, width), nn.Linear(width, 1)
        self.register_buffer("edges", torch.linspace(0, 1, 5))
        self.top = float(self.edges[-1])

    def _apply(self, fn, recurse=True):
        module = super()._apply(fn, recurse)
        module.top = float(self.edges[-1])
        return module

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.clamp(x, max=self.top)
        return torch.sigmoid(self.head(torch.tanh(self.body(x))))
