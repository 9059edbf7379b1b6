"""What crosses a module's border has a type, and is written as it was read."""

import json
from dataclasses import FrozenInstanceError

import pytest
from support import DEFAULTS, SCHEMA
from torchship.spec.section import by_name, in_order, read_section
from torchship.spec.target import read_target
from torchship.spec.tensor import Padding, Tensor, TensorEntry, read_tensor, read_tensors

FULL = {
    "shape": ["batch", "particles", 2], "dtype": "float16", "features": ["pt", "eta"], "unit": "GeV",
    "low": [[0.0, -2.4]], "high": 5, "padded": {"mask": "present", "value": -1.0, "where": 1, "shown": 2},
}  # fmt: skip


@pytest.mark.parametrize(
    "entry",
    [
        FULL,
        {"shape": []},
        {"shape": ["batch"], "values": [0, 1], "dtype": "bool"},
        {"shape": [2, "edges"], "dtype": "int64", "indexes": "hits"},
        {"shape": ["batch", 2], "low": -2, "high": 2.0, "padded": {"mask": "present"}},
    ],
)
def test_a_tensor_is_written_as_it_was_read(entry):
    read = read_tensor(entry)
    assert json.dumps(read.document(), sort_keys=True) == json.dumps(entry, sort_keys=True)
    assert read_tensor(read.document()) == read
    hash(read)


def test_a_tensor_has_all_that_the_schema_says_of_one_and_cannot_be_changed():
    described = SCHEMA["$defs"]["tensor"]["properties"]
    assert set(TensorEntry.__annotations__) == set(Tensor.__dataclass_fields__) == set(described)
    assert set(Padding.__dataclass_fields__) == set(described["padded"]["properties"])
    defaults = {key: value["default"] for key, value in described["padded"]["properties"].items() if "default" in value}
    assert read_tensor({**FULL, "padded": {"mask": "present"}}).padded == Padding("present", **defaults)
    assert Tensor(()).dtype == described["dtype"]["default"]
    with pytest.raises(FrozenInstanceError):
        read_tensor(FULL).dtype = "float32"


def test_what_is_as_it_is_by_default_is_written_in_one_way():
    assert read_tensor({"shape": ["batch"], "dtype": "float32"}).document() == {"shape": ["batch"]}
    assert Padding("present", value=0.0, where=0).document() == {"mask": "present"}


def test_entries_are_called_by_their_features_or_places():
    assert read_tensor(FULL).label((3, 1)) == "eta"
    assert Tensor(("batch", 2, 2)).label((0, 1)) == "[0, 1]"


def test_a_section_keeps_the_order_of_its_tensors_where_keys_are_sorted():
    section = read_section({"inputs": {"z": {"shape": ["batch"]}, "a": FULL}, "seed": 1})
    written = json.loads(json.dumps(in_order(section), sort_keys=True))
    assert list(by_name(written)["inputs"]) == ["z", "a"]
    assert by_name(written) == section
    assert read_tensors(DEFAULTS["models"]["xor"]["inputs"])["x"].features == ("a", "b")


@pytest.mark.parametrize("name", sorted(DEFAULTS["targets"]))
def test_a_target_is_written_as_it_was_read(name):
    entry = DEFAULTS["targets"][name]
    assert read_target(entry).document() == entry
    assert set(read_target(entry).document()) == set(SCHEMA["$defs"]["target"]["properties"])
