"""A scan: a candidate for each point, the best goes on through export and the gate, and a new point is the only one trained."""

import csv
import json
import re

import pytest
from driver import Workflow, rules_in
from safetensors.numpy import load_file
from torchship.core.files import sha256
from torchship.training.parallel.gpu_locks import any_here

pytestmark = [pytest.mark.workflow, pytest.mark.long]

RATES = "train/learning_rate: [0.001, 0.1], network/arguments/hidden: [2, 4]"
POINTS = "{train/weights/mean: 1.0e+39}"


def scan(grid=RATES, points=POINTS):
    return ["--config", f"scan={{grid: {{{grid}}}, points: [{points}]}}", "export={targets: [cmssw_14_2]}"]


@pytest.fixture(scope="module")
def scanned(tmp_path_factory):
    workflow = Workflow(tmp_path_factory.mktemp("a scan") / "with a space")
    workflow.log = workflow.run("all", *scan(), cores=2)
    return workflow


@pytest.mark.xdist_group("scan")
def test_the_best_goes_on(scanned):
    shipped = json.loads(scanned.path("xor/model/model.json").read_text())
    assert shipped["candidate"] == "hidden=4+learning_rate=0.1"
    candidate = scanned.path(f"xor/candidates/{shipped['candidate']}")
    for name in ("history.csv", "replicas.csv", "training.json"):
        assert sha256(scanned.path(f"xor/train/{name}")) == sha256(candidate / name)
    weights = scanned.path("xor/model/weights.safetensors")
    assert sha256(weights) == sha256(candidate / "weights.safetensors") == shipped["files"]["weights.safetensors"]
    # What follows was given the best's knobs: the run's own network has two hidden nodes.
    assert load_file(weights)["l1.weight"].shape == (4, 2)
    validation = json.loads(scanned.path("xor/validate/cmssw_14_2/validation.json").read_text())
    assert validation["verdict"] == "passed"
    if not any_here():
        # Where there is no GPU, points don't wait for one another to have it.
        assert set(re.findall(r"resources: .*gpu=(\d)", scanned.log)) == {"0"}
    rows = list(csv.DictReader(scanned.path("xor/train/candidates.csv").read_text().splitlines()))
    assert len(rows) == 5
    assert [row["rank"] for row in rows if row["candidate"] == shipped["candidate"]] == ["1"]
    assert "best of 5 points" in scanned.path("xor/train/scan.svg").read_text()
    summary = scanned.path("xor/summary.html").read_text()
    assert "the best of 5 points" in summary
    assert "hidden=4+learning_rate=0.1" in summary
    assert scanned.path("archive/verified.json").exists()


@pytest.mark.xdist_group("scan")
def test_a_second_run_does_nothing_and_only_what_is_selected_goes_on(scanned):
    assert "Nothing to be done" in scanned.run("all", *scan())
    # A point is trained by its path; no later stage has a path for it.
    point = "hidden=2+learning_rate=0.1"
    trained = f"results/xor/candidates/{point}/training.json"
    assert "Nothing to be done" in scanned.run(trained, *scan())
    page = f"results/xor/candidates/{point}/validate/gate.html"
    assert "No rule to produce" in scanned.run(page, *scan(), check=False)
    other = trained.replace("hidden=2", "hidden=3")
    text = scanned.run(other, *scan(), check=False)
    assert "xor has no candidate hidden=3+learning_rate=0.1 (did you mean hidden=" in text


@pytest.mark.xdist_group("scan")
def test_a_new_point_is_the_only_one_that_is_trained(scanned):
    text = scanned.run("scan", "--dry-run", *scan(points=f"{POINTS}, {{train/learning_rate: 0.05}}"))
    assert re.findall(r"wildcards: run=xor, candidate=(\S+)", text) == ["learning_rate=0.05"]
    assert sorted(rules_in(text)) == ["plot_scan", "scan", "select_model", "train_network"]
    # Nor is any when one is taken away, or when they stand in another order.
    for others in (scan(points=""), scan("network/arguments/hidden: [4, 2], train/learning_rate: [0.1, 0.001]")):
        planned = scanned.planned("scan", *others)
        assert "select_model" in planned
        assert "train_network" not in planned


@pytest.mark.xdist_group("scan")
def test_another_point_ships_where_the_configuration_says_so(scanned):
    """The last of those that share the run: another model takes the pages of the first away."""
    point = "hidden=2+learning_rate=0.1"
    grid, targets = scan()[1:]
    text = scanned.run("results/xor/model/model.json", "--config", f"{grid[:-1]}, ship: {point}}}", targets)
    assert set(rules_in(text)) == {"select_model"}
    assert f"{point} ships although hidden=4+learning_rate=0.1 is better" in text
    trained = scanned.path(f"xor/candidates/{point}/weights.safetensors")
    assert sha256(scanned.path("xor/model/weights.safetensors")) == sha256(trained)
    assert not scanned.path("xor/validate/gate.html").exists()


def test_a_scan_can_be_switched_off_and_on_again(tmp_path):
    workflow, target = Workflow(tmp_path), "results/xor/evaluate/metrics.json"
    two = scan("network/arguments/hidden: [3, 4]", "")
    workflow.run(target, *two)
    best = sha256(workflow.path("xor/model/weights.safetensors"))
    shape = "xor/model/weights.safetensors"
    assert load_file(workflow.path(shape))["l1.weight"].shape[0] in (3, 4)
    text = workflow.run(target)
    assert sorted(rules_in(text)) == ["check_network", "evaluate_network", "select_model", "train_network"]
    assert load_file(workflow.path(shape))["l1.weight"].shape[0] == 2
    text = workflow.run(target, *two)
    assert sorted(rules_in(text)) == ["evaluate_network", "select_model"]
    assert sha256(workflow.path(shape)) == best
    assert "ConfigError: no run has a scan" in workflow.run("scan", check=False)


def test_a_scan_of_which_all_diverge_stops(tmp_path):
    text = Workflow(tmp_path).run("scan", *scan("train/weights/mean: [1.0e+39]", ""), check=False)
    assert "TrainingError: all 1 points of the scan have diverged" in text
