"""Trained weights of one's own: read without running anything, fitted strictly, and what they make of an export."""

import collections

import pytest
import torch
from gating import DECLARED, network_file
from safetensors.torch import load_file, save_file, save_model
from support import DEFAULTS, PROJECT, SCHEMA, TARGETS, case_outputs, merge
from torch import nn
from torchship.config.checks import has_data
from torchship.config.resolve import resolve
from torchship.config.targets import file_opset, natives
from torchship.core.errors import ConfigError, DataError, ParityError
from torchship.core.files import read_json, sha256
from torchship.gate.witness.witnesses import read_witnesses
from torchship.models.given_weights import read_state, require_no_draws, without_prefix
from torchship.models.module import network_class
from torchship.pages.summary import write
from torchship.spec.model import Model
from torchship.spec.section import read_section

from check_code import check_code
from export_onnx import export_onnx
from extract_weights import extract_weights
from find_runtime import find_runtime
from generate_code import generate_code
from make_cases import make_cases
from take_weights import take_weights
from translate_network import translate_network
from validate_target import validate_target

XOR = PROJECT / "models" / "xor.py"


def entry(folder, name="xor", weights="mine.pt", **changes):
    """Return the section of a run whose weights come from elsewhere; without data."""
    (folder / weights).touch()
    inputs, outputs = DECLARED[name]
    network = {"file": "xor", "weights": str(folder / weights), "arguments": {}}
    model = {"network": network, "inputs": inputs, "outputs": outputs, **changes}
    return resolve(merge(DEFAULTS, {"runs": ["mine"], "models": {"mine": model}}), SCHEMA, PROJECT)["mine"]


def state(seed=0, name="xor"):
    torch.manual_seed(seed)
    return network_class(network_file(name))().state_dict()


def take(folder, given, name="xor"):
    outputs = {key: folder / f"taken.{key}" for key in ("weights", "history", "replicas", "training")}
    take_weights(network_file(name), given, outputs, section={"network": {"arguments": {}}})
    return load_file(outputs["weights"]), read_json(outputs["training"])


FORMS = {
    "a.safetensors": (save_file, "", ""),
    "a.pt": (torch.save, "", ""),
    "a.pth": (lambda given, path: torch.save({"state_dict": given, "epoch": 3, "name": "best"}, path), "state_dict", ""),
    "b.pt": (lambda given, path: torch.save({"model_state_dict": given, "optimizer": {"lr": [1.0]}}, path), "model_state_dict", ""),
    "c.pt": (lambda given, path: torch.save({"module." + name: tensor for name, tensor in given.items()}, path), "", "module."),
    "d.ckpt": (lambda given, path: torch.save({"state_dict": {"model._orig_mod." + name: tensor for name, tensor in given.items()}}, path),
               "state_dict", "model._orig_mod."),
    "old.pt": (lambda given, path: torch.save(given, path, _use_new_zipfile_serialization=False), "", ""),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_weights_come_in_every_form_that_runs_nothing(tmp_path, form):
    save, key, prefix = FORMS[form]
    save(dict(state()), tmp_path / form)
    found, report = take(tmp_path, tmp_path / form)
    assert all(torch.equal(found[name], tensor) for name, tensor in state().items())
    assert report["trained"] == "elsewhere"
    assert report["source"] == {
        "file": form,
        "sha256": sha256(tmp_path / form),
        "under": key,
        "prefix": prefix,
        "rounded": [],
    }
    assert report["files"] == {kind: sha256(tmp_path / f"taken.{kind}") for kind in ("weights", "history", "replicas")}


class Code:
    """Leaves a trace where it is run."""

    def __reduce__(self):
        return print, ("run",)


REFUSED = {
    "a pickled module": (
        lambda path: torch.save(nn.Linear(2, 2), path),
        r"holds an object of torch.nn.modules.linear.Linear, which only its code could open: .* torch.save\(module.state_dict\(\)",
    ),
    "code": (lambda path: torch.save({"state_dict": state(), "x": Code()}, path), r"holds .* which only its code could open"),
    "TorchScript": (
        lambda path: torch.jit.save(torch.jit.trace(network_class(XOR)(), torch.zeros(1, 2)), path),
        r"is a TorchScript archive, which is code, .*torch.jit.load\(path\).state_dict\(\)",
    ),
    "something else": (lambda path: torch.save({"epoch": 3}, path), r"is a mapping with 'epoch', not a state dict, .* state_dict, model_state_dict, model"),
    "a list": (lambda path: torch.save([1], path), r"is a list, not a state dict"),
    "damage": (lambda path: path.write_bytes(b"half"), r"cannot be read by torch.load|which only its code could open|holds more than tensors"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("what", REFUSED)
def test_what_only_code_could_open_is_refused_unopened(tmp_path, what, capsys):
    make, message = REFUSED[what]
    make(tmp_path / "a.pt")
    with pytest.raises(DataError, match=message) as caught:
        read_state(tmp_path / "a.pt")
    assert "\n" not in str(caught.value)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda given: given.pop("l1.bias"), r"does not fit the network: missing: l1.bias; are network/arguments"),
        (lambda given: given.update(extra=torch.zeros(1)), r"unexpected: extra;"),
        (lambda given: given.update({"l1.weight": torch.zeros(3, 2)}), r"of another shape: l1.weight is \[3, 2\] where the network has \[2, 2\]"),
        (lambda given: given.update({"l1.bias": torch.tensor([0.0, torch.nan])}), r"l1.bias hold numbers that are not finite"),
    ],
)  # fmt: skip
def test_weights_must_be_the_networks(tmp_path, change, message):
    given = dict(state())
    change(given)
    torch.save(given, tmp_path / "a.pt")
    with pytest.raises(DataError, match=message):
        take(tmp_path, tmp_path / "a.pt")


DRAWING = """
import torch


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(2, 1)
        self.register_buffer("directions", torch.randn(4, 2), persistent={persistent})

    def forward(self, x):
        return self.linear(x) + (x @ self.directions.T).sum(1, keepdim=True)
"""


def test_numbers_that_each_process_draws_anew_fit_no_weights(tmp_path):
    """Random features in a buffer that is not saved: another network with the same weights in every process."""
    file = tmp_path / "drawing.py"
    file.write_text(DRAWING.format(persistent=False))
    with pytest.raises(
        ConfigError, match=r"drawing.py: Network draws directions at random, and its state_dict does not"
    ):
        require_no_draws(file, {})
    saved = tmp_path / "saved.py"
    saved.write_text(DRAWING.format(persistent=True))
    require_no_draws(saved, {})


def test_what_is_rounded_is_said(tmp_path):
    given = dict(state())
    given["l1.bias"] = given["l1.bias"].double() + 1e-12
    given["l2.bias"] = given["l2.bias"].double()
    torch.save(given, tmp_path / "a.pt")
    _, report = take(tmp_path, tmp_path / "a.pt")
    assert report["source"]["rounded"] == ["l1.bias from float64 to float32"]


def test_a_prefix_that_is_a_part_of_the_network_stays():
    given = {"model.weight": torch.zeros(1)}
    assert without_prefix(given, {"model.weight": torch.zeros(1)}) == (given, "")
    assert without_prefix({"a.b": torch.zeros(1), "c.b": torch.zeros(1)}, {"b": torch.zeros(1)})[1] == ""


def test_tied_parameters_are_written_each(tmp_path):
    (tmp_path / "tied.py").write_text(
        "from torch import nn\n\n\nclass Network(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.a, self.b = nn.Linear(2, 2), nn.Linear(2, 2)\n        self.b.weight = self.a.weight\n\n"
        "    def forward(self, x):\n        return self.b(self.a(x))\n"
    )
    torch.save(network_class(tmp_path / "tied.py")().state_dict(), tmp_path / "a.pt")
    outputs = {key: tmp_path / f"taken.{key}" for key in ("weights", "history", "replicas", "training")}
    take_weights(tmp_path / "tied.py", tmp_path / "a.pt", outputs, section={"network": {}})
    assert set(load_file(outputs["weights"])) == {"a.weight", "a.bias", "b.weight", "b.bias"}
    # safetensors keeps one of them.
    save_model(network_class(tmp_path / "tied.py")(), str(tmp_path / "one.safetensors"))
    take_weights(tmp_path / "tied.py", tmp_path / "one.safetensors", outputs, section={"network": {}})
    taken = load_file(outputs["weights"])
    assert torch.equal(taken["a.weight"], taken["b.weight"])
    torch.save({**taken, "b.weight": 2 * taken["a.weight"]}, tmp_path / "two.pt")
    with pytest.raises(DataError, match=r"two.pt: a.weight and b.weight differ, and are one and the same tensor"):
        take_weights(tmp_path / "tied.py", tmp_path / "two.pt", outputs, section={"network": {}})


def road(folder, name, **changes):
    """Take given weights through export and the gate, without any data."""
    torch.save(collections.OrderedDict(state(3, name)), folder / "mine.pt")
    model = read_section(entry(folder, name, **changes))
    take(folder, folder / "mine.pt", name)
    files = {"network": network_file(name), "trained": folder / "taken.weights"}
    onnx, report, cases = folder / "model.onnx", folder / "export.json", folder / "cases.safetensors"
    target = TARGETS["latest"]
    program, translated = folder / "translated.zip", folder / "translated.json"
    opsets = natives([file_opset(model["export"]["opset"], target.document())])
    translate_network(files["network"], files["trained"], program, translated, model=model, opsets=opsets)
    export_onnx(program, translated, onnx, report, run="mine", target=target, model=model, name="latest")
    if model["extract"]["handcode"]:
        files |= {"weights": folder / "weights.json", "python": folder / "r.py", "header": folder / "r.hpp"}
        extract_weights(files["network"], files["trained"], files["weights"], run="mine", model=model)
        generate_code(files["weights"], files["python"], files["header"])
        code = (files["weights"], files["python"], files["header"], files["network"], files["trained"])
        check_code(*code, None, None, folder / "check.json", model=model)
    make_cases(files, case_outputs(cases), run="mine", model=model)
    find_runtime(PROJECT / "envs" / f"onnxruntime-{target.onnxruntime}.yaml", folder / "r.json")
    outputs = {key: folder / f"{key}.json" for key in ("validation", "evidence")}
    outputs |= {key: folder / f"{key}.safetensors" for key in ("errors", "worst")} | {"page": folder / "gate.html"}
    validate_target(onnx, report, cases, read_witnesses(model, files), [folder / "r.json"], outputs,
                    what="mine/latest", target=target, model=model)  # fmt: skip
    return read_json(outputs["validation"]), read_json(report)


SMALL = {"validate": {"batch_sizes": [1, 2, 16], "search": {"evaluations": 256}}}


@pytest.mark.filterwarnings("ignore")
def test_a_bias_that_the_exporter_drops_is_found_without_training(tmp_path):
    with pytest.raises(
        ParityError, match=r"mine/latest: .*\|Δ\| = 0\.\d+ > .*the file itself says so, whatever runs it"
    ):
        road(tmp_path, "lost_bias", extract={"handcode": False}, **SMALL)


@pytest.mark.filterwarnings("ignore")
def test_given_weights_without_data_go_the_whole_road(tmp_path):
    validation, report = road(tmp_path, "xor", **SMALL)
    assert validation["verdict"] == "passed"
    assert 0.0 <= validation["handcoded"]["y"] < 1.0
    check = read_json(tmp_path / "check.json")
    assert set(check["comparisons"]) == {"grid"}
    assert len(check["shown"]) == 8
    model = Model("mine", {}, {"weights.safetensors": "5" * 64})
    page = write(model, read_json(tmp_path / "taken.training"), {"latest": report}, {"latest": validation}, check=check)
    assert "Trained elsewhere: 9 parameters from mine.pt, sha256 " in page
    assert "There are no data" in page
    assert f"Weights: sha256 {'5' * 64}" in page


def test_data_are_asked_for_only_where_there_must_be_some(tmp_path):
    assert not has_data(entry(tmp_path))
    assert has_data(entry(tmp_path, data={"source": "xor"}))
    assert entry(tmp_path, train={"loss": "cross_entropy"})["train"]["loss"] == "cross_entropy"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train": {"epochs": 3}}, r"models/mine/train/epochs: with network/weights nothing is trained here"),
        ({"scan": {"grid": {"seed": [1, 2]}}}, r"models/mine/scan: with network/weights nothing is trained here"),
        (
            {"weights": "mine.onnx"},
            r"network/weights is '.*mine.onnx': must end in .safetensors or .pt or .pth or .ckpt",
        ),
        (
            {"evaluate": {"surface": {"low": 0.0, "high": 1.0, "points": 3}}},
            r"evaluate/surface is .*, but there are no data, whose events are plotted with it: give data/path",
        ),
        ({"extract": {"required_accuracy": 1.0}}, r"extract/required_accuracy is 1.0, but there are no data"),
    ],
)
def test_knobs_of_a_training_are_not_for_given_weights(tmp_path, changes, message):
    with pytest.raises(ConfigError, match=message):
        entry(tmp_path, **changes)


def test_a_scan_for_all_is_not_for_given_weights(tmp_path):
    (tmp_path / "mine.pt").touch()
    inputs, outputs = DECLARED["xor"]
    model = {"network": {"file": "xor", "weights": str(tmp_path / "mine.pt")}, "inputs": inputs, "outputs": outputs}
    changes = {"runs": ["mine"], "models": {"mine": model}, "scan": {"grid": {"seed": [1, 2]}}}
    assert resolve(merge(DEFAULTS, changes), SCHEMA, PROJECT)["mine"]["scan"]["grid"] == {}


@pytest.mark.filterwarnings("ignore")
def test_generated_code_and_export_take_names_that_are_no_identifiers(tmp_path, compiler):
    """Names stand in comments and text alone; features become arguments of the generated script."""
    inputs, outputs = ({name: {**tensor}} for name, tensor in zip(("in:0 {a} */ //", "out/0 %s"), (
        {"shape": ["batch", 2], "low": -2.0, "high": 2.0}, {"shape": ["batch", 1]}), strict=True))  # fmt: skip
    validation, _ = road(tmp_path, "xor", inputs=inputs, outputs=outputs, **SMALL)
    assert validation["verdict"] == "passed"
    assert read_json(tmp_path / "check.json")["cpp"]["checked"]
