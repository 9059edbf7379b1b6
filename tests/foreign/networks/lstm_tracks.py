"""An LSTM over tracks sorted by significance, its last hidden state joined with jet features: RNNIP style."""

import torch
import torch.nn as nn


class Network(nn.Module):
    def __init__(self, hidden=20):
        super().__init__()
        self.lstm = nn.LSTM(6, hidden, num_layers=2, batch_first=True)
        self.dense = nn.Sequential(nn.Linear(hidden + 2, 16), nn.ReLU(), nn.Linear(16, 4))

    def forward(self, tracks, jet):
        _, (h_n, _) = self.lstm(tracks)
        return self.dense(torch.cat([h_n[-1], jet], dim=1)).softmax(dim=1)
