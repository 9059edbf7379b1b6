"""What gives nothing to compare is not thereby right: NaN everywhere, and inputs that a runtime refuses on the way."""

import re

import numpy as np
import onnx
import pytest
import torch
from torchship.core.errors import WitnessError
from torchship.gate.bad_input import Trials
from torchship.gate.cases import Witnesses, witness_cases
from torchship.gate.judge import Judge
from torchship.gate.search import Search
from torchship.gate.session import ExportedFile
from torchship.gate.witness.torch_arbiter import TorchArbiter
from torchship.spec.tensor import Tensor

INPUTS = {"x": Tensor(("batch", 2), low=-1.0, high=1.0)}
OUTPUTS = {"y": Tensor(("batch", 3))}


def linear(weight=1.0):
    module = torch.nn.Linear(2, 3)
    with torch.no_grad():
        module.weight.fill_(0.5)
        module.weight[0] = weight
    return TorchArbiter(module, ["x"], ["y"], 1)


def feed(events=20):
    return {"x": np.random.default_rng(1).uniform(-1, 1, (events, 2)).astype("float32")}


@pytest.mark.parametrize(
    ("weight", "message"), [(np.nan, r"20 of 60 numbers of output y are NaN, and 40 are finite"), (1.0, "")]
)
def test_a_network_that_gives_no_numbers_is_not_validated(weight, message):
    made = [({"origin": "test set", "sizes": {"batch": 20}}, feed())]
    witnesses = Witnesses(linear(weight))
    if not message:
        witness_cases(witnesses, made, 0.01)
        return
    with pytest.raises(
        WitnessError, match=rf"nothing can be validated here: in float64 {message}, on data and uniform"
    ):
        witness_cases(witnesses, made, 0.01)


# What the search looks for constants in.
CONTENT = onnx.helper.make_model(onnx.helper.make_graph([], "none", [], [])).SerializeToString()


class Session:
    """An open file that is right, until it refuses, or leaves an output out."""

    def __init__(self, arbiter, after, instead):
        self.file = ExportedFile(CONTENT, INPUTS, OUTPUTS)
        self.arbiter, self.left, self.instead = arbiter, after, instead

    def run(self, feed):
        self.left -= 1
        if self.left < 0:
            return self.instead
        return {name: array.astype("float32") for name, array in self.arbiter.evaluate(feed).items()}


@pytest.mark.parametrize(
    ("instead", "message"),
    [("out of memory", r"x \[256, 2\]: out of memory"), ({}, r"output 'y': is not there")],
)
def test_what_is_refused_during_a_search_fails(instead, message):
    arbiter = linear()
    judge = Judge(Witnesses(arbiter), dict.fromkeys(OUTPUTS, 12.0), OUTPUTS)
    found = Search(Session(arbiter, 2, instead), judge, 1).run([feed()], 2048, 60.0)
    assert any(re.search(message, str(failure)) for failure in found.failures), found.failures
    whole = Search(Session(arbiter, 1000, instead), judge, 1).run([feed()], 2048, 60.0)
    assert whole.failures == []
    assert whole.document["evaluations"] == 2048


def test_bad_input_that_cannot_be_tried_fails():
    arbiter = linear()
    session = Session(arbiter, 0, "out of memory")
    judge = Judge(Witnesses(arbiter), dict.fromkeys(OUTPUTS, 12.0), OUTPUTS)
    rows, (failure,) = Trials(session, judge, feed(), {"batch": 20}).run({"nan": "nan"})
    assert rows == []
    assert str(failure) == "bad input, x [20, 2]: out of memory"
