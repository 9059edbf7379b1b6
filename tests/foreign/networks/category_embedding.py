"""Embeds categories (particle type, charge) given as int64 beside numbers: tabular style, with a masked mean."""

import torch
import torch.nn as nn


class Network(nn.Module):
    def __init__(self, dim=6):
        super().__init__()
        self.pdg = nn.Embedding(12, dim, padding_idx=0)
        self.charge = nn.Embedding(3, 2)
        self.mlp = nn.Sequential(nn.Linear(dim + 2 + 3, 24), nn.LeakyReLU(0.1), nn.Linear(24, 16))
        self.out = nn.Linear(16, 2)

    def forward(self, kinematics, category, charge):
        e = torch.cat([self.pdg(category), self.charge(charge + 1), kinematics], dim=-1)
        h = self.mlp(e)
        real = (category != 0).float().unsqueeze(-1)
        return self.out((h * real).sum(1) / real.sum(1).add(1e-6))
