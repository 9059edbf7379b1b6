"""Folds: trainings that are validated on different events each, and the mean of their networks, which ships."""

import csv
import itertools
from types import SimpleNamespace

import jsonschema
import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from support import DEFAULTS, PROJECT, SCHEMA
from torchship.config.resolve import merge, resolve
from torchship.core.errors import ConfigError, DataError
from torchship.core.files import read_json, sha256
from torchship.models.module import load
from torchship.pages import summary
from torchship.scan.points import expand
from torchship.select.members import average, write_together
from torchship.select.ranking import folds
from torchship.spec.candidate import candidates_of
from torchship.spec.model import read_model
from torchship.spec.objective import targets_of
from torchship.spec.section import read_section
from torchship.training.events import EventDataset
from torchship.training.folds import of_fold

from generate_data import generate_data
from plot_training import plot_training
from select_model import select_model
from train_network import train_network

RATE = "train/learning_rate"
NAMES = {
    "weights": "weights.safetensors",
    "history": "history.csv",
    "replicas": "replicas.csv",
    "training": "training.json",
}
XOR = PROJECT / "models" / "xor.py"


@pytest.fixture
def mine(tmp_path):
    """A data file, and a function that returns the run's section with changes."""
    x = np.random.default_rng(3).uniform(size=(40, 2)).astype("float32")
    np.savez(tmp_path / "mine.npz", x=x, target=(x.sum(axis=1, keepdims=True) > 1.0).astype("float32"))
    data = {
        "source": "file",
        "path": str(tmp_path / "mine.npz"),
        "fractions": {"train": 0.5, "validation": 0.25, "test": 0.25},
    }
    train = {"folds": 3, "epochs": 40, "replicas": 2, "batch_size": 4, "record_every": 20}
    usual = {"data": data, "train": train, "extract": {"handcode": False}, "evaluate": {"surface": None}}

    def section(**changes):
        entry = merge(usual, changes)
        config = merge(DEFAULTS, {"models": {"xor": merge({"extract": {"required_accuracy": None}}, entry)}})
        return resolve(config, SCHEMA, PROJECT)["xor"]

    return section


def all_of(section):
    return candidates_of(section, expand("xor", section, SCHEMA, PROJECT))


def points_of(candidates):
    return {name: candidate.point for name, candidate in candidates.items()}


def test_a_point_has_a_candidate_for_each_fold_and_one_alone_is_none(mine):
    named = all_of(mine())
    assert list(named) == ["fold=0", "fold=1", "fold=2"]
    assert [candidate.fold for candidate in named.values()] == [0, 1, 2]
    assert [candidate.section["train"]["fold"] for candidate in named.values()] == [0, 1, 2]
    scanned = all_of(mine(scan={"grid": {RATE: [0.1, 0.2]}}, train={"folds": 2}))
    assert list(scanned) == [f"learning_rate={rate}+fold={fold}" for rate in (0.1, 0.2) for fold in (0, 1)]
    assert folds(points_of(scanned)) == {"learning_rate=0.1": [0, 1], "learning_rate=0.2": [2, 3]}
    assert folds(points_of(named)) == {"only": [0, 1, 2]}
    # A point that is called like one is no fold.
    assert folds({"fold=0": "fold=0", "fold=1": "fold=1"}) == {"fold=0": [0], "fold=1": [1]}
    (alone,) = all_of(mine(train={"folds": 1})).values()
    assert (alone.name, alone.fold) == ("only", None)
    assert alone.section["train"].keys() & {"folds", "fold"} == set()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"extract": {"handcode": True}}, r"models/xor/extract/handcode is true, but what ships is the mean of 3 networks \(train/folds\), .*: set it to false"),
        ({"data": {"source": "xor"}}, r"models/xor/train/folds is 3, but the truth table is the whole population: .*; set it to 1"),
        ({"outputs": {"y": {"dtype": "int64"}}}, r"models/xor/outputs/y/dtype is int64, of which the 3 networks of train/folds have no mean"),
        ({"network": {"weights": "w.pt"}}, r"models/xor/train/folds: with network/weights nothing is trained here; remove one"),
        ({"train": {"folds": 0}}, r"train/folds is 0: must be an integer >= 1 and <= 100"),
    ],
)  # fmt: skip
def test_what_cannot_be_cut_into_folds_is_named_while_planning(mine, changes, message):
    with pytest.raises(ConfigError, match=message):
        mine(**changes)


def numbered(*counts):
    """The training and validation set, of events that are their own number."""
    starts = np.cumsum([0, *counts])
    tensors = [torch.arange(first, last)[:, None] for first, last in itertools.pairwise(starts)]
    return {name: EventDataset((x,), (-x,)) for name, x in zip(("train", "validation"), tensors, strict=True)}


@pytest.mark.parametrize("count", [2, 3, 4])
def test_each_event_is_validated_on_once_and_trained_on_by_the_others(count):
    sets = [of_fold(numbered(6, 4), fold, count) for fold in range(count)]
    for fold, one in enumerate(sets):
        (validated,), (target,) = one["validation"][torch.arange(len(one["validation"]))]
        assert validated.flatten().tolist() == list(range(fold, 10, count))
        assert target.equal(-validated)
        (trained,), _ = one["train"][torch.arange(len(one["train"]))]
        assert sorted([*trained.flatten().tolist(), *validated.flatten().tolist()]) == list(range(10))


def test_too_few_events_for_so_many_folds_are_told():
    of_fold(numbered(6, 4), 4, 5)
    with pytest.raises(
        DataError, match=r"train/folds is 6, but the training and the validation set have 10 events tog"
    ):
        of_fold(numbered(6, 4), 0, 6)


@pytest.fixture
def selected(tmp_path, mine):
    """Two points of three folds each, trained side by side, and what ships of them."""
    section = mine(scan={"grid": {RATE: [0.0001, 0.1]}})
    sets = {split: tmp_path / f"{split}.safetensors" for split in ("train", "validation", "test")}
    sheet = tmp_path / "datasheet.json"
    generate_data(sets, sheet, data=section["data"], model=read_section(section), targets=targets_of(section), seed=1)
    folders = {}
    candidates = all_of(section)
    for name, candidate in candidates.items():
        folders[name] = tmp_path / name
        kept = {
            key: candidate.section[key]
            for key in ("network", "inputs", "outputs", "train", "evaluate", "seed", "device")
        }
        train_network(
            {split: sets[split] for split in ("train", "validation")}, sheet, XOR,
            {kind: folders[name] / file for kind, file in NAMES.items()}, folders[name] / "checkpoint", "this code",
            section=read_section({**kept, "data": {"target": candidate.section["data"]["target"]}}),
            watch={"log_every": 100, "checkpoint_seconds": 0}, point=candidate.section["point"],
        )  # fmt: skip
    made = {**NAMES, "table": "candidates.csv", "shipped": "model.json", "network": "network.py"}
    outputs = {kind: tmp_path / "out" / name for kind, name in made.items()}
    trainings = {name: folder / "training.json" for name, folder in folders.items()}
    points = points_of(candidates)
    select_model(trainings, [XOR], sheet, outputs, points=points, run="xor", metric="validation_loss")
    return SimpleNamespace(
        points=points, outputs=outputs, folders=folders, sets=sets, model=read_model(outputs["shipped"])
    )


def test_all_folds_of_the_best_point_ship_as_their_mean(selected, tmp_path):
    outputs, folders, model = selected.outputs, selected.folders, selected.model
    assert model.candidate == "learning_rate=0.1"
    members = [f"learning_rate=0.1+fold={fold}" for fold in range(3)]
    assert list(model.members) == [{"candidate": name, "fold": fold} for fold, name in enumerate(members)]
    reports = {name: read_json(folder / "training.json") for name, folder in folders.items()}
    losses = {name: report["shipped"]["validation_loss"] for name, report in reports.items()}
    assert model.selection["candidates"] == 2
    assert model.selection["value"] == pytest.approx(np.mean([losses[name] for name in members]), rel=1e-15)
    assert len({sha256(folders[name] / NAMES["weights"]) for name in members}) == 3
    assert model.section["train"]["folds"] == 3
    assert "fold" not in model.section["train"]
    jsonschema.validate(
        read_json(outputs["shipped"]), yaml.safe_load((PROJECT / "schemas" / "model.schema.yaml").read_text())
    )
    # The network that ships is the mean, of the members' own weights.
    state = load_file(outputs["weights"])
    for number, name in enumerate(members):
        for tensor, value in load_file(folders[name] / NAMES["weights"]).items():
            assert state.pop(f"members.{number}.{tensor}").equal(value)
    assert not state
    x = torch.rand(7, 2)
    arguments = model.section["network"]["arguments"]
    each = [load(XOR, arguments, folders[name] / NAMES["weights"])(x) for name in members]
    assert load(outputs["network"], arguments, outputs["weights"])(x).equal((each[0] + each[1] + each[2]) / 3)
    # Folds share the rank of their point.
    rows = list(csv.DictReader(outputs["table"].read_text().splitlines()))
    assert [row["rank"] for row in rows] == ["2", "2", "2", "1", "1", "1"]
    assert float(rows[3]["validation_loss"]) == losses[members[0]]
    page = summary.trained(read_json(outputs["training"]))
    assert sum("random starts converged" in line for line in page) == 3
    plots = {f"{what}_{kind}": tmp_path / f"{what}.{kind}" for what in ("loss", "accuracy") for kind in ("svg", "png")}
    plot_training(outputs["history"], outputs["training"], plots, style=DEFAULTS["plots"])
    assert "by fold: " in plots["loss_svg"].read_text()


def test_a_fold_that_changed_since_it_was_trained_stops_the_selection(selected):
    path = selected.folders["learning_rate=0.1+fold=1"] / NAMES["weights"]
    path.write_bytes(path.read_bytes() + b"x")
    trainings = {name: folder / "training.json" for name, folder in selected.folders.items()}
    with pytest.raises(
        DataError, match=r"fold=1/weights.safetensors: the weights is changed since \S+fold=1 was trained"
    ):
        select_model(
            trainings, [XOR], None, selected.outputs, points=selected.points, run="xor", metric="validation_loss"
        )


SEVERAL = """
import torch


class Network(torch.nn.Module):
    def __init__(self, width=2):
        super(Network, self).__init__()
        self.first = torch.nn.Linear(width, 3)

    def forward(self, x, y):
        x += 1.0
        return self.first(x), y * 2.0
"""


def test_a_network_of_several_tensors_that_names_itself_and_writes_on_its_inputs_has_a_mean(tmp_path):
    (tmp_path / "own.py").write_text(SEVERAL)
    (tmp_path / "network.py").write_text(average(tmp_path / "own.py", 2, 2))
    files = []
    for number in range(2):
        files.append(tmp_path / f"{number}.safetensors")
        weight = torch.full((3, 2), 1.0 + number)
        save_file({"first.weight": weight, "first.bias": torch.zeros(3)}, files[-1])
    write_together(tmp_path / "both.safetensors", files)
    module = load(tmp_path / "network.py", {"width": 2}, tmp_path / "both.safetensors")
    x = torch.ones(1, 2)
    first, second = module(x, torch.ones(1))
    # (2 + 2) of the one and (2 + 2) * 2 of the other.
    assert first.tolist() == [[6.0, 6.0, 6.0]]
    assert second.tolist() == [2.0]
    assert x.tolist() == [[1.0, 1.0]]


def test_tensors_of_all_widths_stay_themselves_when_they_are_put_together(tmp_path):
    tensors = {
        "flag": torch.tensor([True, False, True]), "count": torch.tensor(7), "half": torch.ones(3, dtype=torch.bfloat16),
        "wide": torch.arange(3, dtype=torch.float64), "none": torch.empty(0, 2),
    }  # fmt: skip
    files = [tmp_path / f"{number}.safetensors" for number in range(3)]
    for file in files:
        save_file(tensors, file)
    write_together(tmp_path / "all.safetensors", files)
    found = load_file(tmp_path / "all.safetensors")
    assert len(found) == 15
    for name, tensor in found.items():
        own = tensors[name.rpartition(".")[2]]
        assert tensor.equal(own)
        assert tensor.dtype == own.dtype
