"""A multilayer perceptron with batch normalisation: what most analyses use."""

import torch
from torch import nn


class Network(nn.Module):
    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.first = nn.Linear(4, width)
        self.norm = nn.BatchNorm1d(width)
        self.second = nn.Linear(width, width)
        self.last = nn.Linear(width, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.first(x)))
        return torch.softmax(self.last(torch.tanh(self.second(x))), dim=1)
