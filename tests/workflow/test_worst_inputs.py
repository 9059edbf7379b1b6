"""The worst inputs that the gate found are a case of its next run: kept where the gate fails, and not among the logs."""

import json
import shutil

import pytest
from driver import Workflow
from safetensors.numpy import load_file

pytestmark = [pytest.mark.workflow, pytest.mark.long]

TARGET = "results/xor/validate/latest/validation.json"
SEARCH = "search: {evaluations: 256}"


def test_the_worst_inputs_outlive_the_logs_and_a_failing_gate(tmp_path):
    workflow = Workflow(tmp_path)
    workflow.run(TARGET, "--config", f"validate={{{SEARCH}}}", cores=2)
    kept = workflow.path("xor/validate/latest/.worst.safetensors")
    found = load_file(kept)
    assert found
    shutil.rmtree(tmp_path / "logs")
    # Stricter than rounding allows: the right file fails, and so do the inputs that were kept.
    text = workflow.run(TARGET, "--config", "validate={tolerance: 0.001, search: {evaluations: 0}}", check=False)
    assert "ParityError: xor/latest: " in text
    assert not (tmp_path / TARGET).exists()
    evidence = json.loads((tmp_path / "logs/xor/latest/validation.json").read_text())
    assert "regression" in {failure["check"] for failure in evidence["failures"]}
    # Nothing was searched for, and nothing is forgotten.
    assert {name: array.tobytes() for name, array in load_file(kept).items()} == {
        name: array.tobytes() for name, array in found.items()
    }
    assert not list((tmp_path / "logs").rglob("*.safetensors"))
