"""Why a network cannot be exported is told by its root cause, with the axis, the user's line and what to do."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from networks import unexportable
from torch import nn
from torchship.core.errors import ExportError
from torchship.export.hints import advice
from torchship.export.torch_export import export
from torchship.models.module import network_class
from torchship.runtimes.local import session
from torchship.spec.axes import read_axes
from torchship.spec.tensor import Tensor

X = {"x": Tensor(("batch", 2), low=0.0, high=1.0)}
POINTS = {"points": Tensor(("batch", "particles", 3), low=-1.0, high=1.0)}
Y = {"y": Tensor(("batch", 1))}

# The network, its inputs, what stands in its file where the error is, the cause in torch's words, and what to do.
CASES = [
    ("DataDependentIf", X, "if x.sum() > 0:", r"Could not guard on data-dependent expression", r"torch.where, a mask"),
    ("Item", X, None, r"output 'y' has shape \['u0', 1\], declared \['batch', 1\]", r"`\.item\(\)`"),
    ("Masked", X, None, r"output 'y' has shape \['batch', '.*u0.*'\]", r"boolean indexing"),
    ("Tolist", X, "return x[order][:, :1]", r"specialized integer from data-dependent expression", r"`\.tolist\(\)`"),
    ("MathOfAValue", X, "math.sqrt", r"data-dependent expression", r"not by their values"),
    ("Neighbours", POINTS, "near = distances.topk", r"5 not in VR\[8, ", r"axis particles was traced with size 5.*axes: \{particles: \{least: 8\}\}"),
    ("HardBatch", X, "return x.view(3, -1)", r"axis 'batch' is frozen", r"write it for any size"),
    ("LoopOverBatch", X, "for event in x", r"axis 'batch' is frozen, the graph has \[3, 2\]", r"no loop over the axis"),
    ("RangeOverBatch", X, "for i in range(x.shape[0])", r"axis 'batch' is frozen", r"no loop over the axis"),
    ("Fixed", POINTS, "self.fc(points.flatten(1))", r"axis 'particles' is frozen, the graph has \['batch', 5, 3\]", r"no layer whose width is that size"),
    ("EvenOnly", POINTS, "pairs = points.view", r"Mod\(3\*particles\*batch, 6\*batch\), 0\) is inconsistent", r"axes: \{particles: \{.*multiple"),
    ("Unsupported", X, "torch.linalg.eigvalsh", r"No ONNX function found for aten._linalg_eigh", r"cannot translate the operator aten._linalg_eigh to ONNX"),
    ("Bessel", X, "torch.special.bessel_j1", r"No ONNX function found for prims.bessel_j1", r"write it by others"),
    ("Unique", X, "torch.bincount(counts", r"TypeError: Unsupported attribute type", r"the operator aten.bincount with these arguments"),
    ("Complex", X, "torch.log(z).abs()", r"for the complex-valued input", r"ONNX has no complex numbers"),
    ("Numpy", X, "np.histogram", r"\.numpy\(\) is not supported", r"operations of torch alone"),
    ("MissingAttribute", X, "self.last(self.first(x))", r"'MissingAttribute' object has no attribute 'last'", r"the network's own code"),
    ("WrongWidth", X, "return self.fc(x)", r"same reduction dim, but got \[batch, 2\] X \[3, 1\]", r"the declared shapes"),
    ("TwoInputs", X, None, r"missing a required argument: 'mask'", r"those of forward\(\), in order"),
    ("Autocast", X, None, r"output 'y' is bfloat16, declared float32", r"torch.autocast"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "inputs", "code", "words", "what"), CASES, ids=[case[0] for case in CASES])
def test_the_root_cause_is_told_in_one_line(name, inputs, code, words, what, capfd):
    with pytest.raises(ExportError) as caught:
        export(getattr(unexportable, name)().eval(), inputs, Y, 20)
    message = str(caught.value)
    assert "\n" not in message
    assert "\x1b" not in message
    assert not re.search(r"Refer to|TORCH_LOGS|\bs\d+\b|please", message)
    assert len(message) < 700
    assert re.search(words, message)
    assert re.search(what, message)
    if code is not None:
        number = 1 + next(place for place, line in enumerate(source_of(name)) if code in line)
        assert f"networks/unexportable.py:{number} (`" in message
        assert code in message
    # Nor do torch's own logs and graphs reach the terminal.
    assert capfd.readouterr() == ("", "")


def source_of(name):
    """Return the lines of the test's file, those before a class emptied."""
    lines = Path(unexportable.__file__).read_text().splitlines()
    start = lines.index(f"class {name}(nn.Module):") if f"class {name}(nn.Module):" in lines else 0
    return [line if place >= start else "" for place, line in enumerate(lines)]


@pytest.mark.parametrize(
    ("axes", "sizes"),
    [({"least": 8}, (8, 9, 24, 26, 40)), ({"least": 8, "most": 64, "traced": 32}, (8, 31, 32, 64))],
)
def test_nearest_neighbours_export_with_the_least_size(axes, sizes):
    torch.manual_seed(0)
    module = unexportable.Neighbours(7).eval()
    model = export(module, POINTS, Y, 20, read_axes({"axes": {"particles": axes}}))
    assert [dim.dim_param for dim in model.graph.input[0].type.tensor_type.shape.dim][:2] == ["batch", "particles"]
    running = session(model.SerializeToString())
    for size in sizes:
        points = torch.randn(4, size, 3)
        found = running.run(None, {"points": points.numpy()})[0]
        assert np.allclose(found, module(points), atol=1e-4), size


def test_an_axis_of_multiples_keeps_its_name():
    module = unexportable.EvenOnly().eval()
    axes = read_axes({"axes": {"particles": {"least": 2, "most": 20, "multiple": 2}}})
    model = export(module, POINTS, Y, 20, axes)
    assert [dim.dim_param for dim in model.graph.input[0].type.tensor_type.shape.dim][:2] == ["batch", "particles"]
    running = session(model.SerializeToString())
    for size in (2, 4, 20):
        points = torch.randn(3, size, 3)
        assert np.allclose(running.run(None, {"points": points.numpy()})[0], module(points), atol=1e-5)


class Mistaken(nn.Module):
    def forward(self, x):
        return x[:, 5:6] + x[:, 9]


def test_what_the_table_does_not_know_is_told_in_its_own_words():
    assert advice("a new kind of error", "batch") == ""
    with pytest.raises(ExportError, match=r"export/test_export_errors.py:\d+ \(`return x\[:, 5:6\]"):
        export(Mistaken().eval(), X, Y, 20)


class Eigenvalues(nn.Module):
    def forward(self, x):
        return torch.linalg.eigvalsh(x.T @ x).reshape(1, 4)


def test_a_network_without_a_dynamic_axis_is_told_its_cause_and_line():
    fixed = {"x": Tensor((1, 4), low=-1.0, high=1.0)}
    with pytest.raises(ExportError, match=r"test_export_errors.py:\d+ \(`return torch.linalg.eigvalsh.*_linalg_eigh"):
        export(Eigenvalues().eval(), fixed, {"y": Tensor((1, 4))}, 20)


def test_a_network_from_a_file_of_its_own_is_named_by_it(tmp_path):
    (tmp_path / "models").mkdir()
    file = tmp_path / "models" / "mine.py"
    file.write_text(
        "from torch import nn\n\n\nclass Network(nn.Module):\n    def forward(self, x):\n        if x[0, 0] > 0:\n"
        "            return x[:, :1]\n        return x[:, 1:]\n"
    )
    with pytest.raises(ExportError, match=r"at models/mine.py:6 \(`if x\[0, 0\] > 0:`\)") as caught:
        export(network_class(file)(), X, Y, 20)
    assert str(tmp_path) not in str(caught.value)
