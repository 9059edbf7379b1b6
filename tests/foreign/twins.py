"""The broken twin of each network: one error that really happens when a network is exported or deployed.

A twin changes a copy of the right module, or the exported graph; it is exported under the right declaration.
"""

import copy
import math
import types
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from onnx import ModelProto, helper, numpy_helper
from torch import nn

Change = Callable[[nn.Module], None]


@dataclass(frozen=True)
class Twin:
    """What is wrong, which part of the module the gate should name, and how it is made.

    Attributes:
        where: torch modules, any of which is the right place, as `named_modules` has them; '' is the network itself.
        module: changes a copy of the right module in place.
        graph: changes the exported file in place.
    """

    what: str
    where: tuple[str, ...]
    module: Change | None = None
    graph: Callable[[ModelProto], None] | None = None


def broken(module: nn.Module, twin: Twin) -> nn.Module:
    """Return the module that the twin's file is exported from."""
    changed = copy.deepcopy(module)
    if twin.module is not None:
        with torch.no_grad():
            twin.module(changed)
    return changed


def bind(module, forward):
    """Replace the forward of one module."""
    module.forward = types.MethodType(forward, module)


def part(module, path):
    return module.get_submodule(path)


def scaled(path, amount=1.01):
    return lambda module: part(module, path).weight.mul_(amount)


def without_bias(path):
    return lambda module: part(module, path).bias.zero_()


def transposed(path):
    return lambda module: part(module, path).weight.copy_(part(module, path).weight.t().clone())


def half(path):
    """Round a layer's weights to float16, as a converter does to save space."""
    return lambda module: [p.copy_(p.half().float()) for p in part(module, path).parameters()]


def ignore_mask(module):
    for layer in module.layers:
        attend = layer.forward
        layer.forward = lambda x, mask, attend=attend: attend(x, torch.ones_like(mask))


def lose_log_of_mass(module):
    def forward(self, x):
        x = torch.cat([torch.log(x[:, :1]), x[:, 1:]], dim=1)
        return self.net(((x - self.mean) / self.std).clamp(-5, 5))

    bind(module, forward)


def pool_padding(module):
    bind(module, lambda self, constituents, mask: self.rho(self.phi(constituents).sum(dim=1)))


def lose_write(module):
    def forward(self, tracks, valid):
        h = tracks.new_zeros(tracks.shape[0], tracks.shape[1], self.out.in_features)
        return self.out(h.amax(dim=1)).log_softmax(dim=1)

    bind(module, forward)


def last_write_wins(model):
    """What TorchScript's exporter makes of index_add: a scatter that keeps one of several terms."""
    for node in model.graph.node:
        if node.op_type in ("ScatterElements", "ScatterND"):
            for attribute in node.attribute:
                if attribute.name == "reduction":
                    attribute.s = b"none"


def backwards(module):
    """Send messages backwards: sources and targets exchanged."""
    forward = type(module).forward
    bind(module, lambda self, hits, edges: forward(self, hits, edges.flip(0)))


def other_eps(kind, eps):
    def change(module):
        for inner in module.modules():
            if type(inner).__name__ == kind:
                inner.eps = eps

    return change


def neighbours_with_self(module):
    """Take the k nearest points, the point itself among them."""
    graph_feature = type(module.edge_convs[0]).forward.__globals__["get_graph_feature"]

    def forward(self, points, features):
        distance = (points.unsqueeze(-1) - points.unsqueeze(-2)).square().sum(dim=1)
        idx = (-distance).topk(k=self.k, dim=-1)[1]
        x = graph_feature(features, self.k, idx)
        for conv, bn in zip(self.convs, self.bns, strict=True):
            x = torch.relu(bn(conv(x)))
        return torch.relu(self.sc_bn(self.sc(features)) + x.mean(dim=-1))

    bind(module.edge_convs[0], forward)


def tanh_gelu(module):
    for block in module.blocks:
        block.act = nn.GELU(approximate="tanh")


def mean_over_padding(module):
    def forward(self, tracks, padding):
        return self.output(self.encoder(self.input(tracks), src_key_padding_mask=padding).mean(dim=1))

    bind(module, forward)


def other_gates(module):
    """Put the gates in another order, as a conversion between frameworks does."""
    for name, weight in module.lstm.named_parameters():
        i, f, g, o = weight.chunk(4)
        if name == "weight_hh_l0":
            weight.copy_(torch.cat([i.clone(), o.clone(), g.clone(), f.clone()]))


def exchange_gates(module):
    """Exchange reset and update gate, whose order ONNX and torch have differently."""
    for name, weight in module.gru.named_parameters():
        reset, update, new = weight.chunk(3)
        weight.copy_(torch.cat([update.clone(), reset.clone(), new.clone()]) if name.endswith("l0") else weight)


def shifted_categories(module):
    module.pdg.weight.copy_(module.pdg.weight.roll(1, 0).clone())


def softmax_over_events(module):
    """The axis of a softmax left at 0."""

    def forward(self, x, y):
        h = self.trunk(x)
        log_pi = torch.log_softmax(self.pi(h), dim=0)
        mu, sigma = self.mu(h), nn.functional.softplus(self.sigma(h)) + 1e-3
        log_prob = -0.5 * ((y - mu) / sigma) ** 2 - torch.log(sigma) - 0.5 * math.log(2 * math.pi)
        nll = -torch.logsumexp(log_pi + log_prob, dim=-1, keepdim=True)
        return nll, (log_pi.exp() * mu).sum(dim=-1, keepdim=True), sigma

    bind(module, forward)


def wrong_entry(name, place, factor):
    def change(module):
        getattr(module, name)[place] *= factor

    return change


def ascending(module):
    forward = type(module).forward

    def changed(self, jets):
        order = jets[:, :, 0].argsort(dim=1)
        top = torch.gather(jets, 1, order[:, : self.keep].unsqueeze(-1).expand(-1, -1, jets.shape[2]))
        scores, best, two, _ = forward(self, top)
        return scores, best, two, top[:, :, 0]

    bind(module, changed)


def sample_deviation(module):
    """Divide by n - 1, torch's default: one part in two thousand at 1024 hits."""

    def forward(self, hits):
        h = self.phi(hits)
        pooled = [h.mean(1), h.std(1), (self.weight(h).softmax(dim=1) * h).sum(1)]
        return self.rho(torch.cat(pooled, dim=-1))

    bind(module, forward)


def sum_over_padding(module):
    forward = type(module).forward

    def changed(self, jets):
        # Zeros are particles, too: their momentum is taken as just above nothing.
        return forward(self, torch.cat([jets[..., :1] + (jets[..., :1] == 0) * 1e-3, jets[..., 1:]], dim=-1))

    bind(module, changed)


def lose_determinant(module):
    block = module.blocks[2]
    forward = type(block).forward
    bind(block, lambda self, x: (forward(self, x)[0], torch.zeros(x.shape[0])))


def training_norm(path):
    """Normalise with the statistics of the batch: the module was exported in training mode."""

    def change(module):
        norm = part(module, path)

        def forward(self, x):
            mean, var = x.mean(dim=(0, 2, 3), keepdim=True), x.var(dim=(0, 2, 3), keepdim=True, unbiased=False)
            y = (x - mean) / torch.sqrt(var + self.eps)
            return y * self.weight[:, None, None] + self.bias[:, None, None]

        bind(norm, forward)

    return change


def forget_g(module):
    """Export the direction of a weight without its length."""
    weight = module.first.parametrizations.weight
    weight.original0.fill_(1.0)


def larger_only(module):
    """`>` where the network says `>=`."""

    def forward(self, pt, btag, met):
        n30 = (pt > 30).sum(dim=1).float()
        n60 = (pt > 60).sum(dim=1).float()
        nb = ((btag > 0.5) & (pt > 30)).sum(dim=1).float()
        region = torch.stack([n30, n60, nb, (n30 >= 4).float(), (nb >= 2).float()], dim=1)
        return torch.sigmoid(self.net(torch.cat([region, torch.log(met + 1)], dim=1)))

    bind(module, forward)


def exchanged_branches(module):
    module.barrel, module.endcap = module.endcap, module.barrel


def stale_statistics(path):
    def change(module):
        part(module, path).running_mean.zero_()
        part(module, path).running_var.fill_(1.0)

    return change


def freeze_batch(model):
    """Declare the batch of the example for all, as an export without dynamic axes does."""
    for value in [*model.graph.input, *model.graph.output]:
        value.type.tensor_type.shape.dim[0].dim_value = 3


TWINS = {
    "masked_attention": Twin("the mask is ignored", ("layers.0",), ignore_mask),
    "log_features": Twin("the write of log(mass) in place is lost", ("",), lose_log_of_mass),
    "masked_pooling": Twin("h[m] = 0 is lost, padding is summed", ("",), pool_padding),
    "boolean_gather": Twin("h[mask] = … is lost", ("", "mlp.0"), lose_write),
    "vertex_scatter": Twin("weights × 1.01 in track.0", ("track.0",), scaled("track.0")),
    "message_passing": Twin("sums by index_add_ keep the last term alone", ("",), graph=last_write_wins),
    "edge_softmax": Twin("sources and targets of edges exchanged", ("score", ""), backwards),
    "hcr": Twin("eps of 1e-5 for 1e-3 in the norms", ("dijets.0.norm1",), other_eps("GhostBatchNorm1d", 1e-5)),
    "particle_net": Twin("the point itself is among its neighbours", ("edge_convs.0", "edge_convs.0.convs.0"), neighbours_with_self),
    "particle_transformer": Twin("GELU of the tanh form for the exact one", ("blocks.0.act",), tanh_gelu),
    "transformer_encoder": Twin("the mean is over padding, too", ("",), mean_over_padding),
    "lstm_tracks": Twin("forget and output gate exchanged", ("lstm",), other_gates),
    "gru_sequence": Twin("reset and update gate exchanged", ("gru",), exchange_gates),
    "category_embedding": Twin("categories shifted by one", ("pdg",), shifted_categories),
    "mixture_density": Twin("softmax over the events", ("",), softmax_over_events),
    "autoencoder": Twin("mean of one feature wrong", ("",), wrong_entry("mean", 6, 1.2)),
    "nine_orders": Twin("mean of a feature of size 1e-4 wrong", ("",), wrong_entry("mu", 0, 1.5)),
    "saturating_softmax": Twin("weights of float16", ("logits",), half("logits")),
    "sorted_jets": Twin("sort order reversed", ("",), ascending),
    "deep_narrow": Twin("a square weight transposed in layer 25", ("layers.25",), transposed("layers.25")),
    "large": Twin("stale statistics of a norm", ("body.5",), stale_statistics("body.5")),
    "deep_sets": Twin("padded particles are counted", ("",), sum_over_padding),
    "interaction_network": Twin("the batch is frozen", (), graph=freeze_batch),
    "coupling_flow": Twin("the determinant of one block is lost", ("", "blocks.2"), lose_determinant),
    "calo_cnn": Twin("a norm was left in training mode", ("layers.0.bn1",), training_norm("layers.0.bn1")),
    "jet_image": Twin("a norm of other groups", ("norm2",), lambda module: setattr(module.norm2, "num_groups", 4)),
    "calo_hits": Twin("the deviation of a sample for that of all", ("",), sample_deviation),
    "normed_weights": Twin("weight_norm's length is lost", ("first", "first.parametrizations.weight", "first.parametrizations.weight.0"), forget_g),
    "tied_weights": Twin("a tied square weight is not transposed", ("",), lambda module: setattr(module, "alias", untied(module.enc1))),
    "jet_counting": Twin("> for >=", ("",), larger_only),
    "two_heads": Twin("a bias is dropped", ("classify",), without_bias("classify")),
    "where_branches": Twin("barrel and endcap exchanged", ("", "barrel.0", "endcap.0"), exchanged_branches),
}  # fmt: skip


def untied(layer):
    other = copy.deepcopy(layer)
    other.weight.copy_(layer.weight.t().clone())
    return other


def initializer(model: ModelProto, name: str):
    return next(tensor for tensor in model.graph.initializer if tensor.name == name)


def rewrite(model: ModelProto, name: str, change) -> None:
    tensor = initializer(model, name)
    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(change(numpy_helper.to_array(tensor))), name))


def set_attribute(model: ModelProto, operator: str, name: str, value) -> None:
    for node in model.graph.node:
        if node.op_type == operator:
            kept = [attribute for attribute in node.attribute if attribute.name != name]
            del node.attribute[:]
            node.attribute.extend([*kept, helper.make_attribute(name, value)])
