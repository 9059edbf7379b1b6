"""Golden events: which are taken out of the gate's cases."""

import numpy as np
import pytest
from torchship.core.errors import DeliveryError
from torchship.deliver.golden import golden_places, read_golden
from torchship.gate.case import Case
from torchship.gate.cases import write_cases
from torchship.spec.tensor import Tensor

INPUTS = {"x": Tensor(("batch", 2))}


def case(origin, x, *, exact=None, limit=None, sizes=None):
    x = np.asarray(x, np.float32)
    exact = x.sum(-1, keepdims=True, dtype=np.float64) if exact is None else np.asarray(exact, np.float64)
    limit = np.full(exact.shape, 1e-6) if limit is None else limit
    return Case({"origin": origin, "sizes": sizes or {"batch": len(x)}}, {"x": x}, {"y": exact}, {}, {"y": limit})


def origins(cases, count=64):
    return [case.about["origin"] for case, _ in golden_places(cases, count)]


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
    [(_, event)] = golden_places([case("a", x, exact=exact, limit=limit)], 64)
    assert event == 0


def test_empty_batches_other_shapes_and_graphs_without_a_batch_are_left_out():
    wide = np.zeros((3, 4))
    graph = case("graph", rows(5), sizes={"nodes": 5})
    hollow = case("hollow", np.zeros((3, 0, 2)), exact=np.zeros((3, 1)))
    assert origins([case("empty", np.zeros((0, 2))), hollow, graph, case("a", rows(1)), case("wide", wide)]) == ["a"]


def test_of_a_file_with_a_fixed_batch_there_are_whole_ones(tmp_path):
    cases = [case("a", rows(2, seed), sizes={"other": 1}) for seed in range(4)]
    write_cases(
        tmp_path / "cases.safetensors", [*cases, case("twice", np.repeat(rows(1, 9), 2, 0), sizes={"other": 1})], {}
    )
    fixed = {"x": Tensor((2, 2))}
    assert len(read_golden(tmp_path / "cases.safetensors", fixed)) == 8
    assert len(read_golden(tmp_path / "cases.safetensors", fixed, 5)) == 4


def test_of_large_inputs_there_are_fewer():
    assert len(golden_places([case("a", np.random.default_rng(0).normal(size=(70, 24_999)))], 64)) == 2
    assert len(golden_places([case("a", np.random.default_rng(0).normal(size=(3, 200_000)))], 64)) == 1


def test_where_there_is_none_it_is_said(tmp_path):
    write_cases(tmp_path / "cases.safetensors", [case("a", [[np.nan, 1.0]])], {})
    with pytest.raises(DeliveryError, match=r"cases.safetensors has no event of finite numbers"):
        read_golden(tmp_path / "cases.safetensors", INPUTS)


def test_events_stand_together_by_tensor(tmp_path):
    x = rows(3)
    write_cases(tmp_path / "cases.safetensors", [case("a", x)], {})
    golden = read_golden(tmp_path / "cases.safetensors", INPUTS)
    assert len(golden) == 3
    assert golden.inputs["x"].dtype == np.float32
    np.testing.assert_allclose(golden.inputs["x"].sum(1, keepdims=True, dtype=np.float64), golden.exact["y"])
