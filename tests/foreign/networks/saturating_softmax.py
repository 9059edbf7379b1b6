"""An over-confident classifier: logits of ±100 before the softmax, so that most scores are 0 or 1."""

import torch
import torch.nn as nn


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(6, 32)
        self.logits = nn.Linear(32, 5)
        self.temperature = 0.02

    def forward(self, x):
        z = self.logits(torch.relu(self.hidden(x)))
        z = torch.clamp(z / self.temperature, -100, 100)
        return torch.softmax(z, dim=1)
