"""Convolutions that pad and add a bias by hand where `type(self.bias) is nn.Parameter`, with ghost batch norm: multi-jet style."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class GhostBatchNorm1d(nn.Module):
    """Normalises chunks of the batch, running statistics in evaluation."""

    def __init__(self, features, ghost_batch_size=32, eps=1e-5):
        super().__init__()
        self.features, self.ghost, self.eps = features, ghost_batch_size, eps
        self.gamma = nn.Parameter(torch.ones(features))
        self.bias = nn.Parameter(torch.zeros(features))
        self.register_buffer("running_mean", torch.zeros(features))
        self.register_buffer("running_var", torch.ones(features))

    def forward(self, x):
        if self.training:
            chunks = x.split(self.ghost, dim=0)
            means = torch.stack([c.mean(dim=(0, 2)) for c in chunks])
            stds = torch.stack([c.var(dim=(0, 2), unbiased=False) for c in chunks])
            self.running_mean = 0.9 * self.running_mean + 0.1 * means.mean(0).detach()
            self.running_var = 0.9 * self.running_var + 0.1 * stds.mean(0).detach()
            mean, var = means.mean(0), stds.mean(0)
        else:
            mean, var = self.running_mean, self.running_var
        x = (x - mean[:, None]) / (var[:, None] + self.eps).sqrt()
        x = x * self.gamma[:, None]
        if type(self.bias) is nn.Parameter:
            x = x + self.bias[:, None]
        return x


class GhostConv(nn.Module):
    def __init__(self, channels_in, channels_out, stride=1):
        super().__init__()
        self.conv = nn.Conv1d(channels_in, channels_out, stride, stride=stride, bias=False)
        self.bias = nn.Parameter(torch.randn(channels_out) * 0.3)
        self.norm = GhostBatchNorm1d(channels_out)

    def forward(self, x):
        x = self.conv(x)
        if type(self.bias) is nn.Parameter:
            x = x + self.bias[None, :, None]
        return self.norm(x)


class Network(nn.Module):
    def __init__(self, dim=8):
        super().__init__()
        self.jets = GhostConv(4, dim)
        self.dijets = GhostConv(dim, dim, stride=2)
        self.select = nn.Conv1d(dim, 1, 1)
        self.out = nn.Linear(dim, 3)

    def forward(self, jets):
        x = F.silu(self.jets(jets))
        x = F.silu(self.dijets(x))
        score = self.select(x).softmax(dim=2)
        return self.out((x * score).sum(dim=2))
