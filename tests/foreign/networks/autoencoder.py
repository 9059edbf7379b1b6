"""An anomaly trigger: an autoencoder whose output is its reconstruction error, inputs normalised within."""

import torch
import torch.nn as nn


class Network(nn.Module):
    def __init__(self, latent=3):
        super().__init__()
        self.register_buffer("mean", torch.tensor([45.0, 0.0, 0.0, 30.0, 0.0, 0.0, 25.0, 3.1]))
        self.register_buffer("scale", torch.tensor([30.0, 1.3, 1.8, 20.0, 1.4, 1.8, 15.0, 1.7]))
        self.encoder = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.LeakyReLU(), nn.Linear(16, latent))
        self.decoder = nn.Sequential(nn.Linear(latent, 16), nn.BatchNorm1d(16), nn.LeakyReLU(), nn.Linear(16, 8))

    def forward(self, objects):
        x = (objects - self.mean) / self.scale
        z = self.encoder(x)
        score = ((x - self.decoder(z)) ** 2).mean(dim=1, keepdim=True)
        return score, z
