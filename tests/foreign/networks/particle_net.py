"""Dynamic graph convolutions over the k nearest neighbours in eta-phi, then in feature space: ParticleNet style."""

import torch
import torch.nn as nn


def knn(x, k):
    inner = -2 * torch.matmul(x.transpose(2, 1), x)
    xx = torch.sum(x**2, dim=1, keepdim=True)
    pairwise_distance = -xx - inner - xx.transpose(2, 1)
    return pairwise_distance.topk(k=k + 1, dim=-1)[1][:, :, 1:]


def get_graph_feature(x, k, idx):
    batch_size, num_dims, num_points = x.size()
    idx_base = torch.arange(0, batch_size, device=x.device).view(-1, 1, 1) * num_points
    idx = (idx + idx_base).view(-1)
    fts = x.transpose(0, 1).reshape(num_dims, -1)
    fts = fts[:, idx].view(num_dims, batch_size, num_points, k)
    fts = fts.transpose(1, 0).contiguous()
    x = x.view(batch_size, num_dims, num_points, 1).repeat(1, 1, 1, k)
    return torch.cat((x, fts - x), dim=1)


class EdgeConvBlock(nn.Module):
    def __init__(self, k, in_feat, out_feats):
        super().__init__()
        self.k = k
        sizes = [2 * in_feat, *out_feats]
        self.convs = nn.ModuleList([nn.Conv2d(a, b, 1, bias=False) for a, b in zip(sizes, out_feats)])
        self.bns = nn.ModuleList([nn.BatchNorm2d(b) for b in out_feats])
        self.sc = nn.Conv1d(in_feat, out_feats[-1], 1, bias=False)
        self.sc_bn = nn.BatchNorm1d(out_feats[-1])

    def forward(self, points, features):
        x = get_graph_feature(features, self.k, knn(points, self.k))
        for conv, bn in zip(self.convs, self.bns):
            x = torch.relu(bn(conv(x)))
        return torch.relu(self.sc_bn(self.sc(features)) + x.mean(dim=-1))


class Network(nn.Module):
    def __init__(self, k=7, dim=12):
        super().__init__()
        self.bn_fts = nn.BatchNorm1d(5)
        self.edge_convs = nn.ModuleList([EdgeConvBlock(k, 5, (dim, dim)), EdgeConvBlock(k, dim, (dim, dim))])
        self.fc = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Dropout(0.1), nn.Linear(dim, 2))

    def forward(self, points, features, mask):
        coord_shift = (mask == 0) * 1e9
        fts = self.bn_fts(features) * mask
        for idx, block in enumerate(self.edge_convs):
            pts = (points if idx == 0 else fts) + coord_shift
            fts = block(pts, fts) * mask
        x = fts.sum(dim=-1) / mask.sum(dim=-1).clamp(min=1)
        return torch.softmax(self.fc(x), dim=1)
