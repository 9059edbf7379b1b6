"""Orders jets by pt, keeps the leading three, and gives class scores, the class by argmax, and the order."""

import torch
import torch.nn as nn


class Network(nn.Module):
    def __init__(self, keep=3):
        super().__init__()
        self.keep = keep
        self.net = nn.Sequential(nn.Linear(4 * keep, 32), nn.ReLU(), nn.Linear(32, 4))

    def forward(self, jets):
        pt, order = torch.sort(jets[:, :, 0], dim=1, descending=True)
        top = torch.gather(jets, 1, order[:, : self.keep].unsqueeze(-1).expand(-1, -1, jets.shape[2]))
        top = torch.cat([torch.log(top[:, :, :1]), top[:, :, 1:]], dim=2)
        scores = self.net(top.flatten(1))
        best = scores.topk(2, dim=1)[1]
        return scores, scores.argmax(dim=1), best, pt[:, : self.keep]
