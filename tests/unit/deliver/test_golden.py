"""Golden events: which are taken out of the gate's cases."""

import numpy as np
import pytest
from torchship.core.errors import DeliveryError
from torchship.deliver.golden import golden_units, read_golden
from torchship.gate.case import Case
from torchship.gate.cases import write_cases
from torchship.spec.axes import AxisRange
from torchship.spec.tensor import Tensor

INPUTS, OUTPUTS = {"x": Tensor(("batch", 2))}, {"y": Tensor(("batch", 1))}


def case(origin, x, *, exact=None, limit=None, sizes=None):
    x = np.asarray(x, np.float32)
    exact = x.sum(-1, keepdims=True, dtype=np.float64) if exact is None else np.asarray(exact, np.float64)
    limit = np.full(exact.shape, 1e-6) if limit is None else limit
    return Case({"origin": origin, "sizes": sizes or {"batch": len(x)}}, {"x": x}, {"y": exact}, {}, {"y": limit})


def origins(cases, count=64):
    return [case.about["origin"] for case, _ in golden_units(cases, count, separate=True)]


def rows(count, seed=0):
    return np.random.default_rng(seed).normal(size=(count, 2))


def test_each_case_gives_some():
    cases = [case("a", rows(50, 1)), case("b", rows(2, 2)), case("c", rows(50, 3))]
    assert origins(cases, 7) == ["a", "b", "c", "a", "b", "c", "a"]


def test_none_is_there_twice():
    repeated = np.repeat(rows(1), 10, 0)
    assert origins([case("a", repeated), case("b", rows(1)), case("c", rows(3, 5))]) == ["a", "c", "c", "c"]


def test_numbers_that_are_none_are_left_out():
    x = rows(4)
    x[1, 0] = np.nan
    exact, limit = np.zeros((4, 1)), np.full((4, 1), 1e-6)
    exact[2], limit[3] = np.inf, np.nan
    [(_, event)] = golden_units([case("a", x, exact=exact, limit=limit)], 64, separate=True)
    assert event == slice(0, 1)


def test_empty_batches_and_other_shapes_are_left_out():
    wide = np.zeros((3, 4))
    hollow = case("hollow", np.zeros((3, 0, 2)), exact=np.zeros((3, 1)))
    assert origins([case("empty", np.zeros((0, 2))), hollow, case("a", rows(1)), case("wide", wide)]) == ["a"]


def batches(*sizes):
    return [case(f"batch {size}", rows(size, size)) for size in sizes]


def test_events_that_are_not_independent_come_as_whole_cases(tmp_path):
    write_cases(tmp_path / "cases.safetensors", batches(24, 8, 16, 40), {})
    axes = {"batch": AxisRange(multiple=8)}
    golden = read_golden(tmp_path / "cases.safetensors", INPUTS, OUTPUTS, axes)
    assert golden.calls == (8, 16, 24)
    np.testing.assert_array_equal(golden.inputs["x"][:8], rows(8, 8).astype(np.float32))
    assert golden.origins[8] == "batch 16"


def test_of_a_large_fixed_batch_there_is_one_and_of_a_spoilt_one_none(tmp_path):
    fixed = {"x": Tensor((100, 2))}, {"y": Tensor((100, 1))}
    cases = [case("a", rows(100, seed)) for seed in range(3)]
    cases[0].feed["x"][0, 0] = np.nan
    write_cases(tmp_path / "cases.safetensors", cases, {})
    golden = read_golden(tmp_path / "cases.safetensors", *fixed)
    assert golden.calls == (100,)
    np.testing.assert_array_equal(golden.inputs["x"], cases[1].feed["x"])


def test_of_large_inputs_there_are_fewer():
    assert len(origins([case("a", np.random.default_rng(0).normal(size=(70, 24_999)))])) == 2
    assert len(origins([case("a", np.random.default_rng(0).normal(size=(3, 200_000)))])) == 1


def test_where_there_is_none_it_is_said(tmp_path):
    write_cases(tmp_path / "cases.safetensors", [case("a", [[np.nan, 1.0]])], {})
    with pytest.raises(DeliveryError, match=r"cases.safetensors has no event of finite numbers"):
        read_golden(tmp_path / "cases.safetensors", INPUTS, OUTPUTS)


def test_events_stand_together_by_tensor(tmp_path):
    x = rows(3)
    write_cases(tmp_path / "cases.safetensors", [case("a", x)], {})
    golden = read_golden(tmp_path / "cases.safetensors", INPUTS, OUTPUTS)
    assert len(golden) == 3
    assert golden.inputs["x"].dtype == np.float32
    np.testing.assert_allclose(golden.inputs["x"].sum(1, keepdims=True, dtype=np.float64), golden.exact["y"])
