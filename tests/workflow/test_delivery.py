"""What is delivered of a finished run: the card's snippets run, the bill is one, nothing is delivered that did not pass."""

import json
import os
import re
import subprocess
import sys

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from torchship.core.chain import record
from torchship.core.files import read_json, write_json

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("finished")]


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_each_snippet_of_the_card_runs_and_they_agree(finished, tmp_path):
    run = finished.path("xor")
    text = (run / "deliver" / "card" / "README.md").read_text()
    found = []
    for block in blocks(text, "python"):
        program = block + "\nprint(float((outputs['y'] if isinstance(outputs, dict) else outputs)[0][0]))\n"
        done = subprocess.run([sys.executable, "-c", program], cwd=run, capture_output=True, text=True, check=True)
        found.append(float(done.stdout))
    assert len(found) == 2
    assert found[0] == pytest.approx(found[1], abs=1e-6)
    shells = blocks(text, "sh")
    assert len(shells) == 2
    for shell in shells:
        subprocess.run(["sh", "-ec", shell], cwd=run, env={**os.environ, "CMSSW_BASE": str(tmp_path)}, check=True)
    assert (tmp_path / "src/Torchship/xor/data/model.onnx").exists()


def test_the_card_says_what_the_files_say(finished):
    run = finished.path("xor")
    text = (run / "deliver" / "card" / "README.md").read_text()
    accuracy = read_json(run / "evaluate" / "metrics.json")["sets"]["test"]["accuracy"]
    assert f"value: {accuracy}" in text
    for target in ("latest", "cmssw_14_2", "cmssw_15_0"):
        exported = read_json(run / "export" / target / "export.json")
        assert re.search(rf"^\| {target} \|.*\| passed \|.*`{exported['sha256']}` \|$", text, re.MULTILINE)
    page = (run / "deliver" / "card" / "card.html").read_text()
    assert page.count("<h1>") == 1
    assert "<table>" in page


def test_the_bill_of_materials_is_one(finished):
    run = finished.path("xor")
    text = (run / "deliver" / "card" / "bom.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text.replace('"data"', '"dta"')) is not None
    document = json.loads(text)
    weights = read_json(run / "model" / "model.json")["files"]["weights.safetensors"]
    assert document["metadata"]["component"]["hashes"] == [{"alg": "SHA-256", "content": weights}]
    packages = {part["name"]: part["version"] for part in document["components"] if part["type"] == "library"}
    assert packages["torch"] == "2.13.0"


def test_a_file_that_did_not_pass_is_not_delivered(copy_of_finished):
    path = copy_of_finished.path("xor/validate/cmssw_15_0/validation.json")
    document = read_json(path)
    document["failures"] = [{"check": "numbers", "place": "", "message": "1e-3 beyond the limit"}]
    write_json(path, document)
    record([path])
    text = copy_of_finished.run("deliver", "--keep-going", check=False)
    assert "DeliveryError: " in text
    assert "the gate stopped this file, so it is not delivered: 1e-3 beyond the limit" in text
    assert not copy_of_finished.path("xor/deliver/cmssw/cmssw_15_0/tried.json").exists()


def test_a_validation_of_another_file_delivers_none(copy_of_finished):
    path = copy_of_finished.path("xor/validate/cmssw_15_0/validation.json")
    document = read_json(path)
    document["sha256"] = "0" * 64
    write_json(path, document)
    record([path])
    text = copy_of_finished.run("deliver", "--keep-going", check=False)
    assert "cmssw_15_0/model.onnx is not the file that" in text
    assert "there 000000000000" in text
