"""Scans: points with names that stay, knobs that are checked, the best by a metric, and what goes on from it."""

import csv
import datetime as dt

import jsonschema
import numpy as np
import pytest
import yaml
from safetensors.numpy import save
from support import DEFAULTS, PROJECT, SCHEMA
from torchship.config.resolve import merge, resolve
from torchship.core.errors import ConfigError, DataError, TrainingError
from torchship.core.files import read_json, sha256, write_json
from torchship.models.neighbours import digest
from torchship.pages import summary
from torchship.scan.points import expand
from torchship.select.ranking import order, outcome
from torchship.spec.model import Model, read_model
from torchship.spec.section import in_order
from torchship.spec.tensor import Tensor

from plot_scan import plot_scan
from select_model import select_model

RATE, HIDDEN = "train/learning_rate", "network/arguments/hidden"


@pytest.fixture(autouse=True)
def project(tmp_path):
    """A project whose network takes any arguments."""
    folder = tmp_path / "project"
    (folder / "models").mkdir(parents=True)
    (folder / "models" / "xor.py").write_text("class Network:\n    def __init__(self, **arguments):\n        pass\n")
    (folder / "envs").symlink_to(PROJECT / "envs")
    expanded.project = folder


def expanded(scan, **changes):
    section = resolve(merge(DEFAULTS, {"models": {"xor": {"scan": scan, **changes}}}), SCHEMA, expanded.project)["xor"]
    return expand("xor", section, SCHEMA, expanded.project)


def test_a_grid_is_every_combination_and_points_come_after():
    sections = expanded({"grid": {RATE: [0.01, 0.1], HIDDEN: [2, 4]}, "points": [{"train/optimizer": "SGD"}]})
    names = [
        *["hidden=2+learning_rate=0.01", "hidden=2+learning_rate=0.1"],
        *["hidden=4+learning_rate=0.01", "hidden=4+learning_rate=0.1", "optimizer=SGD"],
    ]
    assert list(sections) == names
    third = sections["hidden=4+learning_rate=0.01"]
    assert third["point"] == {HIDDEN: 4, RATE: 0.01}
    assert (third["train"]["learning_rate"], third["network"]["arguments"]) == (0.01, {"hidden": 4})
    # What a point does not name is the run's own.
    assert sections["optimizer=SGD"]["train"]["learning_rate"] == DEFAULTS["train"]["learning_rate"]
    assert sections["optimizer=SGD"]["network"]["arguments"] == {"hidden": 2}


def test_without_points_there_is_no_scan():
    assert expanded({}) == {}


def test_adding_points_renames_none():
    few = expanded({"grid": {RATE: [0.1, 0.01]}})
    # Not even another knob whose name ends like theirs.
    more = [{HIDDEN: 3}, {"network/arguments/learning_rate": 1}, {"network/arguments/a/learning_rate": 1}]
    many = expanded({"points": more, "grid": {RATE: [0.01, 0.05, 0.1]}})
    assert set(few) < set(many)
    assert all(many[name] == {**few[name], "scan": many[name]["scan"]} for name in few)


@pytest.mark.parametrize(
    ("value", "spelled"),
    [
        (0.025, "0.025"), (1e-7, "1e-07"), (1e30, "1e30"), (7, "7"), (True, "true"), (None, "null"),
        ([64, 32], "64x32"), ("a b/c", "a_b_c"), ("1e-3", "0.001"), ("[x", "_x"), ("größer", "gr__er"),
    ],
)  # fmt: skip
def test_values_are_spelled_so_that_a_path_can_hold_them(value, spelled):
    name = next(iter(expanded({"grid": {"network/arguments/width": [value]}})))
    assert name == f"width={spelled}"


@pytest.mark.parametrize(
    ("knob", "value", "word"),
    [
        ("train/threads", 2, "threads=2"),
        ("network/arguments/threads", 1, "network.arguments.threads=1"),
        ("network/file", "xor", "file=xor"),
        ("network/arguments/file", "a", "network.arguments.file=a"),
        ("network/arguments/seed", 1, "network.arguments.seed=1"),
        ("network/arguments/a/b", 1, "a.b=1"),
        ("network/arguments/größe+=", 1, "gr__e__=1"),
    ],
)
def test_an_argument_that_is_called_like_a_knob_is_spelled_out(knob, value, word):
    assert list(expanded({"grid": {knob: [value]}})) == [word]


@pytest.mark.parametrize(
    ("knob", "text", "value"),
    [
        *[(HIDDEN, "4", 4), (HIDDEN, "1e-3", 0.001), (HIDDEN, "true", True), (HIDDEN, "null", None)],
        # What only YAML would make something of stays text, and so does what stands for a text.
        *[(HIDDEN, word, word) for word in ("no", "1:30", "2026-01-01", "inf", ".nan", "NaN", "[1]", "0x10")],
        *[("network/arguments/mode", "4", "4"), ("train/optimizer", "SGD", "SGD")],
        *[(HIDDEN, ["4", "a"], [4, "a"]), (HIDDEN, {"a": "4"}, {"a": 4}), ("network/arguments/names", ["4"], ["4"])],
        # A knob of the schema knows what it wants.
        *[("train/shuffle", "no", False), ("train/epochs", "7", 7), (RATE, "1", 1.0), (RATE, 1, 1.0)],
    ],
)
def test_a_text_becomes_what_the_knob_wants(knob, text, value):
    """Snakemake's command line makes all nested values text."""
    network = {"file": "xor", "arguments": {"hidden": 2, "mode": "fast", "names": ["a"]}}
    (section,) = expanded({"grid": {knob: [text]}}, network=network).values()
    found = section["point"][knob]
    assert (found, type(found)) == (value, type(value))


def test_a_long_name_is_cut_and_stays_apart_from_others():
    arguments = {f"network/arguments/{'k' * 20}{number}": [0, 1] for number in range(10)}
    names = list(expanded({"grid": arguments}))
    assert len(set(names)) == 2**10
    assert all(len(name) < 200 and name[-9] == "~" for name in names)


@pytest.mark.parametrize(
    ("scan", "message"),
    [
        ({"grid": {"train/learning_rte": [1.0]}}, r"the scan of xor: unknown knob train/learning_rte \(did you mean train/learning_rate\?\); known: train/replicas"),
        ({"grid": {RATE: [0.1, -1.0]}}, r"the scan of xor: train/learning_rate is -1.0: must be a number > 0"),
        ({"grid": {"train/epochs": [1.5]}}, r"train/epochs is 1.5: must be of type integer"),
        ({"grid": {"train/weights": [1]}}, r"train/weights holds several knobs: scan train/weights/distribution"),
        ({"grid": {"data/path": ["a.npz"]}}, r"data/path cannot be scanned: points on other data could not be compared"),
        ({"grid": {"learning_rate": [0.1]}}, r"the scan of xor: learning_rate is no knob of a training \(did you mean train/learning_rate\?\)"),
        ({"grid": {"train.weights.mean": [0.1]}}, r"train.weights.mean is no knob of a training \(did you mean train/weights/mean\?\)"),
        ({"grid": {"export/opset": [17]}}, r"export/opset is no knob of a training; what can be scanned: network/arguments/<name>"),
        ({"grid": {"network/file": ["xro"]}}, r"network/file: unknown network 'xro' \(did you mean xor\?\)"),
        ({"points": [{RATE: 0.1}, {RATE: 0.1}]}, r"would both be learning_rate=0.1: remove one"),
        ({"points": [{"network/arguments/a": "x/y"}, {"network/arguments/a": "x y"}]}, r"would both be a=x_y"),
        ({"grid": {"network/arguments": [{"hidden": 3}]}}, r"network/arguments holds several knobs: scan network/arguments/<name>"),
        ({"grid": {"network/arguments/": [1]}}, r"network/arguments/ has an empty name: scan network/arguments/<name>"),
        ({"grid": {"network/arguments/hidden/x": [1]}}, r"the scan of xor: network/arguments/hidden/x cannot be scanned: network/arguments/hidden is 2"),
        ({"points": [{"network/arguments/a": 1, "network/arguments/a/b": 2}]}, r"network/arguments/a/b cannot be scanned: network/arguments/a is 1"),
        ({"grid": {"network/flie": ["xor"]}}, r"unknown knob network/flie \(did you mean network/file\?\); known: network/arguments/<name>, network/file"),
        ({"grid": {"seed/a": [1]}}, r"unknown knob seed/a \(did you mean seed\?\); known: seed"),
        ({"grid": {HIDDEN: [float("inf")]}}, r"network/arguments/hidden is inf: must be what JSON can hold"),
        ({"grid": {HIDDEN: [dt.date(2026, 1, 2)]}}, r"hidden is datetime.date\(2026, 1, 2\): must be what JSON can hold .* put a date in quotes"),
        ({"grid": {HIDDEN: [{1: 2}]}}, r"hidden is \{1: 2\}: must be what JSON can hold"),
        ({"grid": {1: [2], "seed": [3]}}, r"the scan of xor: 1 is no place of a knob: write one such as train/learning_rate"),
        ({"points": [{True: 2, "seed": 1}]}, r"the scan of xor: True is no place of a knob"),
        ({"points": [{None: 2}]}, r"the scan of xor: None is no place of a knob"),
        ({"points": [{RATE: 1}, {RATE: 1.0}]}, r"would both be learning_rate=1.0: remove one"),
        ({"grid": {"train/loss": ["cross_entropy", "mean_squared_error"]}}, r"metric is validation_loss, which points with train/loss cross_entropy and mean_squared_error cannot be compared by"),
        ({"points": [{"train/loss": "binary_cross_entropy_with_logits"}, {RATE: 0.1}], "metric": "validation_accuracy"}, r"evaluate/threshold, the same for all, would be a logit for some"),
        ({"points": [{"train/loss": "mean_squared_error"}, {RATE: 0.1}]}, r"points with train/loss binary_cross_entropy and mean_squared_error cannot"),
        ({"grid": {"train/converged_accuracy": [0.5, 0.9]}, "metric": "convergence_rate"}, r"metric is convergence_rate, which points with train/converged_accuracy 0.5 and 0.9 cannot"),
        ({"grid": {"train/devices": [2]}}, r"devices=2/train/devices is 2, but a batch has 1 events"),
        ({"grid": {"train/folds": [2]}}, r"the scan of xor: train/folds cannot be scanned: a point is judged by all of its folds"),
        ({"grid": {RATE: [0.1, 0.2]}, "ship": "learning_rate=0.3"}, r"scan/ship is 'learning_rate=0.3', which is none of its 2 points \(did you mean learning_rate=0..\?\); set it to best, or to one of learning_rate=0.1, learning_rate=0.2"),
        ({"ship": "a"}, r"the scan of xor: scan/ship is 'a', which is none of its 0 points; set it to best"),
        ({"gird": {}}, r"unknown key models/xor/scan/gird \(did you mean grid\?\)"),
        ({"grid": {RATE: []}}, r"scan/grid/train/learning_rate is \[\]: must hold at least 1"),
        ({"metric": "loss"}, r"scan/metric is 'loss': must be one of validation_loss"),
    ],
)  # fmt: skip
def test_a_wrong_scan_is_named(scan, message):
    with pytest.raises(ConfigError, match=message) as caught:
        expanded(scan)
    assert "\n" not in str(caught.value)


def test_points_that_mean_the_same_by_the_metric_can_be_compared():
    assert len(expanded({"grid": {"train/loss": ["mean_squared_error"], RATE: [0.1, 0.2]}})) == 2
    points = {"points": [{"train/converged_accuracy": 1}, {RATE: 0.1}], "metric": "convergence_rate"}
    assert len(expanded(points, train={"converged_accuracy": 1})) == 2
    losses = {"train/loss": ["mean_squared_error", "binary_cross_entropy"]}
    assert len(expanded({"grid": losses, "metric": "validation_accuracy"})) == 2


def test_a_scan_for_all_runs_is_none_for_a_file_from_elsewhere(tmp_path):
    entry = {"inputs": DEFAULTS["models"]["xor"]["inputs"], "outputs": DEFAULTS["models"]["xor"]["outputs"]}
    (tmp_path / "m.onnx").touch()
    section = {**entry, "onnx": {"file": str(tmp_path / "m.onnx")}}
    changes = {"runs": ["m", "xor"], "models": {"m": section}, "scan": {"grid": {RATE: [1.0]}}}
    runs = resolve(merge(DEFAULTS, changes), SCHEMA, PROJECT)
    assert expand("m", runs["m"], SCHEMA, PROJECT) == {}
    assert len(expand("xor", runs["xor"], SCHEMA, PROJECT)) == 1
    section["scan"] = {"grid": {RATE: [1.0]}}
    with pytest.raises(ConfigError, match="models/m/scan: an ONNX file from elsewhere is validated and timed, no more"):
        resolve(merge(DEFAULTS, changes), SCHEMA, PROJECT)


def test_a_models_own_points_take_the_place_of_those_for_all():
    both = {"scan": {"grid": {RATE: [0.1, 0.2]}, "metric": "validation_accuracy"}}
    own = merge(both, {"models": {"xor": {"scan": {"grid": {HIDDEN: [3]}}}}})
    section = resolve(merge(DEFAULTS, own), SCHEMA, PROJECT)["xor"]
    assert section["scan"] == {"grid": {HIDDEN: [3]}, "points": [], "metric": "validation_accuracy", "ship": "best"}
    assert list(expand("xor", section, SCHEMA, PROJECT)) == ["hidden=3"]
    # One that only says by what to choose has those for all.
    metric = merge(both, {"models": {"xor": {"scan": {"metric": "convergence_rate"}}}})
    section = resolve(merge(DEFAULTS, metric), SCHEMA, PROJECT)["xor"]
    assert section["scan"] == {
        "grid": {RATE: [0.1, 0.2]}, "points": [], "metric": "convergence_rate", "ship": "best",
    }  # fmt: skip
    # A model's empty one is none.
    section = resolve(merge(DEFAULTS, merge(both, {"models": {"xor": {"scan": {}}}})), SCHEMA, PROJECT)["xor"]
    assert expand("xor", section, SCHEMA, PROJECT) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("class Network:\n    def __init__(self, hidden=2, *, depth=1):\n        pass\n",
         r"hiden: Network\(\) in models/xor.py has no such argument \(did you mean hidden\?\); its arguments: depth, hidden"),
        ("class Network:\n    def __init__(self):\n        pass\n", r"has no such argument; its arguments: none"),
        ("class Network(Base):\n    pass\n", None),
        ("class Network:\n    def __init__(self, **others):\n        pass\n", None),
        ("class Network\n", None),
    ],
)  # fmt: skip
def test_an_argument_that_a_network_does_not_have_is_found_before_it_runs(text, message):
    (expanded.project / "models" / "xor.py").write_text(text)
    own, point = {"file": "xor", "arguments": {"hiden": 3}}, {"grid": {"network/arguments/hiden": [3]}}
    for place, scan, network in (
        ("models/xor/network/arguments/", {}, own),
        ("the scan of xor: network/arguments/", point, {"file": "xor", "arguments": {}}),
    ):
        config = merge(DEFAULTS, {"models": {"xor": {"scan": scan}}})
        config["models"]["xor"]["network"] = network
        if message is None:
            expand("xor", resolve(config, SCHEMA, expanded.project)["xor"], SCHEMA, expanded.project)
        else:
            with pytest.raises(ConfigError, match=place + ".*" + message if "none" in message else place + message):
                expand("xor", resolve(config, SCHEMA, expanded.project)["xor"], SCHEMA, expanded.project)


def test_arguments_of_a_network_are_what_a_report_can_hold():
    changes = {"models": {"xor": {"network": {"arguments": {"hidden": float("nan")}}}}}
    with pytest.raises(ConfigError, match=r"models/xor/network/arguments is \{'hidden': nan\}: must be what JSON"):
        resolve(merge(DEFAULTS, changes), SCHEMA, PROJECT)


def training(point, loss, accuracy=1.0, converged=5):
    rate = {
        "criterion": "accuracy >= 1",
        "replicas": 10,
        "converged": converged,
        "rate": converged / 10,
        "interval": [0.1, 0.9],
    }
    shipped = None
    if loss is not None:
        names = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
        shipped = dict(zip(names, (loss, accuracy, loss, accuracy), strict=True))
    knobs = {
        "network": {"file": "xor", "arguments": {"hidden": point.get(HIDDEN, 2)}},
        "train": {"learning_rate": point.get(RATE, 0.02), "loss": "binary_cross_entropy"},
        "seed": 1,
    }
    diverged = 10 if loss is None else 0
    return {
        "point": point,
        "section": knobs,
        "device": {"type": "cpu"},
        "datasheet_sha256": None,
        "network_sha256": digest(PROJECT / "models" / "xor.py"),
        "shipped": shipped,
        "convergence": rate,
        "diverged": diverged,
    }


TRAININGS = [
    training({RATE: 0.01}, 0.3, accuracy=0.5, converged=9),
    training({RATE: 0.1}, 0.1, accuracy=0.75, converged=2),
    training({RATE: 9.0}, None),
    training({HIDDEN: 3}, 0.1, accuracy=1.0, converged=3),
]
ONE_LOSS = {"binary_cross_entropy"}


@pytest.mark.parametrize(
    ("metric", "expected"),
    [("validation_loss", [1, 3, 0]), ("validation_accuracy", [3, 1, 0]), ("convergence_rate", [0, 3, 1])],
)
def test_the_best_is_the_best_by_the_metric(metric, expected):
    assert order([outcome(report) for report in TRAININGS], metric, ONE_LOSS) == expected


def test_a_loss_of_zero_is_the_best():
    assert order([outcome(training({}, loss)) for loss in (0.3, 0.0, 0.1)], "validation_loss", ONE_LOSS) == [1, 2, 0]


def test_losses_of_two_kinds_don_t_decide_between_equals():
    outcomes = [outcome(training({}, loss, accuracy=1.0)) for loss in (0.3, 0.1)]
    assert order(outcomes, "validation_accuracy", ONE_LOSS) == [1, 0]
    assert order(outcomes, "validation_accuracy", {"binary_cross_entropy", "mean_squared_error"}) == [0, 1]


def test_a_scan_of_which_all_diverged_stops():
    with pytest.raises(TrainingError, match="all 2 points of the scan have diverged: lower train/learning_rate"):
        order([outcome(training({}, None))] * 2, "validation_loss", ONE_LOSS)


def files_of(folder, reports):
    """Write what trainings leave; return the path of each report by the candidate's name."""
    files = {}
    for report in reports:
        name = "+".join(f"{knob.rpartition('/')[2]}={value}" for knob, value in report["point"].items()) or "only"
        files[name] = folder / name / "training.json"
        files[name].parent.mkdir()
        tensors = {"w": np.full(2, len(files), np.float32)}
        files[name].with_name("weights.safetensors").write_bytes(save(tensors))
        for kind in ("history", "replicas"):
            files[name].with_name(f"{kind}.csv").write_text(f"{kind} of {name}")
        checksums = {kind: sha256(files[name].with_name(OUTPUTS[kind])) for kind in ("weights", "history", "replicas")}
        write_json(files[name], {**report, "files": checksums})
    return files


OUTPUTS = {
    "table": "candidates.csv", "shipped": "model.json", "network": "network.py", "weights": "weights.safetensors",
    "training": "training.json", "history": "history.csv", "replicas": "replicas.csv",
}  # fmt: skip
XOR = PROJECT / "models" / "xor.py"


@pytest.fixture
def outputs(tmp_path):
    return {kind: tmp_path / "out" / name for kind, name in OUTPUTS.items()}


def select(files, outputs, metric="validation_loss", datasheet=None, **others):
    points = {name: name for name in files}
    select_model(files, [XOR], datasheet, outputs, points=points, run="xor", metric=metric, **others)
    return read_model(outputs["shipped"])


def with_ends(report):
    """A training whose section says the tensors, as each does."""
    tensors = {"inputs": {"x": Tensor(("batch", 2))}, "outputs": {"y": Tensor(("batch", 1))}}
    return {**report, "section": {**report["section"], **in_order(tensors)}}


def test_the_best_candidate_is_what_ships(tmp_path, outputs, caplog):
    files = files_of(tmp_path, map(with_ends, TRAININGS))
    model = select(files, outputs)
    best = files["learning_rate=0.1"]
    for kind in ("weights", "training", "history", "replicas"):
        assert outputs[kind].read_bytes() == best.with_name(OUTPUTS[kind]).read_bytes()
    assert outputs["network"].read_bytes() == XOR.read_bytes()
    assert (model.run, model.candidate, model.tensors) == (
        "xor",
        "learning_rate=0.1",
        {"w": {"dtype": "F32", "shape": [2]}},
    )
    assert model.files == {OUTPUTS[kind]: sha256(outputs[kind]) for kind in ("network", "weights")}
    assert model.section["train"]["learning_rate"] == 0.1
    assert model.selection == {
        "candidates": 4, "diverged": 1, "best_is": "smallest", "metric": "validation_loss", "value": 0.1, "point": {RATE: 0.1},
    }  # fmt: skip
    rows = list(csv.DictReader(outputs["table"].read_text().splitlines()))
    assert [row["rank"] for row in rows] == ["3", "1", "", "2"]
    # What a point leaves alone has the run's own value.
    assert [row[RATE] for row in rows] == ["0.01", "0.1", "9.0", "0.02"]
    assert [row[HIDDEN] for row in rows] == ["2", "2", "2", "3"]
    assert rows[2]["validation_loss"] == ""
    plots = [tmp_path / "a.svg", tmp_path / "a.png"]
    plot_scan(outputs["table"], model, *plots, style=DEFAULTS["plots"])
    assert "best of 4 points (1 diverged): learning_rate=0.1, validation loss 0.1" in plots[0].read_text()
    assert ">diverged<" in plots[0].read_text()
    assert not caplog.messages


def test_the_point_that_is_named_ships_although_another_is_better(tmp_path, outputs, caplog):
    files = files_of(tmp_path, map(with_ends, TRAININGS))
    model = select(files, outputs, ship="learning_rate=0.01")
    assert model.candidate == "learning_rate=0.01"
    assert outputs["weights"].read_bytes() == files["learning_rate=0.01"].with_name(OUTPUTS["weights"]).read_bytes()
    assert model.selection["point"] == {RATE: 0.01}
    assert (model.selection["value"], model.selection["best"], model.selection["rank"]) == (0.3, "learning_rate=0.1", 3)
    assert "learning_rate=0.01 ships although learning_rate=0.1 is better" in caplog.text
    said = summary.shipped(model)[1]
    assert "scan/ship names, although learning_rate=0.1 is better" in said
    assert "validation loss, 0.3, it is number 3 of 4 points" in said
    schema = yaml.safe_load((PROJECT / "schemas" / "model.schema.yaml").read_text())
    jsonschema.validate(read_json(outputs["shipped"]), schema)
    plots = [tmp_path / "a.svg", tmp_path / "a.png"]
    plot_scan(outputs["table"], model, *plots, style=DEFAULTS["plots"])
    assert "number 3 of 4 points (1 diverged): learning_rate=0.01" in plots[0].read_text()
    # Where it is the best anyway, nothing is said of that.
    before = select(files, outputs)
    assert select(files, outputs, ship="learning_rate=0.1") == before
    with pytest.raises(TrainingError, match=r"scan/ship is learning_rate=9.0, which has diverged: name another point"):
        select(files, outputs, ship="learning_rate=9.0")


def test_a_best_of_which_no_start_converged_is_told(tmp_path, outputs, caplog):
    select(files_of(tmp_path, [with_ends(training({}, 0.1, converged=0))]), outputs)
    assert "none of its replicas converged (accuracy >= 1)" in caplog.text


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda at: at["replicas"].write_text("others"), r"only/replicas.csv: the replicas is changed since only was trained"),
        (lambda at: at["weights"].unlink(), r"only/weights.safetensors: the weights is gone since only was trained"),
        (lambda at: at["sheet"].write_text("other data"), r"sheet: the datasheet is changed since only was trained"),
    ],
)  # fmt: skip
def test_what_was_trained_on_or_written_and_is_another_now_stops_the_selection(tmp_path, outputs, break_it, message):
    (tmp_path / "sheet").write_text("data")
    report = {**with_ends(training({}, 0.1)), "datasheet_sha256": sha256(tmp_path / "sheet")}
    at = files_of(tmp_path, [report])["only"]
    select({"only": at}, outputs, datasheet=tmp_path / "sheet")
    before = {path: path.read_bytes() for path in outputs.values()}
    break_it({**{kind: at.with_name(name) for kind, name in OUTPUTS.items()}, "sheet": tmp_path / "sheet"})
    with pytest.raises(
        DataError, match=message + r": sha256 .*, \S+only/training.json has .*; delete that file and run"
    ):
        select({"only": at}, outputs, datasheet=tmp_path / "sheet")
    assert {path: path.read_bytes() for path in outputs.values()} == before


def test_a_network_that_was_edited_since_is_not_what_ships(tmp_path, outputs):
    report = {**with_ends(training({}, 0.1)), "network_sha256": "0" * 64}
    with pytest.raises(DataError, match=r"models/xor.py: the network is changed since only was trained: sha256 "):
        select(files_of(tmp_path, [report]), outputs)


def test_another_model_takes_away_what_was_said_of_the_last(tmp_path, outputs):
    files = files_of(tmp_path, [with_ends(training({}, 0.1))])
    page, own, others = tmp_path / "gate.html", tmp_path / "verified.json", tmp_path / "others" / "verified.json"
    page.write_text("passed")
    write_json(own, {"runs": ["xor", "mine"]})
    write_json(others, {"runs": ["mine"]})
    select(files, outputs, claims=[page, own, others])
    assert [path.exists() for path in (page, own, others)] == [False, False, True]


def test_what_made_the_model_is_not_taken_from_the_configuration():
    model = Model("xor", {"seed": 4, "train": {"loss": "l"}, "evaluate": {"threshold": 0.5}}, {})
    knobs = {"seed": 1, "train": {"loss": "m", "batch_size": 3}, "evaluate": {"surface": None}, "axes": {}}
    assert model.with_knobs(knobs) == {
        "seed": 4, "train": {"loss": "l", "batch_size": 3}, "evaluate": {"threshold": 0.5, "surface": None}, "axes": {},
    }  # fmt: skip
    assert knobs["seed"] == 1


def test_model_json_is_as_its_schema_says_and_keeps_the_order_of_tensors(tmp_path, outputs):
    schema = yaml.safe_load((PROJECT / "schemas" / "model.schema.yaml").read_text())
    report = with_ends(training({RATE: 0.1}, 0.1))
    report["section"] |= in_order({"inputs": {"z": Tensor(("batch", 2)), "a": Tensor(("batch", 1))}})
    model = select(files_of(tmp_path, [report]), outputs)
    assert list(model.section["inputs"]) == ["z", "a"]
    jsonschema.validate(read_json(outputs["shipped"]), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**read_json(outputs["shipped"]), "more": 1}, schema)
