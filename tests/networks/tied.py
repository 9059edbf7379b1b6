"""An autoencoder whose decoder is the encoder's weight, transposed, and whose score is read from a shared layer."""

import torch
from torch import nn


class Network(nn.Module):
    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.encode = nn.Linear(2, width)
        self.mix = nn.Linear(width, width)
        self.again = nn.Linear(width, width)
        # One matrix with two names.
        self.again.weight = self.mix.weight
        self.score = nn.Linear(width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = torch.tanh(self.mix(torch.tanh(self.encode(x))))
        h = torch.tanh(self.again(h))
        return torch.sigmoid(self.score(h))
