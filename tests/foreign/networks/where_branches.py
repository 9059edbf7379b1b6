"""A calibration with other functions for barrel, transition and endcap by torch.where, guarded against a square root of nothing."""

import torch
import torch.nn as nn


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.barrel, self.endcap = (nn.Sequential(nn.Linear(3, 16), nn.Softplus(), nn.Linear(16, 1)) for _ in range(2))

    def forward(self, cluster):
        eta, raw = cluster[:, 1:2].abs(), cluster[:, 0:1]
        x = torch.cat([torch.log(raw), eta, cluster[:, 2:]], dim=1)
        correction = torch.where(eta < 1.4442, self.barrel(x), self.endcap(x))
        transition = (eta > 1.4442) & (eta < 1.566)
        correction = torch.where(transition, torch.ones_like(correction), correction)
        resolution = torch.where(raw > 10.0, torch.sqrt((raw - 10.0).clamp(min=0.0)) / raw, torch.zeros_like(raw))
        return raw * (1 + 0.1 * torch.tanh(correction)), resolution
