"""docs/knobs.md lists every knob, and is in step with the schema and config.yaml."""

import copy

import knobs
import pytest
from support import SCHEMA, document


def places(mapping, at=""):
    """Yield the place of each value of a configuration."""
    for key, value in mapping.items():
        if isinstance(value, dict) and value:
            yield from places(value, f"{at}{key}/")
        else:
            yield f"{at}{key}"


def rows(schema=SCHEMA):
    return {knob.place: knob for knob in knobs.Knobs(schema, document("config.yaml"))}


def test_the_page_is_in_step():
    assert knobs.PAGE.read_text() == knobs.page(), "run `make knobs`"


def test_every_knob_of_the_configuration_has_a_row_with_its_default():
    defaults = {name: section for name, section in document("config.yaml").items() if name != "models"}
    found = rows()
    # Of a mapping that is empty by default there are rows for what it may hold.
    missing = [place for place in places(defaults) if not any(f"{row}/".startswith(f"{place}/") for row in found)]
    assert missing == []
    assert found["train/epochs"].default == "`500`"
    assert [knob.place for knob in found.values() if not knob.meaning] == []


def test_a_row_says_what_a_knob_may_be():
    found = rows()
    assert found["train/optimizer"].allowed == "`Adam`, `AdamW`, `SGD`"
    assert (found["train/confidence"].kind, found["train/confidence"].allowed) == ("number", "> 0; < 1")
    assert found["validate/threads"].kind == "list of integer"
    assert found["models/<run>/network/file"].default == "required"
    assert found["train/loss/<output>/weight"].default == "`1`"


@pytest.mark.parametrize("kind", ["a new knob", "another bound", "another description"])
def test_a_change_of_the_schema_changes_the_page(kind):
    schema = copy.deepcopy(SCHEMA)
    train = schema["$defs"]["train"]["properties"]
    if kind == "a new knob":
        train["clip"] = {"description": "Largest norm of the gradient.", "type": "number"}
    elif kind == "another bound":
        train["epochs"]["minimum"] = 2
    else:
        train["epochs"]["description"] = "Rounds."
    assert rows(schema) != rows()
