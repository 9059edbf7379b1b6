"""Features are transformed in place, as physicists do: angles to the range of -pi to pi, momenta to logarithms."""

import torch
from torch import nn


class Network(nn.Module):
    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(2))
        self.body, self.head = nn.Linear(2, width), nn.Linear(width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # On the caller's own tensor, too.
        x[:, 0] = torch.log1p(x[:, 0].abs())
        h = x.clone()
        h[:, 1] = h[:, 1] + self.shift[1]
        return torch.sigmoid(self.head(torch.tanh(self.body(h))))
