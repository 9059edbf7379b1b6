"""Shared convolutions over the three pairings of four jets, residual dijet and quadjet blocks, ghost batch norm: HCR style."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

PAIRINGS = (0, 1, 2, 3, 0, 2, 1, 3, 0, 3, 1, 2)


class GhostBatchNorm1d(nn.Module):
    def __init__(self, features, ghost_batch_size=16, momentum=0.1, eps=1e-3):
        super().__init__()
        self.ghost_batch_size, self.momentum, self.eps = ghost_batch_size, momentum, eps
        self.gamma = nn.Parameter(torch.ones(1, features, 1))
        self.beta = nn.Parameter(torch.zeros(1, features, 1))
        self.register_buffer("m", torch.zeros(1, features, 1))
        self.register_buffer("s", torch.ones(1, features, 1))

    def forward(self, x):
        if self.training:
            n = max(1, x.shape[0] // self.ghost_batch_size)
            ghosts = x[: n * (x.shape[0] // n)].view(n, -1, x.shape[1], x.shape[2])
            mean = ghosts.mean(dim=(1, 3)).mean(0).view(1, -1, 1)
            std = ghosts.std(dim=(1, 3), unbiased=False).mean(0).view(1, -1, 1)
            self.m.mul_(1 - self.momentum).add_(self.momentum * mean.detach())
            self.s.mul_(1 - self.momentum).add_(self.momentum * std.detach())
        else:
            mean, std = self.m, self.s
        return self.gamma * (x - mean) / (std + self.eps) + self.beta


class Residual(nn.Module):
    """Two layers of a stride-1 convolution over the objects, shared by all of them."""

    def __init__(self, dim):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv1d(dim, dim, 1, bias=False), nn.Conv1d(dim, dim, 1, bias=False)
        self.norm1, self.norm2 = GhostBatchNorm1d(dim), GhostBatchNorm1d(dim)

    def forward(self, x):
        x0 = x
        x = F.silu(self.norm1(self.conv1(x)))
        x = self.norm2(self.conv2(x))
        return F.silu(x + x0)


class Network(nn.Module):
    def __init__(self, dim=8):
        super().__init__()
        self.register_buffer("order", torch.tensor(PAIRINGS))
        self.jet_embed = nn.Conv1d(5, dim, 1)
        self.dijet_embed = nn.Conv1d(2, dim, 1)
        self.to_dijet = nn.Conv1d(dim, dim, 2, stride=2)
        self.to_quadjet = nn.Conv1d(dim, dim, 2, stride=2)
        self.dijets = nn.ModuleList([Residual(dim) for _ in range(2)])
        self.quadjets = nn.ModuleList([Residual(dim) for _ in range(2)])
        self.attention = nn.Conv1d(dim, 1, 1)
        self.out = nn.Linear(dim, 4)

    def forward(self, jets, dijets):
        """jets: (batch, 16), four each of pt, eta, phi and mass; dijets: (batch, 12), masses and ΔR of the six dijets."""
        j = jets.view(-1, 4, 4).clone()
        j[:, (0, 3), :] = torch.log1p(j[:, (0, 3), :] / 50)
        # phi only as differences to the leading jet, brought to (-pi, pi]
        dphi = j[:, 2, :] - j[:, 2, :1]
        dphi = torch.where(dphi > math.pi, dphi - 2 * math.pi, torch.where(dphi < -math.pi, dphi + 2 * math.pi, dphi))
        j = torch.cat([j[:, :2], torch.cos(dphi).unsqueeze(1), torch.sin(dphi).unsqueeze(1), j[:, 3:]], dim=1)
        j = F.silu(self.jet_embed(j[:, :, self.order]))
        d = self.to_dijet(j) + self.dijet_embed(torch.log1p(dijets.view(-1, 2, 6)))
        for block in self.dijets:
            d = block(d)
        q = self.to_quadjet(d)
        for block in self.quadjets:
            q = block(q)
        q_score = self.attention(q).squeeze(1).softmax(dim=1)
        e = torch.matmul(q, q_score.unsqueeze(2)).squeeze(2)
        return self.out(e).softmax(dim=1), q_score
