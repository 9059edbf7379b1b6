"""A file that was made elsewhere: validated, timed and archived without a training."""

import csv
import json

import numpy as np
import pytest
import torch
import yaml
from documented import INPUTS, OUTPUTS, documented
from driver import Workflow
from gating import gated
from own_cases import Maker
from torchship.domain import draw, uniform

pytestmark = pytest.mark.workflow


def prepare(folder, name, **onnx):
    network = gated(name)
    (folder / "mine.onnx").write_bytes(network.content)
    entry = {"onnx": {"file": "mine.onnx", **onnx}, "inputs": network.inputs, "outputs": network.outputs}
    settings = {"export": {"targets": ["latest", "cmssw_14_0"], "input_shapes": True}}
    if name == "graph_attention":
        settings = {"export": {"targets": ["latest"]}}
    small = {"search": {"evaluations": 256}, "batch_sizes": [1, 2, 7, 64], "axis_sizes": [1, 2, 7]}
    document = {"runs": ["mine"], "models": {"mine": {**entry, **settings, "validate": small}}}
    (folder / "mine.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    return Workflow(folder, configs=[folder / "mine.yaml"]), network


def test_a_file_with_reference_outputs_takes_the_short_road(tmp_path):
    workflow, network = prepare(tmp_path, "batch_norm", reference="mine.npz")
    feed = draw(network.inputs, dict.fromkeys(network.inputs, uniform), {"batch": 300}, np.random.default_rng(3))
    expected = network.module(torch.from_numpy(feed["x"])).detach().numpy()
    np.savez(tmp_path / "mine.npz", y=expected, **feed)
    workflow.run("all", cores=2)
    found = json.loads(workflow.path("mine/validate/latest/validation.json").read_text())
    assert (found["verdict"], found["arbiter"]) == ("passed", "ONNX reference evaluator")
    assert 0.0 < found["reference"]["y"] < 1.0
    assert found["decisions"]["events"] == 300
    old = json.loads(workflow.path("mine/validate/cmssw_14_0/validation.json").read_text())
    assert old["verdict"] == "static only"
    assert workflow.path("mine/export/latest/model.onnx").read_bytes() == network.content
    with workflow.path("mine/benchmark/engines.csv").open(newline="") as stream:
        assert {row["engine"] for row in csv.DictReader(stream)} == {"ONNX Runtime", "ONNX Runtime, not optimized"}
    assert not workflow.path("mine/train").exists()
    # Another reference than the file computes is found before any runtime is judged.
    expected[7, 1] += 1e-4
    np.savez(tmp_path / "mine.npz", y=expected, **feed)
    text = workflow.run("validate", check=False, cores=2)
    assert "the reference against what the file says: |Δ| = 0.0001 >" in text
    assert "event 7, output y[1]" in text


def test_a_file_with_old_batch_normalisation_passes_with_its_reference(tmp_path):
    """BatchNormalization of opset 9 with momentum, as in the CMS documentation; and the reference of another file."""
    content, reference = documented()
    (tmp_path / "mine.onnx").write_bytes(content)
    x = Maker(5).x(60, 4)
    np.savez(tmp_path / "mine.npz", x=x, y=reference(x).astype(np.float32))
    document = {
        "runs": ["mine"],
        "models": {"mine": {
            "onnx": {"file": "mine.onnx", "reference": "mine.npz"}, "inputs": INPUTS, "outputs": OUTPUTS,
            "export": {"targets": ["latest"]},
            "validate": {"search": {"evaluations": 64}, "batch_sizes": [1, 2, 64]},
        }},
    }  # fmt: skip
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    workflow = Workflow(tmp_path, configs=[tmp_path / "mine.yaml"])
    workflow.run("validate", cores=2)
    found = json.loads(workflow.path("mine/validate/latest/validation.json").read_text())
    assert (found["verdict"], found["arbiter"]) == ("passed", "ONNX reference evaluator")
    assert 0.0 < found["reference"]["y"] < 1.0
    (tmp_path / "mine.onnx").write_bytes(documented(broken=True)[0])
    assert "the reference against what the file says" in workflow.run("validate", check=False, cores=2)


def test_a_graph_without_reference_outputs_is_judged_by_its_own_word(tmp_path):
    workflow, _ = prepare(tmp_path, "graph_attention")
    workflow.run("validate", "benchmark", cores=2)
    page = workflow.path("mine/validate/gate.html").read_text()
    assert "There are no reference outputs" in page
    assert "hits" in page


def test_a_network_that_the_generator_does_not_cover_goes_without_code(tmp_path):
    workflow = Workflow(tmp_path)
    workflow.run("validate", "benchmark", "--config", "extract={handcode: false}", cores=2)
    assert "extract_weights" not in workflow.planned("all", "--config", "extract={handcode: false}")
    assert not workflow.path("xor/extract").exists()
    assert "There is no hand-coded network" in workflow.path("xor/summary.html").read_text()
    assert json.loads(workflow.path("xor/validate/latest/validation.json").read_text())["handcoded"] == {}
    assert "hand-coded" not in workflow.path("xor/benchmark/engines.csv").read_text()
