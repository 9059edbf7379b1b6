"""Fixtures: the default configuration, one small trained network, and the seed's weights."""

import copy
from types import SimpleNamespace

import pytest
from support import DEFAULTS, PROJECT, TARGETS, case_outputs, make_data, small_model, train_in, want
from torchship.codegen import compilers
from torchship.config.targets import file_opset, natives

from check_code import check_code
from export_onnx import export_onnx
from extract_weights import extract_weights
from generate_code import generate_code
from make_cases import make_cases
from translate_network import translate_network


def pytest_collection_modifyitems(items):
    """Start with the tests that take longest, so that no worker is left alone with one of them at the end."""
    items.sort(key=lambda item: item.get_closest_marker("workflow") is None)


@pytest.fixture
def compiler():
    """The C++ compiler."""
    return want(compilers.compiler(), "there is no C++ compiler")


@pytest.fixture
def config():
    """The default configuration, to change at will."""
    return copy.deepcopy(DEFAULTS)


class Trained(SimpleNamespace):
    """The files of a small run that was made by calling the steps' functions, one after another."""


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A small trained XOR network with its code, its ONNX files and its cases."""
    folder = tmp_path_factory.mktemp("trained")
    model = small_model()
    sets = make_data(folder, model)
    outputs = train_in(folder, model, sets)
    files = Trained(
        folder=folder, model=model, sets=sets, datasheet=folder / "datasheet.json", network=PROJECT / "models" / "xor.py",
        weights=folder / "weights.json", python=folder / "reference.py", header=folder / "reference.hpp",
        check=folder / "check.json", cases=folder / "cases.safetensors", trained=outputs["weights"], outputs=outputs,
    )  # fmt: skip
    extract_weights(files.network, files.trained, files.weights, run="xor", model=model)
    generate_code(files.weights, files.python, files.header)
    code = (files.weights, files.python, files.header)
    check_code(*code, files.network, files.trained, sets["test"], files.datasheet, files.check, model=model)
    witnesses = {name: getattr(files, name) for name in ("network", "trained", "weights", "python", "datasheet")}
    make_cases(
        {**witnesses, "test": sets["test"], "train": sets["train"]}, case_outputs(files.cases), run="xor", model=model
    )
    targets = {name: TARGETS[name] for name in model["export"]["targets"]}
    files.program, files.translated = folder / "translated.zip", folder / "translated.json"
    opsets = natives(file_opset(model["export"]["opset"], DEFAULTS["targets"][name]) for name in targets)
    translate_network(files.network, files.trained, files.program, files.translated, model=model, opsets=opsets)
    files.onnx, files.export = {}, {}
    for name, target in targets.items():
        files.onnx[name], files.export[name] = folder / f"{name}.onnx", folder / f"{name}.json"
        export_onnx(
            files.program, files.translated, files.onnx[name], files.export[name],
            run="xor", target=target, model=model, name=name,
        )  # fmt: skip
    return files


@pytest.fixture
def golden():
    """The weights that the seed document prints, as the document of weights.json."""
    values = {
        "l1.weight": [[7.2888, -6.4168], [7.2824, -8.1637]],
        "l1.bias": [2.6895, -3.9633],
        "l2.weight": [[-6.3500, 8.0990]],
        "l2.bias": [2.5058],
    }
    return {
        "network": "xor",
        "input": {"name": "x", "features": ["a", "b"]},
        "output": {"name": "y", "features": ["a xor b"]},
        "layers": [
            {"kind": "linear", "name": "l1", "weight": "l1.weight", "bias": "l1.bias"},
            {"kind": "sigmoid", "name": "sigmoid"},
            {"kind": "linear", "name": "l2", "weight": "l2.weight", "bias": "l2.bias"},
            {"kind": "sigmoid", "name": "sigmoid_1"},
        ],
        "parameters": {name: {"values": value} for name, value in values.items()},
    }
