"""Losses of several outputs: the weighted sum is trained, each is reported, names are checked while planning."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from support import PROJECT, SCHEMA, configured_model, small_model
from torchship.core.errors import ConfigError, DataError
from torchship.core.files import read_json
from torchship.models.module import load
from torchship.models.seeds import random_network
from torchship.scan.points import expand
from torchship.spec.objective import decisive, targets_of, terms
from torchship.training.evaluation import measured
from torchship.training.losses import Objective, accuracy
from trained_networks import EVENTS, NETWORKS, model_of, points, rows_of, tracks, trained

from evaluate_network import evaluate_network

OUTPUTS = {"y": {"shape": ["batch", 1]}, "energy": {"shape": ["batch", 3]}}
BOTH = {
    "y": {"function": "binary_cross_entropy"},
    "energy": {"function": "mean_squared_error", "weight": 0.25, "target": "momenta"},
}
MOMENTA = np.random.default_rng(2).normal(size=(EVENTS, 3)).astype("float32")


def test_a_name_is_the_loss_of_the_first_output():
    (term,) = terms("cross_entropy", ["y", "z"], "target")
    assert (term.output, term.place, term.weight, term.target) == ("y", 0, 1.0, "target")


def test_terms_stand_in_the_order_of_the_outputs():
    found = terms(
        {"z": {"function": "cross_entropy", "weight": 2}, "y": {"function": "mean_squared_error"}}, ["y", "z"], "t"
    )
    assert [(term.output, term.place, term.weight) for term in found] == [("y", 0, 1.0), ("z", 1, 2.0)]
    assert decisive(found) == 1


@pytest.mark.parametrize("replicas", [1, 5])
def test_the_weighted_sum_is_trained_and_each_is_reported(tmp_path, replicas):
    outputs, report = trained(
        tmp_path, "two_heads", outputs=OUTPUTS, loss=BOTH, arrays={"momenta": MOMENTA}, replicas=replicas
    )
    assert report["engine"]["engine"] == ("eager" if replicas == 1 else "batched")
    module = load(NETWORKS / "two_heads.py", {}, outputs["weights"])
    data = load_file(tmp_path / "validation.safetensors")
    with torch.no_grad():
        y, energy = module(data["x"])
    functional = torch.nn.functional
    each = {
        "y": float(functional.binary_cross_entropy(y, data["target"])),
        "energy": float(functional.mse_loss(energy, data["momenta"])),
    }
    total = each["y"] + 0.25 * each["energy"]
    right = float(((y > 0.5) == (data["target"] > 0.5)).float().mean())
    assert report["shipped"]["validation_loss"] == pytest.approx(total, rel=1e-5)
    assert report["shipped"]["validation_accuracy"] == pytest.approx(right)
    start = random_network(NETWORKS / "two_heads.py", {}, {"distribution": "default"}, report["shipped"]["seed"])
    assert not torch.equal(start.energy.weight, module.energy.weight)
    model = model_of(NETWORKS / "two_heads.py", {"x": ["batch", 2]}, {"loss": BOTH}, OUTPUTS)
    sets = {split: tmp_path / f"{split}.safetensors" for split in ("train", "validation", "test")}
    evaluate_network(sets, tmp_path / "datasheet.json", NETWORKS / "two_heads.py", outputs["weights"],
                     tmp_path / "metrics.json", tmp_path / "predictions.safetensors", model=model)  # fmt: skip
    predicted = load_file(tmp_path / "predictions.safetensors")
    assert set(predicted) == {f"{split}/{name}" for split in sets for name in OUTPUTS}
    torch.testing.assert_close(predicted["validation/energy"], energy)
    entry = read_json(tmp_path / "metrics.json")["sets"]["validation"]
    assert entry["losses"] == pytest.approx(each, rel=1e-5)
    assert entry["loss"] == pytest.approx(total, rel=1e-5)
    assert entry["accuracy"] == pytest.approx(right)


@pytest.mark.parametrize("replicas", [1, 5])
def test_outputs_of_three_axes_are_trained_on_all_of_their_numbers(tmp_path, replicas):
    """A class and a charge for each hit."""
    generator = np.random.default_rng(3)
    labels = generator.integers(0, 4, (EVENTS, 5)).astype("int16")
    charges = generator.uniform(0, 3, (EVENTS, 5)).astype("float32")
    outputs = {"label": {"shape": ["batch", 5, 4]}, "charge": {"shape": ["batch", 5, 1]}}
    loss = {
        "label": {"function": "cross_entropy", "target": "labels"},
        "charge": {"function": "mean_squared_error", "target": "charges"},
    }
    found, report = trained(
        tmp_path, "hit_labels", tracks, outputs=outputs, loss=loss, replicas=replicas, epochs=4,
        arrays={"labels": labels, "charges": charges},
    )  # fmt: skip
    data = load_file(tmp_path / "validation.safetensors")
    module = load(NETWORKS / "hit_labels.py", {}, found["weights"])
    with torch.no_grad():
        label, charge = module(data["hits"])
    entropy = torch.nn.functional.cross_entropy(label.reshape(-1, 4), data["labels"].reshape(-1).long())
    total = float(entropy + (charge.squeeze(-1) - data["charges"]).square().mean())
    right = label.argmax(-1) == data["labels"]
    assert report["shipped"]["validation_loss"] == pytest.approx(total, rel=1e-5)
    assert report["shipped"]["validation_accuracy"] == pytest.approx(float(right.float().mean()))
    model = model_of(NETWORKS / "hit_labels.py", {"hits": ["batch", 5, 3]}, {"loss": loss}, outputs)
    sets = {split: tmp_path / f"{split}.safetensors" for split in ("train", "validation", "test")}
    evaluate_network(sets, tmp_path / "datasheet.json", NETWORKS / "hit_labels.py", found["weights"],
                     tmp_path / "metrics.json", tmp_path / "predictions.safetensors", model=model)  # fmt: skip
    entry = read_json(tmp_path / "metrics.json")["sets"]["validation"]
    assert entry["accuracy"] == pytest.approx(float(right.float().mean()))
    confusion = np.array(entry["confusion"])
    assert confusion.sum() == labels[: len(right)].size
    assert np.trace(confusion) == int(right.sum())


def test_weights_of_terms_count():
    found = {}
    for weight in (0.5, 2.0):
        both = terms(
            {"a": {"function": "mean_squared_error"}, "b": {"function": "mean_squared_error", "weight": weight}},
            ["a", "b"],
            "t",
        )
        one, two, zero = torch.ones(1, 4, 1), torch.full((1, 4, 1), 2.0), torch.zeros(1, 4, 1)
        objective = Objective(both, 0.5)
        found[weight] = float(objective.per_replica([one, two], [zero, zero])[0])
        assert float(objective.mean([one[0], two[0]], [zero[0], zero[0]])) == found[weight]
    assert found == {0.5: 3.0, 2.0: 9.0}


def test_the_accuracy_of_labels_of_their_own_and_of_numbers():
    output = torch.tensor([[[0.9, 0.1], [0.4, 0.8]]])
    labels = torch.tensor([[[1.0, 0.0], [1.0, 1.0]]])
    assert float(accuracy(output, labels, 0.5, "binary_cross_entropy")[0]) == 0.75
    assert float(accuracy(output, labels, 0.5, "mean_squared_error")[0]) == 0.0


def test_several_numbers_may_be_learned_alone(tmp_path):
    """A regression of three numbers decides nothing."""
    numbers = {"energy": {"function": "mean_squared_error", "target": "momenta"}}
    written, report = trained(
        tmp_path, "two_heads", outputs=OUTPUTS, loss=numbers, frozen=["head"], arrays={"momenta": MOMENTA}
    )
    assert report["shipped"].keys() == {"replica", "seed", "train_loss", "validation_loss"}
    assert "convergence" not in report
    quantities = {row["quantity"] for row in rows_of(written["history"])}
    assert quantities == {"train_loss", "validation_loss"}
    assert {(row["validation_accuracy"], row["converged"]) for row in rows_of(written["replicas"])} == {("", "")}


SMOOTHED = "binary_cross_entropy", "binary_cross_entropy_with_logits"


@pytest.mark.parametrize("function", SMOOTHED)
def test_a_smoothed_label_counts_as_what_it_is_nearer_to(function):
    scores = np.array([[-2.0], [3.0], [0.1], [-0.1]], dtype="float32")
    labels = np.array([[0.05], [0.95], [0.05], [0.05]], dtype="float32")
    outputs = torch.from_numpy(scores)
    threshold = 0.0
    if function == "binary_cross_entropy":
        outputs, threshold = outputs.sigmoid(), 0.5
    objective = Objective(terms(function, ["y"], "target"), threshold)
    found = measured(objective, [outputs], [torch.from_numpy(labels)])
    assert (found["accuracy"], found["confusion"]) == (0.75, [[2, 1], [0, 1]])
    assert float(objective.accuracy([outputs[None]], [torch.from_numpy(labels)[None]])) == 0.75


@pytest.mark.parametrize("engine", ["eager", "batched"])
def test_an_output_without_an_axis_of_its_own_is_trained_as_one_number(tmp_path, engine):
    """As `.squeeze(-1)` at the end of many a network makes it, with labels [events]."""
    file = tmp_path / "squeezed.py"
    file.write_text(
        "import torch\nfrom torch import nn\n\n\nclass Network(nn.Module):\n    def __init__(self):\n"
        "        super().__init__()\n        self.one = nn.Linear(2, 1)\n\n"
        "    def forward(self, x):\n        return torch.sigmoid(self.one(x)).squeeze(-1)\n"
    )
    kept = {"outputs": {"y": {"shape": ["batch"]}}, "engine": engine, "replicas": 9}
    outputs, report = trained(tmp_path, file, flat_points, **kept)
    module, data = load(file, {}, outputs["weights"]), load_file(tmp_path / "validation.safetensors")
    with torch.no_grad():
        y = module(data["x"])
    assert y.shape == data["target"].reshape(-1).shape
    loss = float(torch.nn.functional.binary_cross_entropy(y, data["target"].reshape(-1)))
    right = float(((y > 0.5) == (data["target"].reshape(-1) > 0.5)).float().mean())
    assert report["shipped"]["validation_loss"] == pytest.approx(loss, rel=1e-5)
    assert report["shipped"]["validation_accuracy"] == pytest.approx(right)


def flat_points(generator):
    arrays, shapes = points(generator)
    return {**arrays, "target": arrays["target"].reshape(-1)}, shapes


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ("mean_sqared_error", r"models/xor/train/loss is 'mean_sqared_error': must be one of .*\(did you mean mean_squared_error\?\)"),
        ({"yy": {"function": "mean_squared_error"}}, r"models/xor/train/loss: unknown output 'yy' \(did you mean y\?\); known: y"),
        ({"y": {"function": "mse"}}, r"models/xor/train/loss/y/function is 'mse': must be one of"),
        ({"y": {"function": "mean_squared_error", "wieght": 2}}, r"unknown key models/xor/train/loss/y/wieght \(did you mean weight\?\)"),
        ({"y": {"function": "mean_squared_error", "target": "x"}}, r"models/xor/train/loss/y/target is 'x', which is an input"),
        ({"y": {"function": "mean_squared_error", "weight": 0}}, r"models/xor/train/loss/y/weight is 0: must be a number > 0"),
        ({"y": {"weight": 1.0}}, r"missing key models/xor/train/loss/y/function"),
        ({}, r"models/xor/train/loss is {}: must hold at least 1"),
    ],
)  # fmt: skip
def test_losses_are_checked_while_planning(loss, expected):
    with pytest.raises(ConfigError, match=expected):
        small_model(models={"xor": {"train": {"loss": loss}}})


def test_targets_of_all_terms_are_kept_with_the_data(tmp_path):
    model = small_model(
        models={"xor": {"train": {"loss": {"y": {"function": "mean_squared_error", "target": "other"}}}}}
    )
    assert targets_of(model) == ["other"]
    wrong = {**BOTH, "energy": {**BOTH["energy"], "target": "momentum"}}
    with pytest.raises(DataError, match=r"no array 'momentum' in the data \(did you mean momenta\?\)"):
        trained(tmp_path, "two_heads", points, outputs=OUTPUTS, loss=wrong, arrays={"momenta": MOMENTA})


def test_a_target_that_does_not_suit_its_output_is_named(tmp_path):
    with pytest.raises(
        DataError, match=r"the train set, momenta: mean_squared_error takes float32 of shape \[events, 3\]"
    ):
        trained(tmp_path, "two_heads", outputs=OUTPUTS, loss=BOTH, arrays={"momenta": MOMENTA[:, :2]})


def test_losses_can_be_scanned():
    """Each point has a name that a folder can have, and an error its place."""
    both = {"y": {"function": "binary_cross_entropy", "weight": 2.0}}
    scan = {"grid": {"train/loss": ["mean_squared_error", both]}, "metric": "validation_accuracy"}
    found = expand("xor", configured_model(scan=scan), SCHEMA, PROJECT)
    assert list(found) == [
        "loss=mean_squared_error",
        "loss=y_function_binary_cross_entropy_weight_2.0",
    ]
    scan["metric"] = "validation_loss"
    with pytest.raises(
        ConfigError, match=r"which points with train/loss mean_squared_error and {.y.: .* cannot be compared"
    ):
        expand("xor", configured_model(scan=scan), SCHEMA, PROJECT)
    scan["grid"]["train/loss"][1] = {"y": {"function": "bce"}}
    with pytest.raises(ConfigError, match=r"the scan of xor: train/loss/y/function is 'bce': must be one of"):
        expand("xor", configured_model(scan=scan), SCHEMA, PROJECT)
