"""A normalising flow of affine coupling blocks (RealNVP): latent variables and the log density."""

import math

import torch
import torch.nn as nn


class Coupling(nn.Module):
    def __init__(self, dim, hidden, flip):
        super().__init__()
        self.flip = flip
        self.net = nn.Sequential(nn.Linear(dim // 2, hidden), nn.Tanh(), nn.Linear(hidden, dim))

    def forward(self, x):
        a, b = x.chunk(2, dim=1)
        if self.flip:
            a, b = b, a
        s, t = self.net(a).chunk(2, dim=1)
        s = torch.tanh(s)
        b = b * torch.exp(s) + t
        x = torch.cat([b, a] if self.flip else [a, b], dim=1)
        return x, s.sum(dim=1)


class Network(nn.Module):
    def __init__(self, dim=6, hidden=24, blocks=4):
        super().__init__()
        self.dim = dim
        self.blocks = nn.ModuleList([Coupling(dim, hidden, bool(i % 2)) for i in range(blocks)])

    def forward(self, x):
        log_det = torch.zeros(x.shape[0], device=x.device)
        for block in self.blocks:
            x, ld = block(x)
            log_det += ld
        log_prob = -0.5 * (x**2).sum(dim=1) - 0.5 * self.dim * math.log(2 * math.pi) + log_det
        return x, log_prob
