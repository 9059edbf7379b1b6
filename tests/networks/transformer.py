"""A transformer over particles, some of them padding, with two outputs."""

import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.project, self.mix = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        parts = self.project(self.norm1(x)).unflatten(2, (3, self.heads, -1))
        query, key, value = (part.transpose(1, 2) for part in parts.unbind(2))
        attended = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        x = x + self.mix(attended.transpose(1, 2).flatten(2))
        return x + self.down(nn.functional.gelu(self.up(self.norm2(x))))


class Network(nn.Module):
    def __init__(self, width: int = 8, heads: int = 2, depth: int = 2) -> None:
        super().__init__()
        self.embed = nn.Linear(4, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.classify, self.regress = nn.Linear(width, 3), nn.Linear(width, 1)

    def forward(self, particles: torch.Tensor, present: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        # Finite, so that an event with nothing in it gives numbers.
        bias = ((present - 1.0) * 1e4)[:, None, None, :]
        x = self.embed(particles)
        for block in self.blocks:
            x = block(x, bias)
        pooled = (x * present[:, :, None]).sum(dim=1) / present.sum(dim=1, keepdim=True).clamp(min=1.0)
        return torch.softmax(self.classify(pooled), dim=1), self.regress(pooled)
