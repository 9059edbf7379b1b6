"""nn.TransformerEncoder over padded tracks with src_key_padding_mask, as from the torch documentation."""

import torch.nn as nn


class Network(nn.Module):
    def __init__(self, d_model=16, nhead=4, num_layers=2):
        super().__init__()
        self.input = nn.Linear(5, d_model)
        layer = nn.TransformerEncoderLayer(
            d_model, nhead, dim_feedforward=32, dropout=0.1, activation="gelu", batch_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, num_layers, enable_nested_tensor=False)
        self.output = nn.Linear(d_model, 2)

    def forward(self, tracks, padding):
        x = self.encoder(self.input(tracks), src_key_padding_mask=padding)
        keep = (~padding).unsqueeze(-1).to(x.dtype)
        x = (x * keep).sum(dim=1) / keep.sum(dim=1).clamp(min=1.0)
        return self.output(x)
