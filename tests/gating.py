"""The gate on the tests' networks, without a workflow around it: witnesses, cases, exported files, verdicts."""

import logging
import warnings
from functools import cache
from types import SimpleNamespace

import torch
from support import DEFAULTS, PROJECT, merge
from torchship.export.canonical import canonicalize
from torchship.export.contract import expected_metadata, violations
from torchship.export.torch_export import export
from torchship.gate.case_inputs import make_inputs
from torchship.gate.cases import Witnesses, witness_cases
from torchship.gate.examine import Examination
from torchship.gate.judge import Failure, Judge
from torchship.gate.session import ExportedFile
from torchship.gate.witness.checks import require_rounding
from torchship.gate.witness.torch_arbiter import TorchArbiter
from torchship.models.module import network_class
from torchship.runtimes.local import LocalRuntime
from torchship.spec.axes import EVERY
from torchship.spec.target import Target
from torchship.spec.tensor import read_tensors

# Steps set it; two test processes with two threads each would only wait for one another.
torch.set_num_threads(1)

BOUNDS = {"low": -2.0, "high": 2.0}
# What the files are exported for.
TARGET = Target("1.14.1", opset=18, ir=8, ml=3)
# Quick, and without the search, which tests of its own try.
VALIDATE = merge(
    DEFAULTS["validate"],
    {"batch_sizes": [1, 2, 7, 64], "axis_sizes": [1, 2, 7], "search": {"evaluations": 0}, "never_empty": ["particles"]},
)
DECLARED = {
    "xor": (
        {"x": {"shape": ["batch", 2], **BOUNDS}},
        {"y": {"shape": ["batch", 1]}},
    ),
    "batch_norm": (
        {"x": {"shape": ["batch", 4], **BOUNDS}},
        {"y": {"shape": ["batch", 3]}},
    ),
    "convolution": (
        {"image": {"shape": ["batch", 1, 10, 10], **BOUNDS}},
        {"y": {"shape": ["batch", 2]}},
    ),
    "transformer": (
        {"particles": {"shape": ["batch", "particles", 4], **BOUNDS},
         "present": {"shape": ["batch", "particles"], "values": [0.0, 1.0]}},
        {"classes": {"shape": ["batch", 3]}, "mass": {"shape": ["batch", 1]}},
    ),
    "graph_attention": (
        {"hits": {"shape": ["hits", 3], **BOUNDS},
         "edges": {"shape": [2, "edges"], "dtype": "int64", "indexes": "hits"}},
        {"y": {"shape": ["hits", 2]}},
    ),
    "double_mass": (
        {"p4": {"shape": ["batch", 2, 4], "low": [900.0, -9.0, -9.0, 880.0], "high": [1000.0, 9.0, 9.0, 900.0]}},
        {"y": {"shape": ["batch", 1]}},
    ),
    "lost_bias": (
        {"x": {"shape": ["batch", 2], **BOUNDS}},
        {"y": {"shape": ["batch", 3]}},
    ),
}  # fmt: skip
NETWORKS = {name: tuple(map(read_tensors, both)) for name, both in DECLARED.items()}


class Gated(SimpleNamespace):
    """One network with random weights: its module, its exported file, its cases, and the gate on any file for it."""

    def judge(self, content=None, runtime=None, **changes):
        """Examine a file, the correct one unless another is given; give the evidence."""
        validate, content = merge(VALIDATE, changes), content or self.content
        done = examined(
            self, ExportedFile(content, self.inputs, self.outputs), self.cases, self.facts, validate, runtime
        )
        lines = violations(
            content, TARGET, inputs=self.inputs, outputs=self.outputs,
            metadata=expected_metadata(self.inputs, self.outputs, 0.5),
        )  # fmt: skip
        return done.conclude([Failure("static", "", line) for line in lines], self.facts)


def examined(network, file, cases, facts, validate, runtime=None):
    """Examine a file for a network that has `witnesses`, and perhaps the `modules` of its nodes."""
    judge = Judge(network.witnesses, facts["factors"], file.outputs, validate["tolerance"])
    return Examination(
        file, judge, runtime or LocalRuntime(), cases, validate, threshold=0.5, seed=1,
        modules=getattr(network, "modules", {}),
    ).conduct()  # fmt: skip


@cache
def gated(name, seed=0, opset=TARGET.opset, batches=tuple(VALIDATE["batch_sizes"]), axes=tuple(VALIDATE["axis_sizes"])):
    """Build, export and witness one of the tests' networks, trained by nothing but chance."""
    inputs, outputs = NETWORKS[name]
    torch.manual_seed(seed)
    module = network_class(network_file(name))().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            if (parameter == parameter.flatten()[0]).all():  # a norm's ones and zeros
                parameter.copy_(torch.rand_like(parameter) + 0.5)
        for buffer, value in module.named_buffers():
            if value.is_floating_point():  # running statistics that do something
                value.copy_(torch.rand_like(value) + 0.5 if "var" in buffer else torch.randn_like(value))
    proto = exported(module, inputs, outputs, opset)
    about = expected_metadata(inputs, outputs, 0.5)
    modules = canonicalize(proto, graph=name, opset=opset, ir=TARGET.ir, about=about)
    witnesses = Witnesses(TorchArbiter(module, list(inputs), list(outputs), seed))
    validate = {**VALIDATE, "batch_sizes": batches, "axis_sizes": axes}
    made = make_inputs(inputs, None, validate, beyond=max(batches), seed=seed, comparer=witnesses.arbiter)
    cases, facts = witness_cases(witnesses, made, VALIDATE["widest_limit"])
    return Gated(
        name=name, module=module, inputs=inputs, outputs=outputs, proto=proto, content=proto.SerializeToString(),
        modules=modules, witnesses=witnesses, cases=cases, facts=facts,
    )  # fmt: skip


def needed_of(arbiter, feed):
    """Return how many spreads the arbiter's own float32 is from its float64, and what it says."""
    output = arbiter.witness(feed)
    return require_rounding(arbiter, [({"number": 0, "origin": "drawn", "sizes": {}}, feed, output)]), output


def network_file(name):
    return next(path for folder in ("tests/networks", "models") if (path := PROJECT / folder / f"{name}.py").exists())


def exported(module, inputs, outputs, opset, axes=EVERY):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        return export(module, inputs, outputs, opset, axes)
