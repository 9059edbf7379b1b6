"""Scans: points with names that stay, knobs that are checked, the best by a metric, and what goes on from it."""

import csv
import json

import pytest
from support import DEFAULTS, PROJECT, SCHEMA
from torchship.chosen import with_best
from torchship.config import merge, resolve
from torchship.errors import ConfigError, DataError, TrainingError
from torchship.files import read_json, sha256, write_json
from torchship.ranking import order, outcome
from torchship.scans import expand

from choose_best import choose_best
from plot_scan import plot_scan

RATE, HIDDEN = "train/learning_rate", "network/arguments/hidden"


def expanded(scan, **changes):
    section = resolve(merge(DEFAULTS, {"models": {"xor": {"scan": scan, **changes}}}), SCHEMA, PROJECT)["xor"]
    return expand("xor", section, SCHEMA, PROJECT)


def test_a_grid_is_every_combination_and_points_come_after():
    sections = expanded({"grid": {RATE: [0.01, 0.1], HIDDEN: [2, 4]}, "points": [{"train/optimizer": "SGD"}]})
    names = [
        *["hidden=2+learning_rate=0.01", "hidden=2+learning_rate=0.1"],
        *["hidden=4+learning_rate=0.01", "hidden=4+learning_rate=0.1", "optimizer=SGD"],
    ]
    assert list(sections) == [f"xor/scan/{name}" for name in names]
    third = sections["xor/scan/hidden=4+learning_rate=0.01"]
    assert third["point"] == {HIDDEN: 4, RATE: 0.01}
    assert (third["train"]["learning_rate"], third["network"]["arguments"]) == (0.01, {"hidden": 4})
    # What a point does not name is the run's own.
    assert sections["xor/scan/optimizer=SGD"]["train"]["learning_rate"] == DEFAULTS["train"]["learning_rate"]
    assert sections["xor/scan/optimizer=SGD"]["network"]["arguments"] == {"hidden": 2}


def test_without_points_there_is_no_scan():
    assert expanded({}) == {}


def test_adding_points_renames_none():
    few = expanded({"grid": {RATE: [0.1, 0.01]}})
    many = expanded({"points": [{HIDDEN: 3}], "grid": {RATE: [0.01, 0.05, 0.1]}})
    assert set(few) < set(many)
    assert all(many[name] == {**few[name], "scan": many[name]["scan"]} for name in few)


@pytest.mark.parametrize(
    ("value", "spelled"),
    [
        (0.025, "0.025"), (1e-7, "1e-07"), (1e30, "1e30"), (7, "7"), (True, "true"), (None, "null"),
        ([64, 32], "64x32"), ("a b/c", "a_b_c"), ("1e-3", "0.001"), ("[x", "_x"),
    ],
)  # fmt: skip
def test_values_are_spelled_so_that_a_path_can_hold_them(value, spelled):
    name = next(iter(expanded({"grid": {"network/arguments/width": [value]}})))
    assert name == f"xor/scan/width={spelled}"


def test_places_that_end_alike_are_spelled_out():
    names = expanded({"grid": {"network/arguments/threads": [1], "train/threads": [2]}})
    assert list(names) == ["xor/scan/network.arguments.threads=1+train.threads=2"]


def test_a_long_name_is_cut_and_stays_apart_from_others():
    arguments = {f"network/arguments/{'k' * 20}{number}": [0, 1] for number in range(10)}
    names = [name.removeprefix("xor/scan/") for name in expanded({"grid": arguments})]
    assert len(set(names)) == 2**10
    assert all(len(name) < 200 and name[-9] == "~" for name in names)


@pytest.mark.parametrize(
    ("scan", "message"),
    [
        ({"grid": {"train/learning_rte": [1.0]}}, r"models/xor/scan: unknown knob train/learning_rte \(did you mean learning_rate\?\); known in train: batch"),
        ({"grid": {RATE: [0.1, -1.0]}}, r"models/xor/scan: train/learning_rate is -1.0: must be a number > 0"),
        ({"grid": {"train/epochs": [1.5]}}, r"train/epochs is 1.5: must be of type integer"),
        ({"grid": {"train/weights": [1]}}, r"train/weights holds several knobs: scan train/weights/distribution"),
        ({"grid": {"data/path": ["a.npz"]}}, r"data/path cannot be scanned: points on other data could not be compared"),
        ({"grid": {"export/opset": [17]}}, r"export/opset does not decide a training; what can be scanned: network/arguments/<name>"),
        ({"grid": {"network/file": ["xro"]}}, r"network/file: unknown network 'xro' \(did you mean xor\?\)"),
        ({"points": [{RATE: 0.1}, {RATE: 0.1}]}, r"would both be xor/scan/learning_rate=0.1: remove one"),
        ({"points": [{"network/arguments/a": "x/y"}, {"network/arguments/a": "x y"}]}, r"would both be xor/scan/a=x_y"),
        ({"grid": {"train/loss": ["cross_entropy", "mean_squared_error"]}}, r"metric is validation_loss, and the points have losses of their own"),
        ({"grid": {"train/devices": [2]}}, r"xor/scan/devices=2/train/devices is 2, but a batch has 1 events"),
        ({"gird": {}}, r"unknown key models/xor/scan/gird \(did you mean grid\?\)"),
        ({"grid": {RATE: []}}, r"scan/grid/train/learning_rate is \[\]: must hold at least 1"),
        ({"metric": "loss"}, r"scan/metric is 'loss': must be one of validation_loss"),
    ],
)  # fmt: skip
def test_a_wrong_scan_is_named(scan, message):
    with pytest.raises(ConfigError, match=message) as caught:
        expanded(scan)
    assert "\n" not in str(caught.value)


def test_a_file_from_elsewhere_cannot_be_scanned(tmp_path):
    entry = {"inputs": DEFAULTS["models"]["xor"]["inputs"], "outputs": DEFAULTS["models"]["xor"]["outputs"]}
    (tmp_path / "m.onnx").touch()
    section = {**entry, "onnx": {"file": str(tmp_path / "m.onnx")}}
    changes = {"runs": ["m"], "models": {"m": section}, "scan": {"grid": {RATE: [1.0]}}}
    run = resolve(merge(DEFAULTS, changes), SCHEMA, PROJECT)["m"]
    with pytest.raises(ConfigError, match="models/m/scan: an ONNX file from elsewhere is not trained"):
        expand("m", run, SCHEMA, PROJECT)


def training(point, loss, accuracy=1.0, converged=5):
    rate = {"replicas": 10, "converged": converged, "rate": converged / 10, "interval": [0.1, 0.9]}
    shipped = None
    if loss is not None:
        names = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
        shipped = dict(zip(names, (loss, accuracy, loss, accuracy), strict=True))
    return {"point": point, "shipped": shipped, "convergence": rate, "diverged": 10 if loss is None else 0}


TRAININGS = [
    training({RATE: 0.01}, 0.3, accuracy=0.5, converged=9),
    training({RATE: 0.1}, 0.1, accuracy=0.75, converged=2),
    training({RATE: 9.0}, None),
    training({RATE: 0.05}, 0.1, accuracy=1.0, converged=3),
]


@pytest.mark.parametrize(
    ("metric", "expected"),
    [("validation_loss", [1, 3, 0]), ("validation_accuracy", [3, 1, 0]), ("convergence_rate", [0, 3, 1])],
)
def test_the_best_is_the_best_by_the_metric(metric, expected):
    assert order([outcome(report) for report in TRAININGS], metric) == expected


def test_a_loss_of_zero_is_the_best():
    assert order([outcome(training({}, loss)) for loss in (0.3, 0.0, 0.1)], "validation_loss") == [1, 2, 0]


def test_a_scan_of_which_all_diverged_stops():
    with pytest.raises(TrainingError, match="all 2 points of the scan have diverged: lower train/learning_rate"):
        order([outcome(training({}, None))] * 2, "validation_loss")


def test_the_best_training_becomes_the_runs_own(tmp_path):
    files = {}
    for report in TRAININGS:
        name = f"learning_rate={report['point'][RATE]}"
        files[name] = tmp_path / name / "training.json"
        checksums = {}
        for kind in ("weights", "history", "replicas"):
            path = files[name].with_name(kind)
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"{kind} of {name}")
            checksums[kind] = sha256(path)
        write_json(files[name], {**report, "files": checksums})
    kinds = ("table", "best", "network", "weights", "history", "replicas", "training")
    outputs = {kind: tmp_path / "out" / kind for kind in kinds}
    arguments = (files, [PROJECT / "models" / "xor.py"], outputs)
    choose_best(*arguments, metric="validation_loss", network="xor")
    assert outputs["weights"].read_text() == "weights of learning_rate=0.1"
    assert read_json(outputs["training"]) == read_json(files["learning_rate=0.1"])
    assert outputs["network"].read_bytes() == (PROJECT / "models" / "xor.py").read_bytes()
    best = read_json(outputs["best"])
    assert (best["name"], best["point"], best["value"]) == ("learning_rate=0.1", {RATE: 0.1}, 0.1)
    assert (best["points"], best["diverged"], best["best_is"]) == (4, 1, "smallest")
    rows = list(csv.DictReader(outputs["table"].read_text().splitlines()))
    assert [row["rank"] for row in rows] == ["3", "1", "", "2"]
    assert [row[RATE] for row in rows] == ["0.01", "0.1", "9.0", "0.05"]
    assert rows[2]["validation_loss"] == ""
    (tmp_path / "learning_rate=0.1" / "replicas").write_text("others")
    with pytest.raises(DataError, match=r"learning_rate=0.1/replicas is changed since it was trained: delete \S+json"):
        choose_best(*arguments, metric="validation_loss", network="xor")
    plots = [tmp_path / "a.svg", tmp_path / "a.png"]
    plot_scan(outputs["table"], outputs["best"], *plots, style=DEFAULTS["plots"])
    assert "best of 4 points (1 diverged): learning_rate=0.1, validation loss 0.1" in plots[0].read_text()


def test_what_follows_is_given_the_best_points_knobs_that_it_asked_for(tmp_path):
    best = tmp_path / "best.json"
    best.write_text(json.dumps({"point": {HIDDEN: 4, "network/arguments/depth": 2, RATE: 0.1, "train/loss": "l"}}))
    asked = {"network": {"file": "xor"}, "train": {"loss": "m"}, "inputs": {}}
    expected = {
        "network": {"file": "xor", "arguments": {"hidden": 4, "depth": 2}},
        "train": {"loss": "l"},
        "inputs": {},
    }
    assert with_best(asked, str(best)) == expected
    assert asked["train"] == {"loss": "m"}
    assert with_best({"inputs": {}}, str(best)) == {"inputs": {}}
    assert with_best(asked, []) is asked
