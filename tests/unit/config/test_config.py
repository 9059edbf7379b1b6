"""A wrong configuration stops before any job, with one line that names the key and what is allowed."""

import copy

import pytest
from support import DEFAULTS, PROJECT, SCHEMA
from torchship.config.resolve import merge, resolve
from torchship.core.errors import ConfigError


def resolved(changes):
    return resolve(merge(copy.deepcopy(DEFAULTS), changes), SCHEMA, PROJECT)


def test_defaults_resolve_to_complete_runs():
    runs = resolved({})
    assert list(runs) == ["xor"]
    assert runs["xor"]["train"]["epochs"] == 500
    assert runs["xor"]["data"] == {**DEFAULTS["data"], "source": "xor"}


def test_a_model_overrides_single_knobs():
    section = resolved({"models": {"xor": {"train": {"epochs": 7, "weights": {"std": 2.0}}}}})["xor"]["train"]
    assert section["epochs"] == 7
    assert section["weights"] == {"distribution": "normal", "mean": 0.0, "std": 2.0}
    assert section["replicas"] == DEFAULTS["train"]["replicas"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train": {"epcohs": 5}}, r"unknown key train/epcohs \(did you mean epochs\?\); allowed here: batch_size, .*weights$"),
        ({"train": {"epochs": -5}}, r"train/epochs is -5: must be an integer >= 1"),
        ({"train": {"epochs": "many"}}, r"train/epochs is 'many': must be of type integer"),
        ({"train": {"epochs": 500.0}}, r"train/epochs is 500.0: must be of type integer"),
        ({"train": {"shuffle": 1}}, r"train/shuffle is 1: must be of type boolean"),
        ({"device": "gpu"}, r"device is 'gpu': must be one of auto, cpu, cuda"),
        ({"runs": ["xro"]}, r"runs: unknown model 'xro' \(did you mean xor\?\); known: xor"),
        ({"runs": []}, r"runs is \[\]: must hold at least 1"),
        ({"export": {"targets": ["cmssw_14_3"]}}, r"unknown target 'cmssw_14_3' \(did you mean cmssw_14_2\?\); known: .*latest"),
        ({"models": {"xor": {"network": {"file": "xxor"}}}}, r"models/xor/network/file: unknown network 'xxor' .*known: xor"),
        ({"models": {"xor": {"train": {"epochs": 0}}}}, r"models/xor/train/epochs is 0: must be an integer >= 1"),
        ({"models": {"xor": {"inputs": {"x": {"low": 2.0}}}}}, r"models/xor/inputs/x: low 2.0 must be below high 1.0"),
        ({"models": {"xor": {"inputs": {"x": {"shape": [4, 2]}}}}}, r"the first axis of what is trained on must be batch"),
        ({"models": {"xor": {"inputs": {"x": {"features": ["a"]}}}}}, r"features names 1, but the last axis .* has 2"),
        ({"models": {"xor": {"data": {"source": "file"}}}}, r"models/xor/data/path is null"),
        ({"data": {"fractions": {"train": 0.9}}}, r"fractions sum to 1.3"),
        ({"plots": {"colors": ["red"] * 4}}, r"plots/colors/0 is 'red': must match the pattern"),
        ({"evaluate": {"threshold": float("nan")}}, r"evaluate/threshold is nan: must be of type number, finite"),
        ({"models": {"xor": {"evaluate": {"surface": {"low": 2.0}}}}}, r"surface: low 2.0 must be below high 1.5"),
        ({"models": {"xor": {"outputs": {"x": {"shape": ["batch", 1]}}}}}, r"'x' is the name of an input and of an output"),
        ({"archive": {"name": "a\n"}}, r"archive/name is 'a\\n': must match"),
        ({"validate": {"tolerance": 2.0}}, r"validate/tolerance is 2.0: .* say why in validate/reason"),
    ],
)  # fmt: skip
def test_wrong_values_are_named(changes, message):
    with pytest.raises(ConfigError, match=message) as caught:
        resolved(changes)
    assert "\n" not in str(caught.value)


def test_text_from_the_command_line_becomes_what_the_schema_wants():
    text = {
        "train": {"epochs": "7", "learning_rate": "1e-1", "shuffle": "false"},
        "extract": {"required_accuracy": "null"},
    }
    section = resolved(text | {"models": {"xor": {"inputs": {"x": {"unit": "2"}}}}})["xor"]
    knobs = section["train"]
    assert (knobs["epochs"], knobs["learning_rate"], knobs["shuffle"]) == (7, 0.1, False)
    assert section["inputs"]["x"]["unit"] == "2"


def test_a_missing_default_is_named(config):
    del config["train"]["epochs"]
    with pytest.raises(ConfigError, match=r"missing key models/xor/train/epochs"):
        resolve(config, SCHEMA, PROJECT)


def test_every_key_is_described():
    def undescribed(schema, path):
        for key, entry in schema.get("properties", {}).items():
            target = SCHEMA["$defs"][entry["$ref"].rpartition("/")[2]] if "$ref" in entry else entry
            if not ("description" in entry or "properties" in target):
                yield f"{path}/{key}"
            yield from undescribed(entry, f"{path}/{key}")

    sections = [("", SCHEMA), *((name, SCHEMA["$defs"][name]) for name in SCHEMA["$defs"] if name != "run")]
    assert [key for name, schema in sections for key in undescribed(schema, name)] == []


ONNX = {"inputs": {"x": {"shape": ["hits", 3], "low": 0.0, "high": 1.0}}, "outputs": {"y": {"shape": ["hits"]}}}


def test_a_run_takes_a_file_from_elsewhere(tmp_path):
    (tmp_path / "mine.onnx").touch()
    entry = {**ONNX, "onnx": {"file": str(tmp_path / "mine.onnx")}}
    assert "network" not in resolved({"runs": ["mine"], "models": {"mine": entry}})["mine"]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({}, r"models/mine must have either `network`, to train it, or `onnx`"),
        ({"network": {"file": "xor"}, "onnx": {"file": "m.onnx"}}, r"models/mine must have either"),
        ({"onnx": {"file": "m.onnx"}}, r"models/mine/onnx/file is 'm.onnx': there is no such file, seen from"),
        ({"onnx": {"file": "m.pt"}}, r"models/mine/onnx/file is 'm.pt': must end in .onnx"),
        ({"onnx": {"file": __file__.replace(".py", ".onnx"), "refrence": "x"}}, r"unknown key models/mine/onnx/refrence .did you mean reference"),
        ({"onnx": {"file": "m.onnx"}, "train": {"epochs": 3}}, r"models/mine/train: an ONNX file from elsewhere is validated and timed"),
    ],
)  # fmt: skip
def test_a_file_from_elsewhere_that_does_not_fit_is_named(entry, message):
    with pytest.raises(ConfigError, match=message):
        resolved({"runs": ["mine"], "models": {"mine": {**ONNX, **entry}}})


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        ({"shape": ["batch", 2]}, r"inputs/x must say where its values lie: low and high, or values, or indexes; it has \[\]"),
        ({"shape": ["batch", 2], "low": 0.0, "high": 1.0, "values": [0.0]}, r"it has \['low', 'values'\]"),
        ({"shape": ["batch", 2], "indexes": "hits"}, r"inputs/x/indexes is 'hits': it must be a dynamic axis of an input \(batch\)"),
        ({"shape": ["batch", 2], "dtype": "int64", "low": 0.5, "high": 3}, r"inputs/x is of dtype int64, but its domain holds"),
    ],
)  # fmt: skip
def test_a_domain_that_makes_no_sense_is_named(tensor, message):
    changes = copy.deepcopy(DEFAULTS)
    changes["models"]["xor"]["inputs"]["x"] = tensor
    with pytest.raises(ConfigError, match=message):
        resolve(changes, SCHEMA, PROJECT)


def test_data_from_a_file_must_be_there():
    data = {"source": "file", "path": "nowhere.npz"}
    with pytest.raises(ConfigError, match=r"models/xor/data/path is 'nowhere.npz': there is no such file"):
        resolved({"models": {"xor": {"data": data}}})
    with pytest.raises(ConfigError, match=r"models/xor/data/path is 'x.csv': must match the pattern"):
        resolved({"models": {"xor": {"data": {**data, "path": "x.csv"}}}})


def test_a_network_says_all_of_its_tensors(config):
    xor = config["models"]["xor"]
    shape = xor["inputs"]["x"].pop("shape")
    with pytest.raises(ConfigError, match=r"missing key models/xor/inputs/x/shape"):
        resolve(config, SCHEMA, PROJECT)
    xor["inputs"]["x"]["shape"], xor["outputs"] = shape, {}
    with pytest.raises(ConfigError, match=r"models/xor/outputs is {}: must hold at least 1"):
        resolve(config, SCHEMA, PROJECT)
    del xor["outputs"]
    with pytest.raises(ConfigError, match=r"missing key models/xor/outputs"):
        resolve(config, SCHEMA, PROJECT)


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        ({"dtype": "uint8", "low": 0, "high": 300}, r"inputs/in:0 is of dtype uint8, but its domain holds \[0, 300\]"),
        (
            {"dtype": "float16", "low": 0.0, "high": 1e6},
            r"is of dtype float16, but its domain holds \[0.0, 1000000.0\]",
        ),
        ({"dtype": "string", "values": [1]}, r"is of dtype string: its domain must be `values`, each a text"),
        ({"low": 0.0}, r"inputs/in:0 must say where its values lie: .*; it has \['low'\]"),
    ],
)
def test_what_is_said_of_a_files_input_must_make_sense_before_the_file_is_read(tmp_path, tensor, message):
    (tmp_path / "m.onnx").touch()
    entry = {"onnx": {"file": str(tmp_path / "m.onnx")}, "inputs": {"in:0": tensor}}
    with pytest.raises(ConfigError, match=message):
        resolved({"runs": ["mine"], "models": {"mine": entry}})


@pytest.mark.parametrize("name", ['a"b', "a'b", "a\\b", "a\nb", "a\x1fb", ""])
def test_names_have_no_quotes_and_no_control_characters(tmp_path, name):
    (tmp_path / "m.onnx").touch()
    entry = {"onnx": {"file": str(tmp_path / "m.onnx")}, "inputs": {name: {}}}
    with pytest.raises(ConfigError, match=r"models/mine/inputs is .*: must match the pattern"):
        resolved({"runs": ["mine"], "models": {"mine": entry}})


def test_values_from_the_command_line_are_numbers_where_the_type_has_no_text():
    changes = copy.deepcopy(DEFAULTS)
    changes["models"]["xor"]["inputs"]["x"] = {"shape": ["batch", 2], "values": ["0", "1.5"]}
    assert resolve(changes, SCHEMA, PROJECT)["xor"]["inputs"]["x"]["values"] == [0, 1.5]
