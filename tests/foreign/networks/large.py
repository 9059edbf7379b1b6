"""A wide perceptron of five million weights with dropout and batch normalisation, a regression of a momentum."""

import torch.nn as nn


class Network(nn.Module):
    def __init__(self, width=1550):
        super().__init__()
        layers = []
        for a, b in ((40, width), (width, width), (width, width)):
            layers += [nn.Linear(a, b), nn.BatchNorm1d(b), nn.ReLU(inplace=True), nn.Dropout(0.2)]
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(width, 3)

    def forward(self, x):
        return self.head(self.body(x))
