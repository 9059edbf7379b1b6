"""Networks as the field writes them that torch's exporter cannot export, each for a reason of its own."""

import math

import numpy as np
import torch
from torch import nn


class DataDependentIf(nn.Module):
    def forward(self, x):
        if x.sum() > 0:
            return x[:, :1] * 2.0
        return x[:, :1]


class Item(nn.Module):
    def forward(self, x):
        count = int((x[:, 0] > 0).sum().item())
        return x.new_zeros(count, 1) + x[:count, :1]


class Masked(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 2)

    def forward(self, x):
        hits = self.fc(x[x[:, 0] > 0.5])
        return hits.view(x.shape[0], -1)


class Neighbours(nn.Module):
    def __init__(self, k=7):
        super().__init__()
        self.k = k

    def forward(self, points):
        # As ParticleNet does, in one product of matrices.
        squares = (points**2).sum(dim=-1)
        distances = squares[:, :, None] + squares[:, None, :] - 2.0 * points @ points.transpose(1, 2)
        near = distances.topk(self.k + 1, dim=-1, largest=False)[1][:, :, 1:]
        return near.float().mean(dim=(1, 2))[:, None]


class HardBatch(nn.Module):
    def forward(self, x):
        return x.view(3, -1)[:, :1]


class LoopOverBatch(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 1)

    def forward(self, x):
        return torch.stack([self.fc(event) for event in x])


class RangeOverBatch(nn.Module):
    def forward(self, x):
        total = torch.zeros_like(x[:, :1])
        for i in range(x.shape[0]):
            total = total + x[i, :1] * 2.0
        return total


class Unsupported(nn.Module):
    def forward(self, x):
        return torch.linalg.eigvalsh(x[:, :, None] * x[:, None, :])[:, :1]


class Bessel(nn.Module):
    def forward(self, x):
        return torch.special.bessel_j1(x[:, :1])


class Numpy(nn.Module):
    def forward(self, x):
        counts, _ = np.histogram(x.numpy(), bins=4)
        return x[:, :1] * float(counts[0])


class MathOfAValue(nn.Module):
    def forward(self, x):
        return x[:, :1] * math.sqrt(x.sum())


class MissingAttribute(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(2, 1)

    def forward(self, x):
        return self.last(self.first(x))


class Autocast(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 1)

    def forward(self, x):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return self.fc(x)


class Complex(nn.Module):
    def forward(self, x):
        z = torch.complex(x[:, :1], x[:, 1:])
        return torch.log(z).abs()


class WrongWidth(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 1)

    def forward(self, x):
        return self.fc(x)


class TwoInputs(nn.Module):
    def forward(self, x, mask):
        return x[:, :1] * mask


class Unique(nn.Module):
    def forward(self, x):
        _, counts = torch.unique(x[:, 0], return_counts=True)
        return torch.bincount(counts, minlength=x.shape[0])[:, None].float()


class Tolist(nn.Module):
    def forward(self, x):
        order = torch.argsort(x[:, 0]).tolist()
        return x[order][:, :1]


class EvenOnly(nn.Module):
    def forward(self, points):
        pairs = points.view(points.shape[0], -1, 2, 3)
        return pairs.sum(dim=(1, 2, 3))[:, None]


class Fixed(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(5 * 3, 1)

    def forward(self, points):
        return self.fc(points.flatten(1))
