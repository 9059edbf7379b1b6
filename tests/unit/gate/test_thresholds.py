"""Where a network compares: constants, flips, and the files that are wrong on one number alone."""

import logging
import warnings

import numpy as np
import pytest
import torch
from gating import BOUNDS, VALIDATE, Gated, exported
from support import merge
from torch import nn
from torchship.export.canonical import canonicalize
from torchship.export.contract import expected_metadata
from torchship.gate.case_inputs import make_inputs
from torchship.gate.cases import Witnesses, witness_cases
from torchship.gate.witness.thresholds import answers_of, flips
from torchship.gate.witness.torch_arbiter import TorchArbiter
from torchship.spec.tensor import Tensor

INPUTS = {"x": Tensor(("batch", 4), low=0.0, high=8.0)}
OUTPUTS = {"y": Tensor(("batch", 2))}


class Counted(nn.Module):
    """Multiplicities and scores, cut on as analyses do: on a count, on a score, on which of two is larger."""

    def __init__(self, at_least=torch.ge, above=torch.gt, larger=torch.ge):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Linear(7, 8), nn.ReLU(), nn.Linear(8, 2))
        self.register_buffer("mean", torch.tensor([3.0, 2.0, 4.0, 1.5]))
        self.at_least, self.above, self.larger = at_least, above, larger

    def forward(self, x):
        z = (x - self.mean) / 2.0
        cuts = [self.at_least(x[:, :1], 4), self.above(x[:, 1:2], 0.7), self.larger(x[:, 2:3], x[:, 3:])]
        return self.layers(torch.cat([z, *(cut.to(x.dtype) for cut in cuts)], dim=1))


def verdict(meant, shipped):
    """Return the gate's evidence on a file that was made from one module and must be another."""
    arbiter = TorchArbiter(meant.eval(), ["x"], ["y"])
    about = expected_metadata(INPUTS, OUTPUTS, 0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        proto = exported(shipped.eval(), INPUTS, OUTPUTS, 18)
    modules = canonicalize(proto, graph="g", opset=18, ir=8, about=about)
    witnesses = Witnesses(arbiter)
    made = make_inputs(INPUTS, None, VALIDATE, beyond=7, seed=0, comparer=arbiter)
    cases, facts = witness_cases(witnesses, made, VALIDATE["widest_limit"])
    gated = Gated(inputs=INPUTS, outputs=OUTPUTS, content=proto.SerializeToString(), modules=modules, witnesses=witnesses,
                  cases=cases, facts=facts)  # fmt: skip
    return gated.judge()


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"at_least": torch.gt}, "on constants, integers and ends"),
        ({"above": torch.ge}, "on constants, integers and ends"),
        ({"larger": torch.gt}, "on both sides of a comparison"),
    ],
)
def test_a_comparison_that_is_wrong_on_one_number_is_caught(wrong, where):
    evidence = verdict(Counted(), Counted(**wrong))
    assert evidence["verdict"] == "failed"
    assert any(failure["place"].startswith(where) for failure in evidence["failures"])
    # Nothing else finds it: no draw of the domain lies there.
    assert not any(failure["place"].startswith("uniform") for failure in evidence["failures"])


def test_the_right_comparison_passes():
    evidence = verdict(Counted(), Counted())
    assert evidence["failures"] == []
    origins = {case["origin"] for case in evidence["cases"]}
    assert {"on constants, integers and ends", "on both sides of a comparison"} <= origins


def test_constants_are_found_in_scalars_and_buffers():
    class Binned(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("edges", torch.tensor([0.5, 1.5, 2.5]))

        def forward(self, x):
            return torch.bucketize(x, self.edges).to(x.dtype) + (x > 3.25).to(x.dtype) + torch.where(x <= 7, 1.0, 0.0)

    found = TorchArbiter(Binned(), ["x"], ["y"]).comparisons({"x": np.ones((3, 4), np.float32)})
    assert found.constants == (0.5, 1.5, 2.5, 3.25, 7.0)
    assert len(found.answers) == 3


def test_flips_are_met_to_the_last_place_and_not_where_rounding_flips():
    class Two(nn.Module):
        def forward(self, x):
            # The first on a number as it comes in, the other after rounding.
            return torch.cat([(x[:, :1] > 0.3).to(x.dtype), (torch.tanh(x[:, 1:2] / 3.0) > 0.3).to(x.dtype)], dim=1)

    arbiter = TorchArbiter(Two(), ["x"], ["y"])
    generator = np.random.default_rng(0)
    events = {"x": generator.uniform(-2, 2, (256, 2)).astype(np.float32)}
    found = flips(arbiter, {"x": Tensor(("batch", 2), **BOUNDS)}, events, generator)
    low, high = np.split(found["x"], 2)
    decided = answers_of(arbiter, found)
    one, other = np.split(decided, 2)
    assert (one != other).any(axis=1).all()
    # Only the first comparison is left, on neighbours in float32.
    assert np.array_equal(one[:, 1], other[:, 1])
    limit = np.float32(0.3)
    assert set(np.unique(np.concatenate([low[:, 0], high[:, 0]]))) == {limit, np.nextafter(limit, np.float32(1))}


def test_nothing_flips_where_nothing_is_compared():
    arbiter = TorchArbiter(nn.Linear(4, 2), ["x"], ["y"])
    made = list(make_inputs(INPUTS, None, merge(VALIDATE, {}), beyond=7, seed=0, comparer=arbiter))
    assert not any(about["origin"] == "on both sides of a comparison" for about, _ in made)
