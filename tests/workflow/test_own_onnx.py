"""A file that was made elsewhere: validated, timed and archived without a training."""

import csv
import json

import numpy as np
import pytest
import torch
import yaml
from documented import INPUTS, OUTPUTS, documented
from driver import Workflow, copied
from elsewhere import affine, attention, saved_outside, written_for_attention
from gating import NETWORKS, gated, network_file
from onnx.reference import ReferenceEvaluator
from own_cases import Maker
from torchship.data.domain import draw, uniform

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


def configured(folder, model, **more):
    small = {"search": {"evaluations": 256}, "batch_sizes": [1, 2, 7, 64]}
    document = {"runs": ["mine"], "models": {"mine": {**model, "validate": small}}, **more}
    (folder / "mine.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    return Workflow(folder, configs=[folder / "mine.yaml"])


def test_a_file_whose_configuration_says_nothing_but_its_reference(tmp_path):
    """Names that are no identifiers, with braces as of wildcards; weights in a second file; a fixed batch."""
    names = ("in/{run}:0", "out {target} $y$ 1")
    x = np.random.default_rng(0).uniform(-2, 2, (60, 4)).astype(np.float32)
    y = ReferenceEvaluator(affine(*names)).run(None, {names[0]: x})[0]
    np.savez(tmp_path / "mine.npz", **{names[0]: x, names[1]: y})
    saved_outside(affine(*names, batch=1), tmp_path, "mine.onnx.data")
    workflow = configured(tmp_path, {"onnx": {"file": "mine.onnx", "reference": "mine.npz"}})
    workflow.run("all", "--config", "export={targets: [latest, cmssw_14_2]}", cores=2)
    found = json.loads(workflow.path("mine/validate/cmssw_14_2/validation.json").read_text())
    assert (found["verdict"], len(found["notes"])) == ("passed", 3)
    assert 0.0 < found["reference"][names[1]] < 1.0
    page = workflow.path("mine/validate/gate.html").read_text()
    assert "A caller must call" not in page
    assert "a caller must call with batch 1" in page
    with workflow.path("mine/benchmark/engines.csv").open(newline="") as stream:
        assert {row["batch"] for row in csv.DictReader(stream)} == {"1"}
    # Other weights are another file.
    (tmp_path / "mine.onnx.data").write_bytes(bytes((tmp_path / "mine.onnx.data").stat().st_size))
    assert {"adopt_onnx", "make_cases", "validate_target"} <= workflow.planned(
        "validate", "--config", "export={targets: [latest, cmssw_14_2]}"
    )


def test_a_domain_that_nobody_says_is_asked_for_before_anything_runs_on_it(tmp_path):
    (tmp_path / "mine.onnx").write_bytes(affine().SerializeToString())
    text = configured(tmp_path, {"onnx": {"file": "mine.onnx"}}).run("validate", check=False, cores=2)
    assert "nobody says where the values of 'x' lie" in text
    assert 'inputs: {"x": {"dtype": "float32", "shape": ["batch", 4], "low": "…", "high": "…"}}' in text


def test_a_reference_alone_judges_and_a_file_is_timed_on_it(tmp_path):
    content, arrays = attention().SerializeToString(), written_for_attention(tmp_path)
    (tmp_path / "mine.onnx").write_bytes(content)
    onnx = {"file": "mine.onnx", "reference": "mine.npz", "within": {"y": 1e-5}}
    workflow = configured(tmp_path, {"onnx": onnx, "export": {"targets": ["latest"]}})
    workflow.run("validate", "benchmark", cores=2)
    found = json.loads(workflow.path("mine/validate/latest/validation.json").read_text())
    assert (found["verdict"], found["arbiter"]) == ("passed", "given reference alone: 40 events")
    assert "rests on the given reference alone: 40 events" in workflow.path("mine/validate/gate.html").read_text()
    arrays["y"][17, 1, 2] += 1e-3
    np.savez(tmp_path / "mine.npz", **arrays)
    text = workflow.run("validate", check=False, cores=2)
    assert "> 1e-05 at event 17, output y[10]" in text
    assert "rests on the given reference alone" in text


def given(folder, name, network, **entry):
    """Return a project with a network in models/ and a run with trained weights of it."""
    project = copied(folder / "project")
    torch.manual_seed(3)
    torch.save({"state_dict": network.state_dict()}, project / "mine.ckpt")
    (project / "models" / f"{name}.py").write_text(network_file(name).read_text())
    inputs, outputs = NETWORKS[name]
    small = {"search": {"evaluations": 256}, "batch_sizes": [1, 2, 7, 64]}
    model = {
        "network": {"file": name, "weights": "mine.ckpt"},
        "inputs": inputs,
        "outputs": outputs,
        "validate": small,
        **entry,
    }
    (project / "mine.yaml").write_text(yaml.safe_dump({"runs": ["mine"], "models": {"mine": model}}, sort_keys=False))
    return Workflow(project, project, configs=[project / "mine.yaml"])


def test_trained_weights_take_the_whole_road_without_data(tmp_path):
    workflow = given(tmp_path, "xor", gated("xor").module)
    planned = workflow.planned("all")
    assert {"take_weights", "check_code", "pack_archive", "write_summary"} <= planned
    assert not planned & {"train_network", "generate_data", "evaluate_network", "plot_training", "plot_surface"}
    workflow.run("all", cores=2)
    assert "Trained elsewhere" in workflow.path("mine/summary.html").read_text()
    report = json.loads(workflow.path("mine/train/training.json").read_text())
    assert report["source"]["under"] == "state_dict"
    assert json.loads(workflow.path("archive/verified.json").read_text())


def test_a_lost_bias_is_found_with_given_weights(tmp_path):
    workflow = given(tmp_path, "lost_bias", gated("lost_bias").module, extract={"handcode": False})
    text = workflow.run("validate", "--config", "export={targets: [latest]}", check=False, cores=2)
    assert "the file itself says so, whatever runs it" in text
    assert not workflow.path("mine/data").exists()


def test_given_weights_with_data_have_events_in_the_gate(tmp_path):
    workflow = given(tmp_path, "xor", gated("xor").module, data={"source": "xor"})
    workflow.run("validate", "evaluate", "--config", "export={targets: [latest]}", cores=2)
    validation = json.loads(workflow.path("mine/validate/latest/validation.json").read_text())
    assert validation["decisions"]["events"] == 4
    assert workflow.path("mine/evaluate/metrics.json").exists()
