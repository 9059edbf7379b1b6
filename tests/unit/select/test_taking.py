"""What ships is what was trained: checked again while it is copied."""

import shutil

import pytest
from support import PROJECT, make_data, small_model, train_in
from torchship.core.errors import DataError
from torchship.core.files import read_json
from torchship.select import taking

KINDS = {
    "weights": "weights.safetensors",
    "history": "history.csv",
    "replicas": "replicas.csv",
    "training": "training.json",
}


def test_a_file_that_changes_while_it_is_copied_does_not_ship(tmp_path, monkeypatch):
    model = small_model()
    outputs = train_in(tmp_path, model, make_data(tmp_path, model))
    folder = outputs["training"].parent
    targets = {kind: tmp_path / "model" / name for kind, name in KINDS.items()}
    targets["network"] = tmp_path / "model" / "network.py"
    targets["network"].parent.mkdir()
    for kind, name in KINDS.items():
        if outputs[kind].name != name:
            shutil.copy(outputs[kind], folder / name)
    copy, report = shutil.copyfile, read_json(outputs["training"])

    def flipping(source, part):
        copy(source, part)
        if source.name == "weights.safetensors":
            content = bytearray(part.read_bytes())
            content[-1] ^= 1
            part.write_bytes(content)

    monkeypatch.setattr(taking.shutil, "copyfile", flipping)
    with pytest.raises(DataError, match=r"weights.safetensors: the weights is changed since .* was trained"):
        taking.write_files({"only": report}, {"only": folder}, PROJECT / "models" / "xor.py", targets)
    assert not targets["weights"].exists()
    monkeypatch.undo()
    taking.write_files({"only": report}, {"only": folder}, PROJECT / "models" / "xor.py", targets)
    assert targets["weights"].read_bytes() == outputs["weights"].read_bytes()
