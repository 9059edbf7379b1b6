"""A jet tagger with hand-written attention that hides padding by masked_fill_, in the style of early particle transformers."""

import math

import torch
import torch.nn as nn


class SelfAttention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x, mask):
        B, N, C = x.shape
        q, k, v = self.qkv(x).reshape(B, N, 3, self.heads, C // self.heads).permute(2, 0, 3, 1, 4)
        scores = torch.einsum("bhid,bhjd->bhij", q, k) / math.sqrt(C // self.heads)
        scores.masked_fill_(~mask[:, None, None, :], -1e4)
        attn = scores.softmax(dim=-1)
        x = torch.einsum("bhij,bhjd->bhid", attn, v)
        return self.proj(x.transpose(1, 2).reshape(B, N, C))


class Network(nn.Module):
    def __init__(self, dim=16, heads=4, depth=2):
        super().__init__()
        self.embed = nn.Linear(4, dim)
        self.layers = nn.ModuleList([SelfAttention(dim, heads) for _ in range(depth)])
        self.norms = nn.ModuleList([nn.LayerNorm(dim) for _ in range(depth)])
        self.head = nn.Linear(dim, 3)

    def forward(self, particles, mask):
        m = mask > 0.5
        x = self.embed(particles)
        for layer, norm in zip(self.layers, self.norms):
            x = x + layer(norm(x), m)
        x = (x * mask.unsqueeze(-1)).sum(1) / mask.sum(1, keepdim=True).clamp(min=1)
        return self.head(x).softmax(-1)
