"""Files in models/ that a network imports: their edit reruns what reads the network, and what ships has them in it."""

import re

import pytest
from driver import Workflow, copied, rules_in

pytestmark = [pytest.mark.workflow, pytest.mark.long, pytest.mark.xdist_group("neighbours")]

NETWORK = """
import torch
from shared.layers import Layer
from torch import nn


class Network(nn.Module):
    def __init__(self, hidden=2):
        super().__init__()
        self.first, self.last = Layer(2, hidden), nn.Linear(hidden, 1)

    def forward(self, x):
        return torch.sigmoid(self.last(self.first(x)))
"""
LAYER = """
import torch
from torch import nn


class Layer(nn.Linear):
    def forward(self, x):
        return torch.sigmoid(super().forward(x))
"""
KNOBS = ["models={xor: {network: {file: mine}, extract: {handcode: false}}}", "train={epochs: 3, replicas: 2}"]
READERS = {"check_network", "train_network", "select_model", "translate_network", "export_onnx", "make_cases"}
TRANSLATED = "results/xor/export/translated.zip"
FILES = ["results/xor/export/latest/model.onnx", "results/xor/validate/cases.safetensors"]


@pytest.fixture
def workflow(tmp_path):
    folder = copied(tmp_path / "project")
    (folder / "models" / "shared").mkdir()
    for name, text in {"mine.py": NETWORK, "shared/layers.py": LAYER, "other.py": "x = 1\n"}.items():
        (folder / "models" / name).write_text(text)
    return Workflow(folder, folder)


def test_an_edited_neighbour_reruns_what_reads_the_network(workflow):
    workflow.run(*FILES, "--config", *KNOBS)
    (workflow.project / "models" / "other.py").write_text("x = 2\n")
    assert "Nothing to be done" in workflow.run(*FILES, "--dry-run", "--config", *KNOBS)
    with (workflow.project / "models" / "shared" / "layers.py").open("a") as stream:
        stream.write("# edited\n")
    assert set(rules_in(workflow.run(*FILES, "--dry-run", "--config", *KNOBS))) == READERS
    # Those that read them themselves, each whatever the one before makes of it.
    for rule, file in {"train_network": "candidates/only/training.json", "select_model": "model/model.json"}.items():
        text = workflow.run(f"results/xor/{file}", "--dry-run", "--allowed-rules", rule, "--config", *KNOBS)
        assert re.search(rf"rule {rule}:.*?reason:[^\n]*[Pp]arams have changed", text, re.DOTALL), text


def test_what_ships_stands_alone(workflow):
    knobs = [*KNOBS, "scan={grid: {train/learning_rate: [0.01, 0.1]}}"]
    workflow.run("results/xor/model/network.py", "--config", *knobs)
    # Without the files that it came from: only what ships is read.
    text = workflow.path("xor/model/network.py").read_text()
    assert "class Layer(nn.Linear)" in text
    (workflow.project / "models" / "shared" / "layers.py").rename(workflow.project / "elsewhere.py")
    workflow.run(TRANSLATED, "--allowed-rules", "translate_network", "--config", *knobs)
    assert workflow.path("xor/export/translated.zip").exists()
