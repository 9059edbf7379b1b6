"""Files and weights that were made elsewhere: validated, timed and archived without a training, several in one run."""

import csv
import json
import shutil

import numpy as np
import pytest
import torch
import yaml
from driver import Workflow, copied
from elsewhere import affine, attention, saved_outside, written_for_attention
from gating import DECLARED, gated, network_file
from onnx.reference import ReferenceEvaluator
from torchship.data.domain import draw, uniform
from torchship.spec.tensor import documents

# On one worker, so that the run is made once.
pytestmark = [pytest.mark.workflow, pytest.mark.long, pytest.mark.xdist_group("elsewhere")]

SMALL = {"search": {"evaluations": 256}, "batch_sizes": [1, 2, 7, 64], "axis_sizes": [1, 2, 7]}
# Names that are no identifiers, with braces as of wildcards.
NAMES = ("in/{run}:0", "out {target} $y$ 1")


def given(folder, name, **entry):
    """Write a network and trained weights of it; give the entry of a run with them."""
    torch.manual_seed(3)
    torch.save({"state_dict": gated(name).module.state_dict()}, folder / f"{name}.ckpt")
    shutil.copy(network_file(name), folder / "models" / f"{name}.py")
    inputs, outputs = DECLARED[name]
    return {"network": {"file": name, "weights": f"{name}.ckpt"}, "inputs": inputs, "outputs": outputs, **entry}


def referenced(folder):
    """Write a file, and reference outputs of it as a user has them: from torch."""
    network = gated("batch_norm")
    (folder / "referenced.onnx").write_bytes(network.content)
    feed = draw(network.inputs, dict.fromkeys(network.inputs, uniform), {"batch": 300}, np.random.default_rng(3))
    np.savez(folder / "referenced.npz", y=network.module(torch.from_numpy(feed["x"])).detach().numpy(), **feed)
    return {"onnx": {"file": "referenced.onnx", "reference": "referenced.npz"}, "inputs": documents(network.inputs),
            "outputs": documents(network.outputs), "export": {"targets": ["latest", "cmssw_14_0"], "input_shapes": True}}  # fmt: skip


def graph(folder):
    """Write a file without reference outputs."""
    network = gated("graph_attention")
    (folder / "graph.onnx").write_bytes(network.content)
    return {"onnx": {"file": "graph.onnx"}, "inputs": documents(network.inputs),
            "outputs": documents(network.outputs),
            "export": {"targets": ["latest"]}}  # fmt: skip


def bare(folder):
    """Write a file with a fixed batch, of which the configuration says nothing, with its weights in a second file."""
    x = np.random.default_rng(0).uniform(-2, 2, (60, 4)).astype(np.float32)
    y = ReferenceEvaluator(affine(*NAMES)).run(None, {NAMES[0]: x})[0]
    np.savez(folder / "bare.npz", **{NAMES[0]: x, NAMES[1]: y})
    saved_outside(affine(*NAMES, batch=1), folder, "mine.onnx.data")
    return {"onnx": {"file": "mine.onnx", "reference": "bare.npz"}, "export": {"targets": ["cmssw_14_2"]}}


def alone(folder):
    """Write a file that no evaluator knows an operator of, and a reference that says what it must compute."""
    (folder / "alone.onnx").write_bytes(attention().SerializeToString())
    written_for_attention(folder)
    (folder / "mine.npz").rename(folder / "alone.npz")
    return {
        "onnx": {"file": "alone.onnx", "reference": "alone.npz", "within": {"y": 1e-5}},
        "export": {"targets": ["latest"]},
    }


def configured(project, **models):
    models = {name: {**model, "validate": SMALL} for name, model in models.items()}
    document = {"runs": list(models), "models": models}
    (project / "mine.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    return Workflow(project, project, configs=[project / "mine.yaml"])


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """One run of everything for all of them: files with and without a reference, weights with and without data."""
    project = copied(tmp_path_factory.mktemp("elsewhere") / "project")
    workflow = configured(
        project, referenced=referenced(project), graph=graph(project), bare=bare(project), alone=alone(project),
        weighted=given(project, "xor", export={"targets": ["cmssw_14_2"]}),
        uncovered=given(project, "xor", data={"source": "xor"}, extract={"handcode": False}, export={"targets": ["latest"]}),
    )  # fmt: skip
    workflow.run("all", cores=2)
    return workflow


@pytest.fixture
def copy_of_whole(whole, tmp_path):
    """A copy of that run, to break."""
    shutil.copytree(whole.folder, tmp_path / "copy", symlinks=True)
    return Workflow(tmp_path / "copy", tmp_path / "copy", configs=[tmp_path / "copy" / "mine.yaml"])


def validation(workflow, run, target="latest"):
    return json.loads(workflow.path(f"{run}/validate/{target}/validation.json").read_text())


def timed(workflow, run):
    with workflow.path(f"{run}/benchmark/engines.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_file_with_reference_outputs_takes_the_short_road(whole):
    found = validation(whole, "referenced")
    assert (found["verdict"], found["arbiter"]) == ("passed", "ONNX reference evaluator")
    assert 0.0 < found["reference"]["y"] < 1.0
    assert found["decisions"]["events"] == 300
    assert validation(whole, "referenced", "cmssw_14_0")["verdict"] == "static only"
    shipped = whole.path("referenced/export/latest/model.onnx").read_bytes()
    assert shipped == (whole.folder / "referenced.onnx").read_bytes()
    assert {row["engine"] for row in timed(whole, "referenced")} == {"ONNX Runtime", "ONNX Runtime, not optimized"}
    assert not whole.path("referenced/train").exists()


def test_another_reference_than_the_file_computes_is_found_before_any_runtime_is_judged(copy_of_whole):
    arrays = dict(np.load(copy_of_whole.folder / "referenced.npz"))
    arrays["y"][7, 1] += 1e-4
    np.savez(copy_of_whole.folder / "referenced.npz", **arrays)
    text = copy_of_whole.run("results/referenced/validate/latest/validation.json", check=False, cores=2)
    assert "the reference against what the file says: |Δ| = 0.0001 >" in text
    assert "event 7, output y[1]" in text


def test_a_graph_without_reference_outputs_is_judged_by_its_own_word(whole):
    page = whole.path("graph/validate/gate.html").read_text()
    assert "There are no reference outputs" in page
    assert "hits" in page
    assert timed(whole, "graph")


def test_a_network_that_the_generator_does_not_cover_goes_without_code(whole):
    assert not whole.path("uncovered/extract").exists()
    assert "There is no hand-coded network" in whole.path("uncovered/summary.html").read_text()
    assert validation(whole, "uncovered")["handcoded"] == {}
    assert not any("hand-coded" in row["engine"] for row in timed(whole, "uncovered"))
    # Where it is covered, there is some.
    assert validation(whole, "weighted", "cmssw_14_2")["handcoded"] != {}
    assert any("hand-coded" in row["engine"] for row in timed(whole, "weighted"))


def test_given_weights_with_data_have_events_in_the_gate(whole):
    assert validation(whole, "uncovered")["decisions"]["events"] == 4
    assert whole.path("uncovered/evaluate/metrics.json").exists()


def test_a_file_whose_configuration_says_nothing_but_its_reference(copy_of_whole):
    """Names that are no identifiers, with braces as of wildcards; weights in a second file; a fixed batch."""
    found = validation(copy_of_whole, "bare", "cmssw_14_2")
    assert (found["verdict"], len(found["notes"])) == ("passed", 3)
    assert 0.0 < found["reference"][NAMES[1]] < 1.0
    page = copy_of_whole.path("bare/validate/gate.html").read_text()
    assert "A caller must call" not in page
    assert "a caller must call with batch 1" in page
    assert {row["batch"] for row in timed(copy_of_whole, "bare")} == {"1"}
    # Other weights are another file.
    beside = copy_of_whole.folder / "mine.onnx.data"
    beside.write_bytes(bytes(beside.stat().st_size))
    planned = copy_of_whole.planned("results/bare/validate/cmssw_14_2/validation.json")
    assert {"adopt_onnx", "make_cases", "validate_target"} <= planned


def test_a_reference_alone_judges_and_a_file_is_timed_on_it(copy_of_whole):
    found = validation(copy_of_whole, "alone")
    assert (found["verdict"], found["arbiter"]) == ("passed", "given reference alone: 40 events")
    assert "rests on the given reference alone: 40 events" in copy_of_whole.path("alone/validate/gate.html").read_text()
    assert timed(copy_of_whole, "alone")
    arrays = dict(np.load(copy_of_whole.folder / "alone.npz"))
    arrays["y"][17, 1, 2] += 1e-3
    np.savez(copy_of_whole.folder / "alone.npz", **arrays)
    text = copy_of_whole.run("results/alone/validate/latest/validation.json", check=False)
    assert "> 1e-05 at event 17, output y[10]" in text
    assert "rests on the given reference alone" in text


def test_a_domain_that_nobody_says_is_asked_for_before_anything_runs_on_it(tmp_path):
    (tmp_path / "mine.onnx").write_bytes(affine().SerializeToString())
    (tmp_path / "mine.yaml").write_text(
        yaml.safe_dump({"runs": ["mine"], "models": {"mine": {"onnx": {"file": "mine.onnx"}}}})
    )
    text = Workflow(tmp_path, configs=[tmp_path / "mine.yaml"]).run("validate", check=False, cores=2)
    assert "nobody says where the values of 'x' lie" in text
    assert 'inputs: {"x": {"dtype": "float32", "shape": ["batch", 4], "low": "…", "high": "…"}}' in text


def test_trained_weights_take_the_whole_road_without_data(whole):
    for name in ("extract/check.json", "validate/cmssw_14_2/validation.json", "benchmark/engines.csv"):
        assert whole.path(f"weighted/{name}").exists(), name
    for name in ("data", "evaluate", "train/loss.svg"):
        assert not whole.path(f"weighted/{name}").exists(), name
    # Nothing was trained.
    assert len(whole.path("weighted/train/history.csv").read_text().splitlines()) == 1
    assert "Trained elsewhere" in whole.path("weighted/summary.html").read_text()
    report = json.loads(whole.path("weighted/train/training.json").read_text())
    assert report["source"]["under"] == "state_dict"
    assert json.loads(whole.path("archive/verified.json").read_text())


def test_a_lost_bias_is_found_with_given_weights(whole, tmp_path):
    lost = given(whole.project, "lost_bias", extract={"handcode": False}, export={"targets": ["latest"]})
    (tmp_path / "lost.yaml").write_text(
        yaml.safe_dump({"runs": ["lost"], "models": {"lost": {**lost, "validate": SMALL}}}, sort_keys=False)
    )
    shutil.copy(whole.project / "lost_bias.ckpt", tmp_path)
    workflow = Workflow(tmp_path, whole.project, configs=[tmp_path / "lost.yaml"])
    text = workflow.run("validate", check=False, cores=2)
    assert "the file itself says so, whatever runs it" in text
    assert not workflow.path("lost/data").exists()
