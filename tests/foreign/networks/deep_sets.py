"""Energy and particle flow networks: per-particle functions, summed over particles that are there by their momentum share."""

import torch
import torch.nn as nn


class Network(nn.Module):
    def __init__(self, latent=16):
        super().__init__()
        self.phi = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, latent), nn.ReLU())
        self.f = nn.Sequential(nn.Linear(latent, 32), nn.ReLU(), nn.Linear(32, 2))

    def forward(self, jets):
        """jets: (batch, particles, 3) with pt, eta, phi; padded by zeros."""
        pt = jets[..., 0]
        present = (pt > 0).to(jets.dtype)
        z = pt / pt.sum(dim=1, keepdim=True).clamp_min(1e-6)
        centre = (jets[..., 1:] * z.unsqueeze(-1)).sum(dim=1, keepdim=True)
        h = self.phi(jets[..., 1:] - centre)
        energy_flow = torch.einsum("bp,bpl->bl", z, h)
        particle_flow = torch.einsum("bp,bpl->bl", present, h) / 10.0
        return torch.softmax(self.f(energy_flow + particle_flow), dim=-1)
