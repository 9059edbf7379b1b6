"""A small convolutional network over images of a calorimeter: one probability."""

import torch
from torch import nn


class Network(nn.Module):
    def __init__(self, channels: int = 8) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, 2 * channels, 3, stride=2)
        self.last = nn.Linear(2 * channels, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.first(image))
        x = torch.relu(self.second(x))
        return torch.sigmoid(self.last(x.mean(dim=(2, 3))))
