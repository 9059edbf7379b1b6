"""Graph attention with a softmax over each hit's edges by scatter_reduce_ and scatter_add_."""

import torch
import torch.nn as nn


class Network(nn.Module):
    def __init__(self, dim=8):
        super().__init__()
        self.embed = nn.Linear(4, dim)
        self.value = nn.Linear(dim, dim)
        self.score = nn.Linear(2 * dim, 1)
        self.out = nn.Linear(2 * dim, 2)

    def forward(self, hits, edges):
        n = hits.size(0)
        h = torch.tanh(self.embed(hits))
        src, dst = edges[0], edges[1]
        score = nn.functional.leaky_relu(self.score(torch.cat([h[src], h[dst]], -1)), 0.2).squeeze(-1)
        largest = torch.full((n,), -1e9).scatter_reduce_(0, dst, score, reduce="amax")
        weight = torch.exp(score - largest[dst])
        norm = torch.zeros(n).scatter_add_(0, dst, weight)
        alpha = weight / (norm[dst] + 1e-9)
        pooled = torch.zeros_like(h)
        pooled.scatter_add_(0, dst.unsqueeze(-1).expand(-1, h.size(1)), alpha.unsqueeze(-1) * self.value(h)[src])
        return self.out(torch.cat([h, pooled], dim=-1))
