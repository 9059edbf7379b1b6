"""The gate: passes what is right, and stops everything that is not, with numbers."""

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from support import DEFAULTS, PROJECT
from torch import nn
from torchship import interpreters
from torchship.cases import limit
from torchship.crosscheck import eager
from torchship.datasets import read_about, read_arrays, write_arrays
from torchship.errors import ParityError, TargetError
from torchship.files import read_json, sha256, write_json
from torchship.interpreters import interpreter
from torchship.layers import read_network
from torchship.parity import compare
from torchship.reference import evaluate, gamma
from torchship.tracing import describe

from run_target import run_target
from validate_target import validate_target

LATEST = PROJECT / "envs" / f"onnxruntime-{DEFAULTS['targets']['latest']['onnxruntime']}.yaml"


def gate(trained, tmp_path, model, target="latest", tolerance=1.0, pins=LATEST, outputs=None, facts=None):
    """Run a file through both steps of the gate; give the evidence."""
    report = read_json(trained.export[target]) | {"sha256": sha256(model)}
    write_json(tmp_path / "export.json", report)
    if outputs is None:
        outputs = tmp_path / "outputs.safetensors"
        run_target(model, trained.cases, pins, outputs)
    validate_target(
        model, tmp_path / "export.json", trained.cases, outputs, tmp_path / "validation.json", tmp_path / "evidence.json",
        what=f"xor/{target}", target=facts or DEFAULTS["targets"][target], tolerance=tolerance,
    )  # fmt: skip
    return read_json(tmp_path / "validation.json")


def changed(trained, tmp_path, change):
    """Give a copy of the exported file after a change to the model."""
    model = onnx.load(trained.onnx["latest"])
    change(model)
    path = tmp_path / "changed.onnx"
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("target", ["latest", "cmssw_14_2"])
def test_a_correct_file_passes_in_its_own_runtime(trained, tmp_path, target):
    version = DEFAULTS["targets"][target]["onnxruntime"]
    pins = PROJECT / "envs" / f"onnxruntime-{version}.yaml"
    evidence = gate(trained, tmp_path, trained.onnx[target], target, pins=pins)
    assert evidence["verdict"] == "passed"
    assert evidence["runtime"]["onnxruntime"] == version
    assert {case["batch"] for case in evidence["cases"]} == {1, 2, 7, 1000}
    assert 0.0 < evidence["worst"]["ratio"] < 1.0


def scale_initializer(name, factor):
    def change(model):
        for tensor in model.graph.initializer:
            if tensor.name == name:
                values = numpy_helper.to_array(tensor).copy()
                values.flat[0] *= factor
                tensor.CopyFrom(numpy_helper.from_array(values, name))

    return change


@pytest.mark.parametrize("name", ["l1.weight", "l1.bias", "l2.weight", "l2.bias"])
@pytest.mark.parametrize("factor", [1.01, 1.0001, np.nan])
def test_one_changed_number_in_any_layer_is_caught(trained, tmp_path, name, factor):
    model = changed(trained, tmp_path, scale_initializer(name, factor))
    with pytest.raises(ParityError, match=r"xor/latest: .*(at event \d+, output y\[0\]|not finite)"):
        gate(trained, tmp_path, model)
    assert not (tmp_path / "validation.json").exists()
    evidence = read_json(tmp_path / "evidence.json")
    assert evidence["verdict"] == "failed"
    assert evidence["failures"]


def test_a_frozen_batch_is_named(trained, tmp_path):
    def freeze(model):
        for value in [*model.graph.input, *model.graph.output]:
            value.type.tensor_type.shape.dim[0].dim_value = 1

    with pytest.raises(ParityError, match=r"the batch axis is frozen at 1: batches \[2, 7, 1000\] were refused"):
        gate(trained, tmp_path, changed(trained, tmp_path, freeze))


def test_a_file_that_does_not_load_is_named(trained, tmp_path):
    (tmp_path / "half.onnx").write_bytes(trained.onnx["latest"].read_bytes()[:100])
    with pytest.raises(ParityError, match=r"no output 'y': .*half.onnx"):
        gate(trained, tmp_path, tmp_path / "half.onnx")


def test_a_newer_ir_version_than_the_runtime_takes_is_refused(trained, tmp_path):
    def newer(model):
        model.ir_version = 99

    with pytest.raises(ParityError, match=r"Unsupported model IR version: 99"):
        gate(trained, tmp_path, changed(trained, tmp_path, newer))


def test_an_opset_beyond_the_target_is_refused(trained, tmp_path):
    with pytest.raises(ParityError, match=r"opset 20 is newer than the target's 19"):
        gate(trained, tmp_path, trained.onnx["latest"], facts={**DEFAULTS["targets"]["latest"], "opset": 19})


def test_another_runtime_than_the_targets_is_refused(trained, tmp_path):
    with pytest.raises(ParityError, match=r"ran in ONNX Runtime 1.32.0, the target ships 1.17.1"):
        gate(trained, tmp_path, trained.onnx["cmssw_14_2"], "cmssw_14_2")


def test_a_file_that_changed_after_export_is_refused(trained, tmp_path):
    outputs = tmp_path / "o.safetensors"
    run_target(trained.onnx["latest"], trained.cases, LATEST, outputs)
    with pytest.raises(ParityError, match=r"the file has changed since it was exported"):
        validate_target(
            changed(trained, tmp_path, scale_initializer("l1.bias", 1.0 + 1e-7)), trained.export["latest"], trained.cases, outputs,
            tmp_path / "v.json", tmp_path / "e.json", what="xor", target=DEFAULTS["targets"]["latest"], tolerance=1.0,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda y: y.astype(np.float64), r"output 'y' is float64, float32 is declared"),
        (lambda y: y[:, 0], r"shape \[\d+\] where \[\d+, 1\] is expected"),
        (lambda y: y[:-1] if len(y) > 1 else y, r"shape \[1, 1\] where \[2, 1\] is expected"),
        (lambda y: np.full_like(y, np.inf), r"\|Δ\| = inf > "),
        (lambda y: np.full_like(y, np.nan), r"\|Δ\| = nan > .*nan where"),
        (lambda y: y[::-1].copy(), r"against float64: \|Δ\|"),
    ],
)
def test_wrong_outputs_are_named(trained, tmp_path, change, message):
    right = tmp_path / "right.safetensors"
    run_target(trained.onnx["latest"], trained.cases, LATEST, right)
    outputs = {name: change(array) for name, array in read_arrays(right).items()}
    write_arrays(tmp_path / "wrong.safetensors", outputs, read_about(right))
    with pytest.raises(ParityError, match=message):
        gate(trained, tmp_path, trained.onnx["latest"], outputs=tmp_path / "wrong.safetensors")


def test_a_tighter_tolerance_refuses_more(trained, tmp_path):
    with pytest.raises(ParityError, match=r"\|Δ\| = .* > "):
        gate(trained, tmp_path, trained.onnx["latest"], tolerance=1e-6)


def test_a_missing_runtime_names_the_command_that_makes_it(tmp_path, monkeypatch):
    pins = tmp_path / "onnxruntime-0.0.1.yaml"
    pins.write_text("      - onnxruntime==0.0.1\n")
    monkeypatch.setattr(interpreters, "RUNTIMES", tmp_path)
    with pytest.raises(TargetError, match=r"onnxruntime-0.0.1.yaml is not installed; run `make runtimes`"):
        interpreter(pins)
    (tmp_path / "onnxruntime-0.0.1" / "bin").mkdir(parents=True)
    (tmp_path / "onnxruntime-0.0.1" / "bin" / "python").symlink_to(sys.executable)
    with pytest.raises(TargetError, match=r"is not as .* pins it; run `make runtimes`: .*onnxruntime"):
        interpreter(pins)
    assert interpreter(LATEST) == Path(sys.executable)


def test_comparison_counts_every_kind_of_difference():
    value, bound = np.array([[1.0], [np.nan], [np.inf]]), np.full((3, 1), 1e-3)
    assert compare(value, value, bound).ratio == 0.0
    for other in ([[np.nan], [np.nan], [np.inf]], [[1.0], [0.0], [np.inf]], [[1.0], [np.nan], [-np.inf]]):
        assert compare(np.array(other), value, bound).ratio == np.inf
    assert compare(value + 1e-4, value, bound).ratio == pytest.approx(0.1)
    assert compare(value + 1.0, value, np.full((3, 1), np.nan)).ratio == np.inf
    with pytest.raises(ParityError, match="nothing to compare"):
        compare(np.zeros((0, 1)), np.zeros((0, 1)), np.zeros((0, 1)))


def test_gamma_bounds_every_order_of_a_float32_sum():
    generator = np.random.default_rng(0)
    for count in (2, 10, 1000):
        terms = generator.normal(size=count).astype(np.float32)
        exact = terms.astype(np.float64).sum()
        bound = gamma(count, 2.0**-24) * np.abs(terms).astype(np.float64).sum()
        for _ in range(50):
            total = np.float32(0)
            for term in generator.permutation(terms):
                total += term
            assert abs(float(total) - exact) <= bound


def test_a_deep_network_cannot_hide_behind_its_bound():
    """The rigorous bound of eight wide layers exceeds the outputs; the limit must not."""
    torch.manual_seed(0)
    layers = [layer for _ in range(8) for layer in (nn.Linear(128, 128), nn.ReLU())]
    module = nn.Sequential(*layers, nn.Linear(128, 1), nn.Sigmoid()).eval()
    shapes = [{name: {"shape": ["batch", width]}} for name, width in (("x", 128), ("y", 1))]
    x = torch.randn(200, 128).numpy()
    value, bound = evaluate(read_network(describe("net", module, *shapes)), x)
    assert bound.min() > 1e-3
    float32 = eager(module, x, torch.float32)
    allowed = limit(bound, float(np.abs(float32 - value).max()), 1.0)
    assert compare(float32, value, allowed).ratio < 0.1
    for layer in module:
        if isinstance(layer, nn.Linear):
            kept = layer.weight.data.clone()
            layer.weight.data *= 1.01
            assert compare(eager(module, x, torch.float32), value, allowed).ratio > 1.0
            layer.weight.data = kept
