"""The sizes of dynamic axes: ranges, multiples, what is traced, what is tried."""

import re

import pytest
from support import PROJECT, SCHEMA
from torchship.config.resolve import resolve
from torchship.core.errors import ConfigError
from torchship.spec.axes import (
    AxisRange,
    largest_sizes,
    read_axes,
    shape_matrix,
    single_events,
    traced_sizes,
    usual_sizes,
)
from torchship.spec.tensor import Tensor, documents

PARTICLES = {
    "particles": Tensor(("batch", "particles", 4), low=0.0, high=1.0),
    "present": Tensor(("batch", "particles"), values=(0.0, 1.0)),
}
TRIED = {"batch_sizes": [1, 2, 7, 64], "axis_sizes": [1, 2, 7, 64], "never_empty": []}
EVENTS = {"x": Tensor(("batch", 2))}


def sizes_of(axis, **axes):
    matrix = shape_matrix(PARTICLES, TRIED, 16, read_axes({"axes": axes}))
    return sorted({sizes[axis] for sizes in matrix}), matrix


@pytest.mark.parametrize(
    ("entry", "sizes"),
    [
        ({}, [0, 1, 2, 5, 7, 64]),
        ({"least": 1}, [1, 2, 5, 7, 64]),
        # k nearest neighbours with k = 7: 11 is the first prime of the second axis that is large enough.
        ({"least": 8}, [8, 11, 64]),
        ({"least": 8, "most": 128, "traced": 32}, [8, 32, 64, 128]),
        ({"multiple": 4}, [0, 4, 8, 20, 64]),
        ({"least": 5, "most": 30, "multiple": 4}, [8, 20, 28]),
        ({"most": 4}, [0, 1, 2, 4]),
        ({"most": 3}, [0, 1, 2, 3]),
    ],
)
def test_an_axis_is_tried_within_its_range_and_at_its_ends(entry, sizes):
    tried, matrix = sizes_of("particles", particles=entry)
    assert tried == sizes
    assert {shape["batch"] for shape in matrix} >= {0, 1, 2, 3, 7, 17, 64}


def test_a_batch_may_have_a_range_too():
    tried, _ = sizes_of("batch", batch={"least": 2, "most": 32, "multiple": 2})
    assert tried == [2, 6, 8, 18, 32]
    assert not single_events({"batch": AxisRange(least=2)})
    assert not single_events({"batch": AxisRange(multiple=4)})
    assert single_events({"batch": AxisRange(most=8), "particles": AxisRange(least=8)})


def test_never_empty_and_a_range_agree():
    with_range = shape_matrix(PARTICLES, TRIED, 16, read_axes({"axes": {"particles": {"least": 1}}}))
    assert with_range == shape_matrix(PARTICLES, {**TRIED, "never_empty": ["particles"]}, 16)
    assert all(sizes["particles"] for sizes in with_range)


def test_each_axis_is_traced_at_a_size_of_its_own():
    names = [f"axis{place}" for place in range(12)]
    many = {"x": Tensor(("batch", *names))}
    assert len(set(traced_sizes(many).values())) == 13
    assert traced_sizes(EVENTS) == {"batch": 3}
    assert traced_sizes(PARTICLES) == {"batch": 3, "particles": 5}
    assert traced_sizes(PARTICLES, read_axes({"axes": {"particles": {"traced": 3}}})) == {"batch": 5, "particles": 3}
    assert traced_sizes(PARTICLES, read_axes({"axes": {"particles": {"most": 3}}})) == {"batch": 3, "particles": 2}


def test_the_usual_and_the_largest_sizes_keep_to_the_ranges():
    axes = read_axes({"axes": {"particles": {"least": 8, "multiple": 8}, "batch": {"most": 32}}})
    assert usual_sizes(PARTICLES) == {"batch": 5, "particles": 5}
    # Eight times the second prime.
    assert usual_sizes(PARTICLES, axes, 64) == {"batch": 32, "particles": 40}
    assert usual_sizes(PARTICLES, read_axes({"axes": {"particles": {"least": 8, "traced": 32}}}))["particles"] == 32
    assert usual_sizes(PARTICLES, read_axes({"axes": {"particles": {"multiple": 4}}}))["particles"] == 8
    assert largest_sizes(PARTICLES, TRIED, axes) == {"batch": 32, "particles": 64}


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"particels": {"least": 8}}, r"models/xor/axes: unknown dynamic axis of an input 'particels' (did you mean particles?)"),
        ({"particles": {"least": 8, "most": 8}}, "models/xor/axes/particles: from least 8 to most 8 there are not two sizes: an axis of one size is not dynamic"),
        ({"particles": {"least": 9, "most": 15, "multiple": 8}}, "there are not two sizes that are multiples of 8"),
        ({"particles": {"least": 8, "most": 128, "traced": 5}}, "models/xor/axes/particles/traced is 5: it must be one of the sizes from 8 to 128"),
        ({"particles": {"multiple": 8, "traced": 12}}, "traced is 12: it must be one of the sizes from 2 to any size that are multiples of 8"),
        ({"particles": {"traced": 1}}, "traced is 1: it must be one of the sizes from 2 to any size"),
        ({"particles": {"minimum": 8}}, "unknown key models/xor/axes/particles/minimum; allowed here: least, most, multiple, traced"),
        ({"particles": {"least": -1}}, "models/xor/axes/particles/least is -1: must be an integer >= 0 and <= 1000000"),
    ],
)  # fmt: skip
def test_a_range_that_makes_no_sense_is_found_while_planning(config, axes, message):
    entry = {**config["models"]["xor"], "inputs": documents(PARTICLES), "axes": axes, "evaluate": {"surface": None}}
    config["models"] = {"xor": entry}
    with pytest.raises(ConfigError, match=re.escape(message)):
        resolve(config, SCHEMA, PROJECT)
