"""Exported files: the same bytes from anywhere, and never another file than asked for."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from building import HERE, NETWORKS
from independent import draw_points
from library import apart
from onnx import TensorProto, helper
from support import PROJECT, TARGETS
from torch import nn
from torchship.config.domain_checks import spelled_out
from torchship.core.errors import ExportError
from torchship.core.files import read_json, sha256
from torchship.export.canonical import canonicalize, save
from torchship.export.opsets import acts_on_last_axis, lower
from torchship.export.signature import check_signature
from torchship.export.torch_export import export
from torchship.models.module import network_class
from torchship.runtimes.local import session
from torchship.spec.axes import read_axes
from torchship.spec.tensor import Tensor, read_tensors

PLAIN = {"x": Tensor(("batch", 2), low=0.0, high=1.0)}, {"y": Tensor(("batch", 1))}

EXPORT = """
import sys; sys.path[:0] = {path!r}
from pathlib import Path
from support import TARGETS, small_model
from export_onnx import export_onnx
from translate_network import translate_network
translated = Path("translated.zip"), Path("translated.json")
translate_network(Path({network!r}), Path({weights!r}), *translated, model=small_model(), opsets=[20])
export_onnx(*translated, Path("model.onnx"), Path("export.json"),
            run="xor", target=TARGETS["latest"], model=small_model(), name="latest")
"""


def test_the_bytes_do_not_depend_on_folder_or_process(trained, tmp_path):
    """This process has made the same, with a salt of its own."""
    path = [str(PROJECT / folder) for folder in ("scripts", "tests")]
    code = EXPORT.format(path=path, network=str(trained.network), weights=str(trained.trained))
    folder = tmp_path / "two words"
    folder.mkdir()
    environment = {**os.environ, "PYTHONHASHSEED": "2"}
    subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, check=True, capture_output=True)
    assert sha256(folder / "translated.zip") == sha256(trained.program)
    assert sha256(folder / "model.onnx") == sha256(trained.onnx["latest"])


class ClassToken(nn.Module):
    """Scores of all particles and of a token before them: an output has more entries than its input."""

    def __init__(self):
        super().__init__()
        self.token = nn.Parameter(torch.ones(1, 1, 3))
        self.score = nn.Linear(3, 2)

    def forward(self, x):
        tokens = torch.cat([self.token.expand(x.shape[0], -1, -1), x], dim=1)
        pairs = tokens[:, :, None] * tokens[:, None]
        return self.score(tokens), pairs.sum(-1).flatten(1)


@pytest.mark.parametrize("opset", [15, 20])
def test_an_axis_that_outputs_alone_have_has_its_declared_name(opset):
    inputs = {"x": Tensor(("batch", "particles", 3), low=-1.0, high=1.0)}
    outputs = {"each": Tensor(("batch", "tokens", 2)), "pairs": Tensor(("batch", "pairs"))}
    network = ClassToken().eval()
    model = export(network, inputs, outputs, opset)
    feed = {"x": np.linspace(-1.0, 1.0, 30, dtype=np.float32).reshape(2, 5, 3)}
    runtime = session(model.SerializeToString(), "all", 1)
    found = runtime.run(list(outputs), feed)
    for have, want in zip(found, network(torch.from_numpy(feed["x"])), strict=True):
        np.testing.assert_allclose(have, want.detach().numpy(), rtol=1e-5, atol=1e-6)
    # One name for two sizes, the name of an input's axis for another one, and a misspelt one are no less wrong.
    for wrong in (["batch", "tokens"], ["batch", "particles"], ["bacth", "pairs"]):
        with pytest.raises(ExportError, match="output 'pairs' has shape"):
            export(network, inputs, {**outputs, "pairs": Tensor(tuple(wrong))}, opset)


class EachStep(nn.Module):
    """A number for each step of a sequence, as of a network that denoises pulses."""

    def __init__(self, layer, **options):
        super().__init__()
        self.memory = layer(3, 4, batch_first=True, bidirectional=True, **options)
        self.norm, self.last = nn.LayerNorm(8), nn.Linear(8, 1)

    def forward(self, samples):
        out, _ = self.memory(samples)
        return self.last(self.norm(out))


STEPS = {"samples": Tensor(("batch", "time", 3), low=-1.0, high=1.0)}, {"y": Tensor(("batch", "time", 1))}


def largest_error_of_steps(layer, options, opset):
    """Export a recurrent network, and run it at other numbers of steps than were traced."""
    torch.manual_seed(1)
    network = EachStep(getattr(nn, layer), **options).eval()
    runtime = session(export(network, *STEPS, opset).SerializeToString(), "all", 1)
    errors = []
    for batch, steps in ((3, 5), (1, 1), (4, 13)):
        samples = torch.rand(batch, steps, 3)
        (found,) = runtime.run(None, {"samples": samples.numpy()})
        errors.append(np.abs(found - network(samples).detach().numpy()).max())
    return max(errors)


@pytest.mark.parametrize(("layer", "options", "opset"), [("GRU", {}, 17), ("LSTM", {"num_layers": 2}, 20)])
def test_the_steps_of_a_recurrent_layer_stay_dynamic(layer, options, opset):
    """In a process of its own, as in the workflow: torch 2.13 freezes some where others were traced before."""
    assert apart(largest_error_of_steps, layer, options, opset) < 1e-6


def test_the_steps_of_a_layer_that_is_unrolled_are_frozen():
    """torch translates nn.RNN to the traced steps."""
    with pytest.raises(ExportError, match=r"axis 'time' is frozen.*as nn.RNN is one and nn.GRU and nn.LSTM are none"):
        export(EachStep(nn.RNN).eval(), *STEPS, 20)


@pytest.mark.parametrize("target", ["latest", "cmssw_14_2", "cmssw_15_0"])
def test_a_file_is_what_its_target_takes(trained, target):
    model, facts = onnx.load(trained.onnx[target]), TARGETS[target]
    onnx.checker.check_model(model, full_check=True)
    assert model.ir_version == facts.ir
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", min(20, facts.opset))]
    report = read_json(trained.export[target])
    assert report["sha256"] == sha256(trained.onnx[target])
    assert report["operators"] == {"Gemm": 2, "Sigmoid": 2}
    assert report["modules"]["node_linear_1"] == {
        "module": "l2", "line": "models/xor.py:15", "code": "return torch.sigmoid(self.l2(x))"
    }  # fmt: skip
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert metadata["target"] == f'"{target}"'
    assert set(metadata) == set(report["metadata"])


def test_no_trace_of_the_machine_is_left(trained):
    content = trained.onnx["latest"].read_bytes()
    for trace in (str(PROJECT), str(Path.home()), "site-packages", "forward", ".py"):
        assert trace.encode() not in content


def test_a_bytes_check_that_can_fail(trained, tmp_path):
    model = onnx.load(trained.onnx["latest"])
    model.graph.node[0].doc_string = str(PROJECT)
    with pytest.raises(ExportError, match=r"the exported bytes hold the path"):
        save(model, tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()


def test_an_opset_that_was_not_reached_is_refused(trained):
    model = onnx.load(trained.onnx["latest"])
    with pytest.raises(ExportError, match=r"operator sets \{'ai.onnx': 20\} where ai.onnx 11 was asked for"):
        canonicalize(model, graph="xor", opset=11, ir=8, about={})


def test_an_older_opset_than_torch_reaches_means_the_same():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1), nn.Softmax(dim=-1), nn.Sigmoid()).eval()
    x = torch.rand(50, 2)
    found = []
    for opset in (20, 11):
        model = export(module, *PLAIN, opset)
        canonicalize(model, graph="net", opset=opset, ir=6, about={})
        onnx.checker.check_model(model, full_check=True)
        found.append(session(model.SerializeToString()).run(None, {"x": x.numpy()})[0])
    assert np.array_equal(*found)
    assert np.allclose(found[0], module(x).detach(), atol=1e-6)


class NewerMeaning(nn.Module):
    def forward(self, x):
        return torch.softmax(x[:, :, None], dim=1).mean(dim=1)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (NewerMeaning(), r"cannot be brought to opset 11: ReduceMean \(since 18\), Softmax \(since 13\).* are newer; choose a target"),
        (nn.Sequential(nn.Linear(2, 1), nn.LayerNorm(1)), r"LayerNormalization \(since 17\) are newer"),
    ],
)  # fmt: skip
def test_an_operator_that_an_older_opset_lacks_is_named(module, message):
    with pytest.raises(ExportError, match=message):
        export(module.eval(), *PLAIN, 11)


def softmax(rank, opset):
    """Return a file with a softmax of [batch, 2, …] that names no axis."""
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 2, 3, 4][:rank]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Softmax", ["x"], ["y"])], "g", [x], [y])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=7)


@pytest.mark.parametrize("rank", [2, 3, 4])
def test_an_axis_that_is_left_out_is_the_last_also_in_the_older_set(rank):
    """Left out it is the last from opset 13 on, and before 1, with all further axes."""
    model = lower(softmax(rank, 13), 12)
    x = np.random.default_rng(0).normal(size=(5, 2, 3, 4)[:rank]).astype(np.float32)
    powers = np.exp(x.astype(np.float64))
    found = session(model.SerializeToString()).run(None, {"x": x})[0]
    assert np.allclose(found, powers / powers.sum(-1, keepdims=True), atol=1e-6)
    assert acts_on_last_axis(softmax(rank, 12).graph.node[0], softmax(rank, 12)) == (rank == 2)


def test_what_is_newer_within_a_branch_is_named():
    x, y = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in (("x", [3, 2]), ("y", [1, 1]))
    )
    mean = helper.make_node("ReduceMean", ["x"], ["y"])
    branches = [helper.make_graph([mean], name, [], [y]) for name in ("yes", "no")]
    node = helper.make_node("If", ["c"], ["y"], then_branch=branches[0], else_branch=branches[1])
    graph = helper.make_graph([node], "g", [x, helper.make_tensor_value_info("c", TensorProto.BOOL, [])], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    with pytest.raises(ExportError, match=r"cannot be brought to opset 17: ReduceMean \(since 18\) are newer"):
        lower(model, 17)


class Pooled(nn.Module):
    def forward(self, x):
        return x[:, :, None, None].mean(dim=(2, 3)).mean(dim=1, keepdim=True)


def test_a_conversion_that_gives_an_invalid_file_is_not_taken():
    """onnx's converter leaves an attribute of opset 18 at ReduceMean, which no runtime takes in an older set."""
    with pytest.raises(ExportError, match=r"cannot be brought to opset 15: ReduceMean \(since 18\) are newer"):
        export(Pooled().eval(), *PLAIN, 15)


class Broken(nn.Module):
    def forward(self, x):
        return torch.zeros(int(x.sum()), 1)


class Frozen(nn.Module):
    def forward(self, x):
        return x.sum(dim=1, keepdim=True) * torch.ones(3, 1)


@pytest.mark.parametrize("module", [Broken(), Frozen()])
def test_what_cannot_be_exported_is_one_line(module):
    with pytest.raises(ExportError) as caught:
        export(module, *PLAIN, 20)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "type_", "shape", "message"),
    [
        ("z", TensorProto.FLOAT, ["batch", 1], r"the graph has outputs \['z'\], declared are \['y'\]"),
        ("y", TensorProto.DOUBLE, ["batch", 1], r"output 'y' is float64, declared float32"),
        ("y", TensorProto.FLOAT, [3, 1], r"output 'y': axis 'batch' is frozen, the graph has \[3, 1\]"),
        ("y", TensorProto.FLOAT, [0, 1], r"output 'y': axis 'batch' is frozen, the graph has \[0, 1\]"),
        ("y", TensorProto.FLOAT, [None, 1], r"output 'y' has shape \['\?', 1\], declared \['batch', 1\]"),
        ("y", TensorProto.FLOAT, ["batch", 2], r"output 'y' has shape \['batch', 2\], declared \['batch', 1\]"),
    ],
)
def test_another_signature_is_refused(name, type_, shape, message):
    with pytest.raises(ExportError, match=message):
        check_signature("output", [helper.make_tensor_value_info(name, type_, shape)], PLAIN[1])


def test_invalid_onnx_is_refused(trained, tmp_path):
    model = onnx.load(trained.onnx["latest"])
    model.graph.node[0].op_type = "Gem"
    with pytest.raises(ExportError, match=r"network 'xor' is not valid ONNX"):
        save(model, tmp_path / "model.onnx")


def test_the_file_runs_at_any_batch(trained):
    running = session(trained.onnx["latest"])
    for batch in (1, 3, 100):
        assert running.run(None, {"x": np.zeros((batch, 2), np.float32)})[0].shape == (batch, 1)


def test_attention_with_a_bias_of_pairs_is_exported():
    """torch's fused attention stops the export there ("Cannot view a tensor"); in single operations it goes through."""
    file, entry = HERE / "networks" / "particle_transformer.py", NETWORKS["particle_transformer"]
    inputs = read_tensors({name: spelled_out(name, tensor) for name, tensor in entry["inputs"].items()})
    torch.manual_seed(0)
    module = network_class(file)(depth=1).eval()
    model = export(module, inputs, read_tensors(entry["outputs"]), 18, read_axes(entry))
    feed = draw_points(entry, np.random.default_rng(0), 4)
    (found,) = session(model.SerializeToString()).run(None, feed)
    with torch.no_grad():
        wanted = module(*map(torch.from_numpy, feed.values()))
    np.testing.assert_allclose(found, wanted.numpy(), atol=1e-5)
