"""A user's mistakes in a network's file: each stops the first job of a run, in one line with file, line and layer."""

import math

import pytest
import torch
from support import PROJECT, SCHEMA, document, merge
from torch import nn
from torchship.config.resolve import resolve
from torchship.core.errors import ConfigError, TrainingError
from torchship.core.files import read_json
from torchship.spec.objective import terms
from torchship.spec.section import read_section
from torchship.training.loss_matches import mismatches
from trained_networks import trained

from check_network import check_network

HEAD = "import torch\nfrom torch import nn\n\n\nclass Network(nn.Module):\n    def __init__(self, width=2):\n        super().__init__()\n"
X = {"x": {"shape": ["batch", 2], "low": -1.0, "high": 1.0}}
TWO = {**X, "mask": {"shape": ["batch", 2], "values": [0, 1]}}
JAGGED = {
    "x": {"shape": ["batch", "parts", 2], "low": -1.0, "high": 1.0, "padded": {"mask": "m"}},
    "m": {"shape": ["batch", "parts"], "values": [0, 1]},
}
Y = {"y": {"shape": ["batch", 1]}}
Y3 = {"y": {"shape": ["batch", 3]}}
REST = {"axes": {}, "data": {"target": "target"}, "seed": 1}


def written(folder, init, forward, takes="x", head=HEAD):
    """Write a network whose layers are in line 8 and whose forward is in line 10; give its file."""
    path = folder / "mine.py"
    path.write_text(f"{head}        {init}\n\n    def forward(self, {takes}):\n        {forward}\n")
    return path


def checked(file, inputs=X, outputs=Y, loss="mean_squared_error", **network):
    section = read_section({"inputs": inputs, "outputs": outputs, **REST})
    report = file.with_suffix(".json")
    networks = [{"network": {"file": file.stem, **network}, "train": {"loss": loss}}]
    check_network([file], report, section=section, networks=networks)
    return read_json(report)["networks"]


@pytest.mark.parametrize(
    ("init", "forward", "takes", "message"),
    [
        ("self.a = nn.Linear(2, 1)", "return self.a(x", "x", r"mine.py, line 11: SyntaxError: '\(' was never closed"),
        ("self.a = nn.Liner(2, 1)", "return self.a(x)", "x",
         r"mine.py, line 8: Network\(\) cannot be made with network/arguments {}: AttributeError: module 'torch.nn' has no attribute 'Liner'"),
        ("self.a = nn.Linear(2, 1)", "return self.b(x)", "x",
         r"mine.py, line 11, in Network: AttributeError: 'Network' object has no attribute 'b'$"),
        ("self.a = nn.Linear(2, 1)", "return self.a(x)", "x, mask",
         r"mine.py, line 10: forward\(x, mask\) does not take the 1 inputs that the model declares \(x\): missing a required argument: 'mask'; make"),
        ("self.a = nn.Linear(2, 1)", "return self.a(self.b)", "*, b",
         r"mine.py, line 10: forward\(\*, b\) does not take the 1 inputs that the model declares \(x\): too many positional arguments"),
        ("self.a = nn.Linear(4, 1)", "return self.a(x)", "x",
         (r"mine.py, line 11, in layer a \(Linear\): RuntimeError: mat1 and mat2 shapes cannot be multiplied \(2x2 and 4x1\); "
         r"it was given input \[2, 2\] float32, and has weight \[1, 4\] float32, bias \[1\] float32")),
        ("self.a = nn.Linear(2, 1)", "return self.a(x.double())", "x",
         (r"mine.py, line 11, in layer a \(Linear\): RuntimeError: .*Double.*; it was given input \[2, 2\] float64, and has weight "
         r"\[1, 2\] float32, .*; float64 meets float32 there: .* leave out .double\(\)")),
        ("self.a = nn.Linear(2, 1).double()", "return self.a(x)", "x",
         r"line 11, in layer a \(Linear\): .*given input \[2, 2\] float32, and has weight \[1, 2\] float64.*; float64 meets float32"),
        ("self.a = nn.Linear(2, 1)", "return self.a(x).double()", "x",
         r"mine.py, line 10: output y of Network.forward is float64, declared float32: return y.to\(torch.float32\), or set outputs/y/dtype"),
        ("self.a = nn.Linear(2, 1)", "return self.a(x), x", "x",
         r"mine.py, line 10: Network.forward returns 2 tensors \(\[2, 1\], \[2, 2\]\), and the model declares 1 outputs: y; return as many"),
        ("self.a = nn.Linear(2, 4)", "return self.a(x)", "x",
         r"mine.py, line 10: output y of Network.forward has shape \[2, 4\] for 2 events, declared \['batch', 1\]: change the network, or outputs/y/shape"),
        ("self.a = nn.Linear(2, 1)", "return self.a(x).squeeze(-1)", "x", r"has shape \[2\] for 2 events, declared \['batch', 1\]"),
        ("self.a = nn.Linear(2, 1)", "return self.a(x.mean(0, keepdim=True))", "x", r"has shape \[1, 1\] for 2 events, declared"),
        ("self.a = nn.Linear(2, 1)", "return {'y': self.a(x)}", "x",
         r"mine.py, line 10: Network.forward returns a dict with the keys y: it must return a tensor"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_line(tmp_path, init, forward, takes, message):
    with pytest.raises((ConfigError, TrainingError), match=message) as raised:
        checked(written(tmp_path, init, forward, takes))
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "mine.json").exists()


def test_a_missing_package_is_told_with_what_to_do(tmp_path):
    file = written(tmp_path, "pass", "return x", head="import torch_scatterr\n" + HEAD)
    with pytest.raises(ConfigError, match=r"^\S+mine.py, line 1: ModuleNotFoundError: No module named 'torch_scatterr'; put "
                       r"that file into models/, or that package with its exact version into each of envs/"):  # fmt: skip
        checked(file)


def test_arguments_that_network_does_not_take_are_told_so(tmp_path):
    file = written(tmp_path, "self.a = nn.Linear(2, width)", "return self.a(x)")
    with pytest.raises(
        ConfigError, match=r"mine.py: Network\(\) does not take network/arguments {'wdith': 1}: TypeError"
    ):
        checked(file, arguments={"wdith": 1})
    with pytest.raises(
        ConfigError, match=r"mine.py, line 8: Network\(\) cannot be made with network/arguments {'width': 'a'}"
    ):
        checked(file, arguments={"width": "a"})


def test_fewer_outputs_and_inputs_in_another_order_are_told(tmp_path):
    file = written(tmp_path, "self.a = nn.Linear(2, 1)", "return self.a(x * mask)", "mask, x")
    with pytest.raises(TrainingError, match=r"line 10: forward\(mask, x\) takes the inputs in another order than the model "
                       r"declares \(x, mask\)"):  # fmt: skip
        checked(file, TWO)
    with pytest.raises(TrainingError, match=r"returns 1 tensors \(\[2, 1\]\), and the model declares 2 outputs: y, z"):
        checked(file, {name: TWO[name] for name in ("mask", "x")}, {**Y, "z": Y3["y"]})


def test_events_are_of_the_domain_and_the_report_says_what_was_seen(tmp_path):
    """Padding follows the mask, and dynamic axes have sizes of their own."""
    forward = "assert bool((x[m == 0] == 0).all()) and x.abs().max() <= 1; return torch.sigmoid(self.a(x)).sum(dim=1)"
    file = written(tmp_path, "self.a = nn.Linear(2, width)", forward, "x, m")
    (about,) = checked(file, JAGGED, Y3, arguments={"width": 3})
    assert about["inputs"] == {
        "x": {"dtype": "float32", "shape": [2, 5, 2]},
        "m": {"dtype": "float32", "shape": [2, 5]},
    }
    assert about["outputs"] == {"y": {"dtype": "float32", "shape": [2, 3]}}
    assert (about["arguments"], about["parameters"]) == ({"width": 3}, 9)
    per_part = {"y": {"shape": ["batch", "parts"]}}
    with pytest.raises(TrainingError, match=r"shape \[2, 3\] for 2 events, declared \['batch', 'parts'\] with parts 5"):
        checked(file, JAGGED, per_part, arguments={"width": 3})


@pytest.mark.parametrize(
    ("forward", "loss", "outputs", "message"),
    [
        ("return torch.softmax(self.a(x), dim=1)", "cross_entropy", Y3,
         r"mine.py, line 10: output y ends in a softmax, and cross_entropy takes logits .* never below 0.551 \(3 classes\)"),
        ("return nn.Softmax(dim=1)(self.a(x)).unsqueeze(1).squeeze(1)", "cross_entropy", Y3, "ends in a softmax"),
        ("e = self.a(x).exp(); return e / e.sum(1, keepdim=True)", "cross_entropy", Y3, "holds probabilities, whose sums are 1"),
        ("return torch.sigmoid(self.a(x))", "cross_entropy", Y3, "ends in a sigmoid, and cross_entropy takes logits"),
        ("return torch.sigmoid(self.a(x))[:, :1]", "binary_cross_entropy_with_logits", Y,
         (r"ends in a sigmoid, and binary_cross_entropy_with_logits .* never below 0.313 \(class 1\) and 0.693 \(class 0\).*set "
         r"train/loss to binary_cross_entropy and evaluate/threshold to 0.5")),
        ("return self.a(x)[:, :1] - 5", "binary_cross_entropy", Y,
         r"line 10: output y: the network's output goes from -\d.* to -\d.*, and binary_cross_entropy takes probabilities: end"),
    ],
)  # fmt: skip
def test_an_output_that_its_loss_is_not_meant_for_is_told(tmp_path, caplog, forward, loss, outputs, message):
    file = written(tmp_path, "self.a = nn.Linear(2, 3)", forward)
    with pytest.raises(TrainingError, match=message) as raised:
        checked(file, outputs=outputs, loss=loss)
    assert "\n" not in str(raised.value)
    # Of weights from elsewhere the loss is a number in a report.
    assert checked(file, outputs=outputs, loss=loss, weights="mine.pt")
    assert "only the loss in metrics.json is one of another kind" in caplog.text


def test_the_floors_are_those_of_torch():
    """The loss of an event where the probabilities are as good as can be."""
    entropy, logits = nn.functional.cross_entropy, nn.functional.binary_cross_entropy_with_logits
    assert float(entropy(torch.tensor([[1.0, 0.0, 0.0]]), torch.tensor([0]))) == pytest.approx(0.551, abs=5e-4)
    assert float(logits(torch.tensor([1.0]), torch.tensor([1.0]))) == pytest.approx(0.313, abs=5e-4)
    assert float(logits(torch.tensor([0.0]), torch.tensor([0.0]))) == pytest.approx(math.log(2))


@pytest.mark.parametrize(
    ("loss", "output"),
    [
        ("cross_entropy", lambda x: x),
        ("cross_entropy", lambda x: torch.log_softmax(x, 1)),
        ("cross_entropy", lambda x: 3 * torch.sigmoid(x)),
        ("binary_cross_entropy", torch.sigmoid),
        ("binary_cross_entropy", lambda x: torch.sigmoid(x) * torch.nan),
        ("mean_squared_error", lambda x: torch.softmax(x, 1)),
    ],
)
def test_outputs_that_their_loss_is_meant_for_pass(loss, output):
    x = torch.tensor([[0.3, -2.0], [1.0, 4.0]], requires_grad=True)
    assert mismatches(terms(loss, ["y"], "t"), [output(x)]) == []


@pytest.mark.parametrize("last", [1, "particles"])
@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy_with_logits"])
def test_a_unit_that_contradicts_the_loss_is_found_while_planning(loss, last):
    config = merge({**document("config.yaml"), **document("targets.yaml")}, {"train": {"loss": loss}})
    config["models"]["xor"]["outputs"]["y"] = {"shape": ["batch", last], "unit": "probability"}
    with pytest.raises(
        ConfigError, match=rf"models/xor/outputs/y/unit is 'probability', and {loss} takes logits .*never below"
    ):
        resolve(config, SCHEMA, PROJECT)


@pytest.mark.parametrize(
    ("forward", "loss", "message"),
    [
        ("return self.a(x), x", "mean_squared_error", r"line 10: Network.forward returns 2 tensors \(\[8, 1\], \[8, 2\]\)"),
        ("return torch.sigmoid(self.a(x))", "binary_cross_entropy_with_logits", "line 10: output y ends in a sigmoid, and"),
        ("return self.a(x) + 2", "binary_cross_entropy", "line 10: output y: the network's output goes from"),
        ("return self.a(x).double()", "mean_squared_error", "line 10: output y of Network.forward is float64"),
    ],
)  # fmt: skip
def test_what_is_wrong_on_real_data_stops_the_training_too(tmp_path, forward, loss, message):
    """The same checks, on the first batch."""
    with pytest.raises(TrainingError, match=message):
        trained(tmp_path, written(tmp_path, "self.a = nn.Linear(2, 1)", forward), loss=loss)


def test_of_a_scan_it_is_said_whose_mistake_it_is(tmp_path):
    file = written(tmp_path, "self.a = nn.Linear(2, width)", "return self.a(x)")
    section = read_section({"inputs": X, "outputs": Y, **REST})
    networks = [
        {"network": {"file": "mine", "arguments": {"width": width}}, "train": {"loss": "mean_squared_error"}}
        for width in (1, 2)
    ]
    with pytest.raises(TrainingError, match=r"has shape \[2, 2\] .* \(of the candidates with {.*{\"width\": 2}.*}\)"):
        check_network([file], tmp_path / "mine.json", section=section, networks=networks)
