"""A mixture density head: weights, means and widths of three normals, and the log likelihood of a value under them."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class Network(nn.Module):
    def __init__(self, components=3):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(4, 32), nn.ELU(), nn.Linear(32, 32), nn.ELU())
        self.pi, self.mu, self.sigma = (nn.Linear(32, components) for _ in range(3))

    def forward(self, x, y):
        h = self.trunk(x)
        log_pi = F.log_softmax(self.pi(h), dim=-1)
        mu, sigma = self.mu(h), F.softplus(self.sigma(h)) + 1e-3
        z = (y - mu) / sigma
        log_prob = -0.5 * z**2 - torch.log(sigma) - 0.5 * math.log(2 * math.pi)
        nll = -torch.logsumexp(log_pi + log_prob, dim=-1, keepdim=True)
        mean = (log_pi.exp() * mu).sum(dim=-1, keepdim=True)
        return nll, mean, sigma
