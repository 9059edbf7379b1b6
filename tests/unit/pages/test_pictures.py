"""The pictures of the gate, of networks of every shape: inputs of any rank, masks, integers, graphs, single numbers."""

import re

import numpy as np
import pytest
from support import DEFAULTS
from torchship.core.files import sha256, write_json
from torchship.data.datasets import read_about, read_arrays
from torchship.data.domain import draw, uniform
from torchship.gate.case import Case
from torchship.pages.errors import write_errors
from torchship.spec.tensor import read_tensors

from plot_errors import plot_errors

BOUNDS = {"low": -2.0, "high": 2.0}
JETS = {
    "shape": ["batch", 8, 3],
    "features": ["pt", "eta", "phi"],
    "low": [20.0, -2.4, -3.2],
    "high": [500.0, 2.4, 3.2],
}
PLAIN = {"y": {"shape": ["batch", 1]}}

# Inputs, outputs, and the sizes of their cases.
SHAPES = {
    "xor": ({"x": {"shape": ["batch", 2], "features": ["a", "b"], "low": 0.0, "high": 1.0}}, PLAIN, [{"batch": 0}, {"batch": 400}]),
    "one": ({"x": {"shape": ["batch", 1], **BOUNDS}}, PLAIN, [{"batch": 300}]),
    "jets": ({"jets": JETS}, {"y": {"shape": ["batch", 3]}}, [{"batch": 1}, {"batch": 300}]),
    "masked": (
        {"jets": {**JETS, "padded": {"mask": "present"}}, "present": {"shape": ["batch", 8], "values": [0.0, 1.0]},
         "event": {"shape": ["batch", 5], **BOUNDS}},
        {"y": {"shape": ["batch", 3]}, "mass": {"shape": ["batch"]}},
        [{"batch": 300}],
    ),
    "particles": (
        {"particles": {"shape": ["batch", "particles", 4], **BOUNDS}, "present": {"shape": ["batch", "particles"], "values": [0.0, 1.0]}},
        {"classes": {"shape": ["batch", 3]}, "each": {"shape": ["batch", "particles", 2]}},
        [{"batch": 2, "particles": 0}, {"batch": 3000, "particles": 1}, {"batch": 200, "particles": 9}],
    ),
    "image": ({"image": {"shape": ["batch", 1, 10, 10], **BOUNDS}}, {"y": {"shape": ["batch", 2]}}, [{"batch": 300}]),
    "volume": ({"volume": {"shape": ["batch", 2, 3, 4, 5], **BOUNDS}}, {"y": {"shape": ["batch", 2, 3, 4]}}, [{"batch": 50}]),
    "graph": (
        {"hits": {"shape": ["hits", 3], "features": ["x", "y", "z"], **BOUNDS}, "edges": {"shape": [2, "edges"], "dtype": "int64", "indexes": "hits"},
         "temperature": {"shape": [], **BOUNDS}},
        {"y": {"shape": ["hits", 2]}, "energy": {"shape": []}},
        [{"hits": 1, "edges": 0}, {"hits": 40, "edges": 90}, {"hits": 64, "edges": 7}],
    ),
    "whole graph": (
        {"hits": {"shape": ["hits", 3], **BOUNDS}, "edges": {"shape": [2, "edges"], "dtype": "int64", "indexes": "hits"}},
        {"energy": {"shape": [1]}},
        [{"hits": 1, "edges": 0}, {"hits": 40, "edges": 90}],
    ),
    "counts": (
        {"jets": {"shape": ["batch", 2], "dtype": "int32", "low": 0, "high": 9}, "trigger": {"shape": ["batch"], "dtype": "bool", "values": [0, 1]},
         "category": {"shape": ["batch"], "dtype": "int64", "values": [3, 5, 8]}},
        {"score": {"shape": ["batch"]}, "best": {"shape": ["batch"], "dtype": "int64"}},
        [{"batch": 300}],
    ),
    "many": (
        {f"x{place}": {"shape": ["batch", 2], **BOUNDS} for place in range(10)},
        {f"y{place}": {"shape": ["batch", 1]} for place in range(6)},
        [{"batch": 100}],
    ),
    "decided": ({"x": {"shape": ["batch", 2], **BOUNDS}}, {"best": {"shape": ["batch"], "dtype": "int64"}}, [{"batch": 100}]),
    "scalar": ({"x": {"shape": [], **BOUNDS}}, {"y": {"shape": []}}, [{}]),
}  # fmt: skip


def made(name):
    """Return cases of a network, and what a runtime made of them: right within 0.4 of the limit."""
    *both, all_sizes = SHAPES[name]
    inputs, outputs = map(read_tensors, both)
    generator = np.random.default_rng(0)
    cases, results = [], []
    for sizes in all_sizes:
        feed = draw(inputs, dict.fromkeys(inputs, uniform), sizes, generator)
        exact, limit, found = {}, {}, {}
        for place, (output, tensor) in enumerate(outputs.items()):
            shape = [sizes[axis] if isinstance(axis, str) else axis for axis in tensor.shape]
            if tensor.dtype != "float32":
                exact[output] = found[output] = generator.integers(0, 3, shape)
                limit[output] = np.zeros(shape)
                continue
            exact[output] = 10.0**place * generator.standard_normal(shape)
            limit[output] = np.full(shape, 1e-6)
            found[output] = exact[output] + 1e-6 * generator.uniform(-0.4, 0.4, shape)
        cases.append(Case({"origin": "uniform over the domain", "sizes": sizes}, feed, exact, {}, limit))
        results.append(found)
    return inputs, outputs, cases, results


def picture(folder, name, **changes):
    inputs, outputs, cases, results = made(name)
    errors = folder / "errors.safetensors"
    write_errors(errors, cases, results, inputs, outputs)
    write_json(folder / "validation.json", {"runtime": {"onnxruntime": "1.32.0"}})
    files = dict.fromkeys(("latest", "cmssw_15_0", "cmssw_14_2"), errors)
    svg, png = folder / "errors.svg", folder / "errors.png"
    plot_errors(files, dict.fromkeys(files, folder / "validation.json"), svg, png, style=DEFAULTS["plots"])
    return read_about(errors), read_arrays(errors), svg


@pytest.mark.parametrize(
    ("name", "columns", "left_out"),
    [
        ("xor", ["a", "b"], []),
        ("one", ["x[0]"], []),
        ("jets", ["jets[0].pt", "jets[0].eta", "jets[0].phi", "jets[1].pt"], ["4 of 24 numbers of jets"]),
        ("masked", ["jets[0].pt", "jets[0].eta", "jets[0].phi", "present[0]", "present[1]", "present[2]", "event[0]", "event[1]"],
         ["3 of 24 numbers of jets", "3 of 8 numbers of present", "2 of 5 numbers of event"]),
        ("particles", ["particles[0, 0]", "particles[0, 1]", "particles[0, 2]", "particles[0, 3]", "present[0]", "present[1]", "present[2]", "present[3]"],
         ["4 of up to 36 numbers of particles", "4 of up to 9 numbers of present"]),
        ("image", ["image[0, 0, 0]", "image[0, 0, 1]", "image[0, 0, 2]", "image[0, 0, 3]"], ["4 of 100 numbers of image"]),
        ("volume", ["volume[0, 0, 0, 0]", "volume[0, 0, 0, 1]", "volume[0, 0, 0, 2]", "volume[0, 0, 0, 3]"], ["4 of 120 numbers of volume"]),
        ("graph", ["hits.x", "hits.y", "hits.z", "temperature"], ["0 of up to 180 numbers of edges"]),
        ("whole graph", ["hits[0, 0]", "hits[0, 1]", "hits[0, 2]", "hits[1, 0]", "edges[0, 0]", "edges[0, 1]", "edges[0, 2]", "edges[0, 3]"],
         ["4 of up to 120 numbers of hits", "4 of up to 180 numbers of edges"]),
        ("counts", ["jets[0]", "jets[1]", "trigger", "category"], ["nothing of output best, which is not floating point"]),
        ("many", [f"x{place}[0]" for place in range(8)],
         [*(f"1 of 2 numbers of x{place}" for place in range(8)), "0 of 2 numbers of x8", "0 of 2 numbers of x9", "nothing of output y4", "nothing of output y5"]),
        ("decided", [], ["nothing of output best, which is not floating point"]),
        ("scalar", ["x"], []),
    ],
)  # fmt: skip
def test_every_shape_has_a_picture_that_names_what_it_leaves_out(tmp_path, name, columns, left_out):
    about, arrays, svg = picture(tmp_path, name)
    assert about["columns"] == columns
    assert about["left_out"] == left_out
    assert arrays["input"].shape == (len(arrays["ratio"]), len(columns))
    text = " ".join(re.sub(r"<[^>]*>", " ", svg.read_text()).split())
    for label in [*columns, *(f"{output} in float64" for output in about["outputs"])]:
        assert label in text
    for line in left_out:
        assert line in text
    assert ("Shown: " in text) == bool(left_out)


def test_padding_and_numbers_that_a_case_has_not_are_no_points(tmp_path):
    _, _, cases, _ = made("masked")
    _, arrays, _ = picture(tmp_path, "masked")
    present = cases[0].feed["present"]
    assert np.array_equal(np.isnan(arrays["input"][:, 0]), present[:, 0] == 0)
    assert np.array_equal(arrays["input"][:, 3], present[:, 0])
    _, arrays, _ = picture(tmp_path, "particles")
    # 2 events without particles, 3000 with one, and 200 with nine.
    assert np.isnan(arrays["input"][:, 0]).sum() == 2
    assert np.isnan(arrays["input"][:, 5]).sum() == 3002


def test_rows_are_events_hits_or_whole_cases(tmp_path):
    _, _, cases, results = made("graph")
    _, arrays, _ = picture(tmp_path, "graph")
    assert len(arrays["ratio"]) == 1 + 40 + 64
    assert len(arrays["signed/energy"]) == 3
    assert len(arrays["signed/y"]) == 2 * 105
    error = (results[1]["y"] - cases[1].exact["y"]) / 1e-6
    assert np.abs(arrays["ratio"][1:41]) == pytest.approx(np.abs(error).max(axis=1))
    assert set(arrays["input"][1:41, 3]) == {float(cases[1].feed["temperature"])}
    _, arrays, _ = picture(tmp_path, "whole graph")
    assert len(arrays["ratio"]) == 2


def test_the_picture_is_the_same_every_time(tmp_path):
    sums = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        _, _, svg = picture(tmp_path / name, "masked")
        sums.append([sha256(svg), sha256(svg.with_suffix(".png"))])
    assert sums[0] == sums[1]
    assert "latest (ONNX Runtime 1.32.0)" in svg.read_text()


def test_what_a_loosened_gate_let_through_is_seen(tmp_path):
    inputs, outputs, cases, results = made("xor")
    results[1]["y"][7] = cases[1].exact["y"][7] + 3e-6
    write_errors(tmp_path / "errors.safetensors", cases, results, inputs, outputs)
    write_json(tmp_path / "validation.json", {"runtime": {"onnxruntime": "1.32.0"}})
    svg = tmp_path / "errors.svg"
    plot_errors({"latest": tmp_path / "errors.safetensors"}, {"latest": tmp_path / "validation.json"}, svg, tmp_path / "errors.png",
                style=DEFAULTS["plots"])  # fmt: skip
    assert ">3<" in svg.read_text() or "−3" in svg.read_text()
