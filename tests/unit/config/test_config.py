"""A wrong configuration stops before any job, with one line that names the key and what is allowed."""

import copy
from pathlib import Path

import pytest
from support import DEFAULTS, PROJECT, SCHEMA
from torchship.config.checks import require_chosen
from torchship.config.resolve import merge, resolve
from torchship.core.chain import record
from torchship.core.errors import ConfigError
from torchship.scan.points import expand


def resolved(changes):
    return resolve(merge(copy.deepcopy(DEFAULTS), changes), SCHEMA, PROJECT)


def test_defaults_resolve_to_complete_runs():
    runs = resolved({})
    assert list(runs) == ["xor"]
    assert runs["xor"]["train"]["epochs"] == 500
    assert runs["xor"]["data"] == {**DEFAULTS["data"], "source": "xor"}
    # A network of one's own, which may be large, is not timed with large batches unless one asks for it.
    assert max(DEFAULTS["benchmark"]["batch_sizes"]) == 1000
    assert runs["xor"]["benchmark"] == {**DEFAULTS["benchmark"], "batch_sizes": [10**power for power in range(6)]}


def test_a_model_that_nobody_asked_to_run_is_named():
    with pytest.raises(ConfigError, match=r"models/mine is not among runs \[xor\], .*, as `runs: \[mine, other\]`$"):
        require_chosen({"models": {"mine": {}, "xor": {}, "other": {}}}, ["xor"])
    for given in ({}, {"models": {"xor": {}}}, {"runs": ["xor"], "models": {"mine": {}}}, {"models": "text"}):
        require_chosen(given, ["xor"])


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
        *[
            ({"models": {"xor": {"inputs": {"x": {"shape": [axis, 2]}}}}},
             rf"inputs/x/shape/0 is {axis!r}: must be a number >= 1, or a word of lower-case letters, digits and _, such as batch$")
            for axis in ("N", -1, None, "Batch", 0)
        ],
        ({"models": {"MyNet": {}}}, r"models is 'MyNet': must be a word of lower-case letters, digits and _, a letter first"),
        ({"models": {"xor": {"network": {"file": "xor.py"}}}}, r"models/xor/network/file is 'xor.py': leave out .py \(models/<file>.py, "),
        ({"models": {"xor": {"network": {"file": "Xor.py"}}}}, r"file is 'Xor.py': must be a word of lower-case letters"),
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


NETWORK = """
from typing import Optional
import typing as t

class Network:
    def __init__(self, width: int = 8, rate: "float" = 0.1, softmax: bool = False, mode: str = "fast", depth: Optional[int] = None,
                 names: list[str] | None = None, sizes: t.Sequence[int] = (1,), *, any=None, other: dict = None, flag=False, late: float = None, plain="a", number=2,
                 words: "str" = "a", count: "how many, as a text" = "a"):
        pass
"""


def arguments(tmp_path, **given):
    """Return the arguments of a network as they are after the configuration was checked."""
    (tmp_path / "models").mkdir(exist_ok=True)
    (tmp_path / "models" / "xor.py").write_text(NETWORK)
    if not (tmp_path / "envs").exists():
        (tmp_path / "envs").symlink_to(PROJECT / "envs")
    changed = copy.deepcopy(DEFAULTS)
    changed["models"]["xor"]["network"]["arguments"] = given
    return resolve(changed, SCHEMA, tmp_path)["xor"]["network"]["arguments"]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        # What is annotated is read as YAML, and stays text where that is wanted.
        *[("softmax", word, False) for word in ("false", "False", "no", "off")],
        *[("width", "16", 16), ("rate", "1e-3", 0.001), ("rate", "3", 3), ("mode", "16", "16"), ("mode", "false", "false")],
        *[("depth", "null", None), ("depth", "4", 4), ("names", ["1", "b"], ["1", "b"]), ("names", "null", None)],
        *[("sizes", ["64", "32"], [64, 32]), ("late", "null", None), ("late", "2", 2)],
        # An annotation in quotation marks says the same.
        *[("rate", "1e-3", 0.001), ("words", "5", "5"), ("count", "no", "no")],
        # By default it is a truth value, a text, a number.
        *[("flag", "no", False), ("plain", "2", "2"), ("number", "2.5", 2.5), ("number", "abc", "abc")],
        # Nothing says what it is: what JSON spells.
        *[("any", "false", False), ("any", "4", 4), ("any", "no", "no"), ("any", ["1", "x"], [1, "x"]), ("any", "1:30", "1:30")],
        # What is no text stays.
        *[("softmax", True, True), ("any", 4, 4), ("other", {"a": "1"}, {"a": 1})],
    ],
)  # fmt: skip
def test_an_argument_from_the_command_line_is_what_the_network_wants(tmp_path, name, text, value):
    """Snakemake hands on nested values as text, and the text "false" is true."""
    found = arguments(tmp_path, **{name: text})[name]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("width", "wide", r"width is 'wide', of type str: Network\(\) in models/xor.py, line 6, wants int$"),
        ("width", 2.5, r"width is 2.5, of type float: .* wants int$"),
        ("width", True, r"width is True, of type bool: .* wants int$"),
        ("width", None, r"width is None, of type NoneType: .* wants int$"),
        ("softmax", 1, r"softmax is 1, of type int: .* wants bool$"),
        ("softmax", "maybe", r"softmax is 'maybe', of type str: .* wants bool$"),
        ("mode", 4, r"mode is 4, of type int: .* wants str$"),
        ("depth", "deep", r"depth is 'deep', of type str: .* wants int or null$"),
        ("names", ["a", 1], r"names is \['a', 1\], of type list: .*, line 7, wants a list of str or null$"),
        ("sizes", 3, r"sizes is 3, of type int: .* wants a list of int$"),
        ("rate", "fast", r"rate is 'fast', of type str: .* wants float$"),
        ("late", [1], r"late is \[1\], of type list: .* wants float or null$"),
    ],
)  # fmt: skip
def test_an_argument_of_another_type_than_annotated_is_named(tmp_path, name, value, message):
    with pytest.raises(ConfigError, match=r"^models/xor/network/arguments/" + message):
        arguments(tmp_path, **{name: value})


def test_a_scan_s_arguments_are_what_the_network_wants(tmp_path):
    arguments(tmp_path)
    changed = copy.deepcopy(DEFAULTS)
    changed["models"]["xor"]["network"]["arguments"] = {}
    grid = {"network/arguments/softmax": ["no", "yes"], "network/arguments/mode": ["1"]}
    section = resolve(merge(changed, {"models": {"xor": {"scan": {"grid": grid}}}}), SCHEMA, tmp_path)["xor"]
    points = expand("xor", section, SCHEMA, tmp_path)
    assert [one["network"]["arguments"] for one in points.values()] == [
        {"mode": "1", "softmax": False},
        {"mode": "1", "softmax": True},
    ]
    section["scan"]["grid"] = {"network/arguments/width": [8, 16, "x"]}
    with pytest.raises(
        ConfigError, match=r"the scan of xor: network/arguments/width is 'x', of type str: .* wants int"
    ):
        expand("xor", section, SCHEMA, tmp_path)


def test_text_is_read_where_the_schema_has_several_types():
    """Of the command line all of a shape is text."""
    tensor = {"shape": ["batch", "2"], "low": "0", "high": ["1", "2"]}
    found = resolved({"models": {"xor": {"inputs": {"x": tensor}}}})["xor"]["inputs"]["x"]
    assert (found["shape"], found["low"], found["high"]) == (["batch", 2], 0, [1, 2])


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


@pytest.mark.parametrize(
    ("key", "name"),
    [("onnx/file", "m.onnx"), ("onnx/reference", "r.npz"), ("data/path", "d.npz"), ("network/weights", "w.pt")],
)
def test_a_file_of_a_user_among_the_results_is_to_be_moved_not_deleted(tmp_path, monkeypatch, key, name):
    monkeypatch.chdir(tmp_path)
    given = Path("results") / name
    given.parent.mkdir()
    for path in (Path("m.onnx"), given):
        path.touch()
    section, last = key.split("/")
    about = {"onnx": {"onnx": {"file": "m.onnx"}}, "data": {"data": {"source": "file"}}, "network": {}}[section]
    entry = merge(
        about if section == "onnx" else merge(DEFAULTS["models"]["xor"], about), {section: {last: str(given)}}
    )
    message = rf"models/mine/{key} is 'results/{name}': .*; move it out of results/$"
    with pytest.raises(ConfigError, match=message):
        resolved({"runs": ["mine"], "models": {"mine": entry}})
    # What the workflow has made may be taken up again.
    record([given])
    resolved({"runs": ["mine"], "models": {"mine": entry}})


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
