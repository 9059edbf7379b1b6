"""A tracking graph network that sums messages by index_add_ and edge weights by index_put_, without torch_geometric."""

import torch
import torch.nn as nn


class Network(nn.Module):
    def __init__(self, dim=12, steps=2):
        super().__init__()
        self.encode = nn.Linear(3, dim)
        self.edge = nn.ModuleList([nn.Sequential(nn.Linear(2 * dim, dim), nn.Tanh()) for _ in range(steps)])
        self.node = nn.ModuleList([nn.Sequential(nn.Linear(2 * dim, dim), nn.ReLU()) for _ in range(steps)])
        self.classify = nn.Linear(2 * dim, 1)

    def forward(self, hits, edges):
        src, dst = edges
        h = self.encode(hits).relu_()
        degree = hits.new_zeros(hits.shape[0])
        degree.index_put_((dst,), torch.ones_like(dst, dtype=hits.dtype), accumulate=True)
        for edge, node in zip(self.edge, self.node):
            message = edge(torch.cat([h[src], h[dst]], dim=1))
            total = torch.zeros_like(h)
            total.index_add_(0, dst, message)
            h = h + node(torch.cat([h, total / degree.clamp(min=1).unsqueeze(1)], dim=1))
        return torch.sigmoid(self.classify(torch.cat([h[src], h[dst]], dim=1))).squeeze(1)
