"""A network of nested modules, some of them from a neighbour's file, one called twice."""

import torch
from networks.origins.blocks import Convolution, swish
from torch import nn


class Embed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1d, self.norm = Convolution(4, 8), nn.BatchNorm1d(8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return swish(self.norm(self.conv1d(x)))


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inputEmbed = Embed()
        self.shared = nn.Linear(8, 8)
        self.attend = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.inputEmbed(x).transpose(1, 2)
        h = self.shared(torch.relu(self.shared(h)))
        h, _ = self.attend(h, h, h, need_weights=False)
        return h.sum(
            dim=1,
        )
