"""Attention biased by pair-wise features (ln ΔR, ln kT, ln z, ln m²) of all pairs, with a class token: ParticleTransformer style."""

import torch
import torch.nn as nn


def delta_phi(a, b):
    return (a - b + torch.pi) % (2 * torch.pi) - torch.pi


def pairwise_lv_fts(v, eps=1e-8):
    """v: (N, 4, P) with px, py, pz, E."""
    px, py, pz, energy = v.unbind(dim=1)
    pt = torch.sqrt((px**2 + py**2).clamp(min=eps))
    rapidity = 0.5 * torch.log(1 + (2 * pz) / (energy - pz).clamp(min=1e-3))
    phi = torch.atan2(py, px)
    delta = torch.sqrt(
        (rapidity[:, :, None] - rapidity[:, None, :]) ** 2 + delta_phi(phi[:, :, None], phi[:, None, :]) ** 2
    )
    ptmin = torch.minimum(pt[:, :, None], pt[:, None, :])
    lnkt = torch.log((ptmin * delta).clamp(min=1e-3))
    lnz = torch.log((ptmin / (pt[:, :, None] + pt[:, None, :]).clamp(min=eps)).clamp(min=1e-3))
    lndelta = torch.log(delta.clamp(min=1e-3))
    pair = v[:, :, :, None] + v[:, :, None, :]
    m2 = pair[:, 3] ** 2 - pair[:, :3].square().sum(dim=1)
    lnm2 = torch.log(m2.clamp(min=1e-1))
    return torch.stack([lnkt, lnz, lndelta, lnm2], dim=1)


class Block(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.pre_norm, self.post_norm, self.fc_norm = nn.LayerNorm(dim), nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attn = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.fc1, self.fc2 = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)
        self.act = nn.GELU()
        self.w_resid = nn.Parameter(torch.ones(dim))

    def forward(self, x, padding_mask, bias):
        residual = x
        x = self.pre_norm(x)
        bias = bias.reshape(-1, bias.shape[2], bias.shape[3])
        x = self.attn(x, x, x, key_padding_mask=padding_mask, attn_mask=bias, need_weights=False)[0]
        x = residual + self.post_norm(x)
        residual = x
        x = self.fc2(self.act(self.fc1(self.fc_norm(x))))
        return self.w_resid * residual + x


class Network(nn.Module):
    def __init__(self, dim=16, heads=2, depth=2):
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(4, dim), nn.GELU(), nn.Linear(dim, dim))
        self.pair_embed = nn.Sequential(nn.Conv2d(4, 8, 1), nn.GELU(), nn.Conv2d(8, heads, 1))
        self.blocks = nn.ModuleList([Block(dim, heads) for _ in range(depth)])
        self.cls_token = nn.Parameter(torch.randn(1, 1, dim) * 0.5)
        self.cls_attn = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.norm = nn.LayerNorm(dim)
        self.fc = nn.Linear(dim, 4)

    def forward(self, particles, mask):
        """particles: (N, P, 4) with pt, eta, phi, mass; mask: (N, P)."""
        padding = torch.where(mask > 0, 0.0, -1e4)
        pt, eta, phi, mass = particles.unbind(dim=-1)
        px, py, pz = pt * torch.cos(phi), pt * torch.sin(phi), pt * torch.sinh(eta)
        energy = torch.sqrt(px**2 + py**2 + pz**2 + mass**2)
        vectors = torch.stack([px, py, pz, energy], dim=1)
        features = torch.stack([torch.log1p(pt), eta, phi, torch.log1p(energy)], dim=-1)
        x = self.embed(features * mask.unsqueeze(-1))
        bias = self.pair_embed(pairwise_lv_fts(vectors))
        for block in self.blocks:
            x = block(x, padding, bias)
        token = self.cls_token.expand(x.size(0), 1, -1)
        token = token + self.cls_attn(token, x, x, key_padding_mask=padding, need_weights=False)[0]
        return self.fc(self.norm(token.squeeze(1)))
