"""What is declared of inputs, on networks as the field writes them: neighbours, lists with padding, in-file norms."""

from dataclasses import replace
from types import SimpleNamespace

import gating
import numpy as np
import onnx
import pytest
import torch
from gating import TARGET, VALIDATE, exported
from onnx import numpy_helper
from support import merge
from torch import nn
from torchship.core.errors import ParityError
from torchship.data.checks import check_domain
from torchship.data.domain import near, on_values
from torchship.export.canonical import canonicalize
from torchship.export.torch_export import example
from torchship.gate.case_inputs import make_inputs
from torchship.gate.cases import Witnesses, witness_cases
from torchship.gate.session import ExportedFile
from torchship.gate.witness.torch_arbiter import TorchArbiter
from torchship.spec.axes import EVERY, read_axes
from torchship.spec.tensor import Tensor, read_tensors


class Neighbours(nn.Module):
    """Edge convolution over the seven nearest neighbours in eta and phi, as in ParticleNet."""

    def __init__(self):
        super().__init__()
        self.edge = nn.Linear(8, 6)
        self.last = nn.Linear(6, 2)

    def forward(self, particles):
        at = particles[..., 1:3]
        distance = ((at[:, :, None] - at[:, None]) ** 2).sum(-1)
        nearest = distance.topk(7, largest=False).indices
        size = particles.shape[2]
        others = particles.gather(1, nearest.flatten(1)[..., None].expand(-1, -1, size)).unflatten(1, (-1, 7))
        pairs = torch.cat([particles[:, :, None].expand_as(others), others - particles[:, :, None]], dim=-1)
        return self.last(torch.relu(self.edge(pairs)).mean(dim=(1, 2)))


class Lists(nn.Module):
    """Logarithms of padded momenta, each feature normalised within the file, and a mean over what is present."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.tensor([5.0, 0.0, 3e-5]))
        self.register_buffer("std", torch.tensor([2.0, 1.2, 4e-5]))
        self.each = nn.Linear(3, 8)
        self.last = nn.Linear(8, 3)

    def forward(self, particles, present):
        pt = torch.where(present > 0, particles[..., 0], torch.ones_like(present))
        x = torch.cat([pt.log()[..., None], particles[..., 1:]], dim=-1)
        each = torch.relu(self.each((x - self.mean) / self.std)) * present[..., None]
        return self.last(each.sum(dim=1) / present.sum(dim=1, keepdim=True).clamp(min=1.0))


NEAREST = {"particles": Tensor(("batch", "particles", 4), low=(1.0, -2.4, -3.2, 0.0), high=(500.0, 2.4, 3.2, 1.0))}
LISTS = read_tensors({
    "particles": {"shape": ["batch", "particles", 3], "features": ["pt", "eta", "d0"], "low": [1.0, -2.4, -1e-4],
                  "high": [1e5, 2.4, 1e-4], "padded": {"mask": "present", "value": 0.0}},
    "present": {"shape": ["batch", "particles"], "values": [0.0, 1.0]},
})  # fmt: skip
OUTPUTS = {"y": Tensor(("batch", 3))}
AXES = read_axes({"axes": {"particles": {"least": 8, "most": 40, "traced": 16}}})


def witnessed(module, inputs, axes=EVERY, outputs=OUTPUTS, **validate):
    witnesses = Witnesses(TorchArbiter(module.eval(), list(inputs), list(outputs)))
    made = make_inputs(inputs, None, merge(VALIDATE, validate), beyond=64, seed=1, axes=axes)
    return witnesses, *witness_cases(witnesses, made)


def test_neighbours_have_cases_with_as_many_particles_as_they_need():
    torch.manual_seed(0)
    _, cases, facts = witnessed(Neighbours(), NEAREST, AXES)
    sizes = {case.about["sizes"]["particles"] for case in cases}
    assert sizes == {8, 16, 40}
    # The case of no event at all is taken or not, but never for want of particles.
    assert all(entry["sizes"]["particles"] >= 8 for entry in facts["not_taken"])
    assert all(np.isfinite(case.exact["y"]).all() for case in cases)
    with pytest.raises(ParityError, match="does not take particles"):
        witnessed(Neighbours(), NEAREST)


def test_the_traced_example_has_a_size_that_the_network_takes():
    (particles,) = example(NEAREST, AXES)
    assert particles.shape == (3, 16, 4)
    assert Neighbours()(particles).shape == (3, 2)
    (unconstrained,) = example(NEAREST)
    with pytest.raises(RuntimeError, match="out of range"):
        Neighbours()(unconstrained)


@pytest.fixture(scope="module")
def lists():
    torch.manual_seed(0)
    module = Lists().eval()
    proto = exported(module, LISTS, OUTPUTS, TARGET.opset)
    canonicalize(proto, graph="lists", opset=TARGET.opset, ir=TARGET.ir, about={})
    return module, proto


def examined(module, content, inputs, axes=EVERY, evaluations=512):
    witnesses, cases, facts = witnessed(module, inputs, axes)
    validate = merge(VALIDATE, {"search": {"evaluations": evaluations}})
    file, network = ExportedFile(content, inputs, OUTPUTS, axes), SimpleNamespace(witnesses=witnesses)
    return gating.examined(network, file, cases, facts, validate), cases


def test_padded_lists_with_features_of_all_sizes_pass(lists):
    """Momenta have no logarithm where they are padded by 0: every input of the gate must be padded as data are."""
    module, proto = lists
    done, cases = examined(module, proto.SerializeToString(), LISTS, AXES)
    assert done.failures == []
    assert {case.about["sizes"]["particles"] for case in cases} == {8, 16, 40}
    worst = done.worst[0].feed
    hidden = worst["present"] == 0
    assert (worst["particles"][hidden] == 0.0).all()
    assert worst["particles"][..., 0][~hidden].min() >= 1.0


def with_mean(proto, place, factor):
    broken = onnx.ModelProto()
    broken.CopyFrom(proto)
    for tensor in broken.graph.initializer:
        if tensor.name == "mean":
            values = numpy_helper.to_array(tensor).copy()
            values[place] *= factor
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return broken.SerializeToString()


def test_a_wrong_mean_of_a_tiny_feature_is_found_without_data(lists):
    """Drawn as large as a feature of size 1e5, one of size 1e-4 loses its mean to rounding."""
    module, proto = lists
    broken = with_mean(proto, 2, 1.05)
    done, _ = examined(module, broken, LISTS, evaluations=0)
    assert done.failures[0].check == "parity"
    wide = {**LISTS, "particles": replace(LISTS["particles"], low=(1.0, -1e5, -1e5), high=1e5)}
    alike, _ = examined(module, broken, wide, evaluations=0)
    # Only where all features happen to be small, as on integers and zeros, is it seen then.
    assert all(failure.place.startswith("on constants") for failure in alike.failures if failure.check == "parity")


def test_draws_near_data_and_on_special_values_are_data_as_declared():
    generator = np.random.default_rng(0)
    sizes = {"batch": 300, "particles": 9}
    special = on_values(LISTS, sizes, {"particles": [30.0, 1.5]}, generator)
    for feed in (special, near(special, LISTS, generator)):
        check_domain(feed, LISTS, "drawn")
        with torch.no_grad():
            assert torch.isfinite(Lists()(*map(torch.from_numpy, feed.values()))).all()
