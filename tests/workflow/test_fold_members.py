"""Two folds side by side: both ship as one network, which takes the same road as any other."""

import json

import pytest
from own_data import arrays, workflow_of
from safetensors.numpy import load_file

pytestmark = [pytest.mark.workflow, pytest.mark.long]

FOLDS = {
    "train": {"folds": 2, "epochs": 20, "batch_size": 8, "record_every": 10},
    "extract": {"handcode": False},
    "export": {"targets": ["latest"]},
}


def test_two_folds_are_trained_and_their_mean_is_exported_and_passes_the_gate(tmp_path):
    workflow = workflow_of(tmp_path, FOLDS, mine=arrays(60))
    text = workflow.run("results/mine/validate/gate.html", "results/mine/summary.html", cores=2)
    assert text.count("rule train_network:") == 2
    assert "[train_network/mine/fold=1] fold 1 of 2: 24 events to train on, 24 events to validate on" in text
    model = json.loads(workflow.path("mine/model/model.json").read_text())
    assert model["members"] == [{"candidate": f"fold={fold}", "fold": fold} for fold in range(2)]
    shipped = load_file(workflow.path("mine/model/weights.safetensors"))
    for fold in range(2):
        own = load_file(workflow.path(f"mine/candidates/fold={fold}/weights.safetensors"))
        assert all((shipped[f"members.{fold}.{name}"] == value).all() for name, value in own.items())
    assert json.loads(workflow.path("mine/validate/latest/validation.json").read_text())["verdict"] == "passed"
    assert "They are of 2 networks, one for each fold" in workflow.path("mine/summary.html").read_text()
    # Another fold makes the others anew, since each is validated on other events then; nothing else does.
    assert "Nothing to be done" in workflow.run("results/mine/validate/gate.html", "--dry-run")
