"""Counts jets above thresholds, as analyses define their regions, and joins the counts with event features."""

import torch
import torch.nn as nn


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1))

    def forward(self, pt, btag, met):
        n30 = (pt >= 30).sum(dim=1).float()
        n60 = (pt >= 60).sum(dim=1).float()
        nb = ((btag >= 0.5) & (pt >= 30)).sum(dim=1).float()
        region = torch.stack([n30, n60, nb, (n30 >= 4).float(), (nb >= 2).float()], dim=1)
        x = torch.cat([region, torch.log(met + 1)], dim=1)
        return torch.sigmoid(self.net(x))
