"""An interaction network: sender and receiver matrices of the complete graph, messages by matrix products."""

import itertools

import torch
import torch.nn as nn


class Network(nn.Module):
    def __init__(self, particles=6, features=4, effects=8):
        super().__init__()
        pairs = [p for p in itertools.product(range(particles), range(particles)) if p[0] != p[1]]
        receive, send = torch.zeros(particles, len(pairs)), torch.zeros(particles, len(pairs))
        for i, (r, s) in enumerate(pairs):
            receive[r, i] = 1
            send[s, i] = 1
        self.register_buffer("Rr", receive)
        self.register_buffer("Rs", send)
        self.fr = nn.Sequential(nn.Linear(2 * features, 20), nn.SELU(), nn.Linear(20, effects), nn.SELU())
        self.fo = nn.Sequential(nn.Linear(features + effects, 20), nn.SELU(), nn.Linear(20, effects), nn.SELU())
        self.fc = nn.Linear(effects, 3)

    def forward(self, x):
        """x: (batch, features, particles)."""
        b = torch.cat([torch.matmul(x, self.Rr), torch.matmul(x, self.Rs)], dim=1)
        e = self.fr(b.transpose(1, 2)).transpose(1, 2)
        e_bar = torch.einsum("bde,pe->bdp", e, self.Rr)
        o = self.fo(torch.cat([x, e_bar], dim=1).transpose(1, 2))
        return self.fc(o.sum(dim=1))
