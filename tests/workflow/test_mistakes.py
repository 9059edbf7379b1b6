"""A user's mistakes in models/mine.py stop a run in its first job, with the file and its line, before data are made."""

import json
import re

import pytest
import torch
from driver import Workflow, copied, rules_in

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("mistakes")]

NETWORK = """
import torch
from torch import nn


class Network(nn.Module):
    def __init__(self, sharp: bool = True, hidden: int = 2):
        super().__init__()
        self.a, self.sharp = nn.Linear(2, hidden), sharp

    def forward(self, x):
        y = torch.sigmoid(self.a(x).sum(dim=1, keepdim=True))
        return y * y if self.sharp else y
"""
QUICK = "train={epochs: 1, replicas: 1}"
TRAINING = "results/xor/candidates/only/training.json"


def mine(inner=""):
    return ["--config", f"models={{xor: {{network: {{file: mine{inner}}}, extract: {{handcode: false}}}}}}", QUICK]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return copied(tmp_path_factory.mktemp("mistakes") / "project")


@pytest.fixture
def workflow(project, tmp_path):
    (project / "models" / "mine.py").write_text(NETWORK)
    return Workflow(tmp_path / "work", project)


def test_a_network_that_does_not_fit_stops_before_the_data_are_made(workflow, tmp_path):
    file = workflow.project / "models" / "mine.py"
    file.write_text(NETWORK.replace("Linear(2, hidden)", "Linear(4, hidden)"))
    told = r"TrainingError: \S*models/mine.py, line 12, in layer a \(Linear\): RuntimeError: .*it was given input \[2, 2\] float32, "
    text = workflow.run("train", *mine(), check=False)
    assert re.search(told + r"and has weight \[2, 4\] float32", text)
    assert "please report" not in text
    assert rules_in(text) == ["check_network"]
    assert not (workflow.folder / "results").exists() or not list((workflow.folder / "results").rglob("*.safetensors"))
    # So does one with weights from elsewhere, for which nothing is trained.
    torch.save({"a.weight": torch.zeros(2, 4), "a.bias": torch.zeros(2)}, workflow.folder / "given.pt")
    text = workflow.run("results/xor/model/model.json", "--config", mine(", weights: given.pt")[1], check=False)
    assert re.search(told, text)
    assert rules_in(text) == ["check_network"]


def test_an_argument_from_the_command_line_is_no_text(workflow):
    text = workflow.run(TRAINING, *mine(", arguments: {sharp: false}"))
    assert rules_in(text) == ["check_network", "generate_data", "train_network"]
    section = json.loads((workflow.folder / TRAINING).read_text())["section"]
    assert section["network"]["arguments"]["sharp"] is False
    text = workflow.run(TRAINING, *mine(", arguments: {hidden: wide}"), check=False)
    assert re.search(
        r"ConfigError: models/xor/network/arguments/hidden is 'wide', .*models/mine.py, line 7, wants int", text
    )


def test_a_new_argument_in_a_scan_trains_no_other_point_again(workflow):
    """The networks are checked anew, and what that says changes no training."""
    config = mine(", arguments: {hidden: 2}")[1]
    few, more = ([f"scan={{grid: {{network/arguments/hidden: [{numbers}]}}}}"] for numbers in ("2, 3", "2, 3, 4"))
    workflow.run("results/xor/model/model.json", "--config", config, QUICK, *few)
    text = workflow.run("results/xor/model/model.json", "--dry-run", "--config", config, QUICK, *more)
    assert sorted(rules_in(text)) == ["check_network", "select_model", "train_network"]
