"""A file with an operator that nobody evaluates in float64: the given reference alone judges, and everything says so."""

import numpy as np
import pytest
from elsewhere import FLOAT, adopt, affine, attention, model, travel, value, weights, written_for_attention
from onnx import helper
from torchship.core.errors import ConfigError, DataError, ParityError, WitnessError
from torchship.data.datasets import read_arrays
from torchship.runtimes.local import LocalRuntime

node = helper.make_node
BOUNDS = {"low": -2.0, "high": 2.0}
ALONE = "given reference alone: 40 events"


def given(folder, change=None, dtype=np.float32):
    """Write a reference; return the section of the configuration that names it."""
    written_for_attention(folder, change, dtype)
    return {"reference": str(folder / "mine.npz")}


@pytest.mark.parametrize(("batch", "dtype"), [("N", np.float32), (8, np.float64)])
def test_a_right_file_passes_and_everything_says_what_the_verdict_rests_on(tmp_path, batch, dtype):
    road = travel(tmp_path, attention(batch), onnx={**given(tmp_path, dtype=dtype), "within": 1e-5}, timed=True)
    found = road.validation
    assert (found["verdict"], found["arbiter"], found["within"]) == ("passed", ALONE, {"y": 1e-5})
    assert f"; rests on the {ALONE}" in road.page
    assert "The limit is stated in onnx/within, 1e-05 for y" in road.page
    assert "by one unit roundoff" not in road.page
    assert "There are no reference outputs" not in road.page
    assert 0.0 < float(found["worst"]["ratio"]) < 1.0
    assert {case["origin"].split(",")[0] for case in found["cases"]} == {"test set" if batch == "N" else "reference"}
    assert found["search"] is None
    # Every event is compared.
    whole = [case for case in found["cases"] if "first" in case]
    assert sum(case["outputs"]["y"]["elements"] for case in whole) == 40 * 24
    assert {row.get("torch", "not known") for row in found["bad_input"]} == {"not known"}


@pytest.mark.parametrize(("batch", "changed"), [("N", "file"), ("N", "reference"), (8, "reference")])
def test_a_wrong_file_is_stopped_at_its_event(tmp_path, batch, changed):
    def change(arrays):
        arrays["y"][17, 1, 2] += 1e-3

    onnx = {**given(tmp_path, change if changed == "reference" else None), "within": 1e-5}
    where = r"at event (17|1), output y\[10\]" if changed == "reference" else "at event"
    with pytest.raises(ParityError, match=rf"\|Δ\| = .* > 1e-05 {where}.*; rests on the {ALONE}"):
        travel(tmp_path, attention(batch, 1.01 if changed == "file" else 1.0), onnx=onnx)


def test_one_line_says_what_to_do_where_the_reference_is_missing(tmp_path):
    with pytest.raises(WitnessError) as caught:
        travel(tmp_path, attention(), inputs={"x": BOUNDS})
    assert "operator com.microsoft::MultiHeadAttention" in str(caught.value)
    assert "judged by reference outputs alone (onnx/reference and onnx/within)" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_line_says_what_to_do_where_nothing_is_stated(tmp_path):
    with pytest.raises(ConfigError, match=r"MultiHeadAttention: .*; state in onnx/within how far a correct") as caught:
        travel(tmp_path, attention(), onnx=given(tmp_path))
    assert "\n" not in str(caught.value)


def test_nothing_is_stated_where_the_evaluator_knows(tmp_path):
    x = np.random.default_rng(0).uniform(-2, 2, (9, 4)).astype(np.float32)
    y = LocalRuntime()
    number = y.open(affine().SerializeToString())
    np.savez(tmp_path / "mine.npz", x=x, **y.run(number, {"x": x}))
    with pytest.raises(ConfigError, match=r"onnx/within is for files that the ONNX reference evaluator cannot run"):
        travel(tmp_path, affine(), onnx={"reference": str(tmp_path / "mine.npz"), "within": 1e-5})
    with pytest.raises(ConfigError, match=r"models/mine/onnx/within says how far outputs may be from a reference"):
        adopt(tmp_path, affine(), inputs={"x": BOUNDS}, onnx={"within": 1e-5})


@pytest.mark.parametrize(
    ("within", "error", "message"),
    [
        (0.5, WitnessError, r"nothing can be validated here: onnx/within is 0.5 for output y, above 0.01 of its range"),
        ({"Y": 1e-5}, ConfigError, r"onnx/within/Y: the file has no such output of floating point.*; it has 'y'"),
    ],
)
def test_what_is_stated_must_tell_right_from_wrong(tmp_path, within, error, message):
    with pytest.raises(error, match=message):
        travel(tmp_path, attention(), onnx={**given(tmp_path), "within": within})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays: arrays.update(y=arrays["y"][:30]), r"axis 'batch' has size 30 in 'y', 40 in another"),
        (lambda arrays: arrays.update(y=np.concatenate([arrays["y"]] * 2)), r"axis 'batch' has size 80 in 'y', 40 in"),
        (lambda arrays: arrays.update(y=arrays["y"][:, :2]), r"'y' is float32 of shape \[40, 2, 8\], declared"),
        (lambda arrays: arrays.update(x=arrays["x"][:0], y=arrays["y"][:0]), r"has no events"),
    ],
)
@pytest.mark.parametrize("made", [attention, None])
def test_a_reference_that_does_not_fit_is_told(tmp_path, change, message, made):
    """Whoever judges."""
    proto = made() if made else passing()
    onnx = {**given(tmp_path, change), **({"within": 1e-5} if made else {})}
    with pytest.raises(DataError, match=message):
        travel(tmp_path, proto, inputs={"x": BOUNDS}, onnx=onnx)


def passing():
    nodes = [node("MatMul", ["x", "Q"], ["q"]), node("Tanh", ["q"], ["y"])]
    ends = [value("x", FLOAT, ["N", 3, 8])], [value("y", FLOAT, ["N", 3, 8])]
    return model(nodes, *ends, {"Q": weights(8, 8)})


def test_chunks_of_a_fixed_batch_are_as_many_in_inputs_and_outputs(tmp_path):
    onnx = given(tmp_path, lambda arrays: arrays.update(y=arrays["y"][:32]))
    with pytest.raises(DataError, match=r"'y' is float32 of shape \[32, 3, 8\].*40 events"):
        travel(tmp_path, attention(8), inputs={"x": BOUNDS}, onnx={**onnx, "within": 1e-5})


def test_a_scalar_output_has_a_reference_too(tmp_path):
    nodes = [node("MatMul", ["x", "Q"], ["q"]), node("ReduceMean", ["q"], ["y"], keepdims=0)]
    made = model(nodes, [value("x", FLOAT, ["N", 8])], [value("y", FLOAT, [])], {"Q": weights(8, 8)})
    x = np.random.default_rng(0).uniform(-2, 2, (9, 8)).astype(np.float32)
    for shift in (0.0, 0.1):
        y = np.float32((x.astype(np.float64) @ weights(8, 8)).mean() + shift)
        np.savez(tmp_path / "mine.npz", x=x, y=y)
        road = {"inputs": {"x": BOUNDS}, "onnx": {"reference": str(tmp_path / "mine.npz")}}
        if not shift:
            assert travel(tmp_path, made, **road).validation["reference"]["y"] <= 1.0
            continue
        with pytest.raises(ParityError, match=r"the reference against what the file says"):
            travel(tmp_path, made, **road)


def test_a_promise_that_nobody_can_tell_is_no_promise(tmp_path):
    onnx = {**given(tmp_path), "within": 1e-5}
    with pytest.raises(ParityError, match=r"promises 'as_torch', and nobody says what is right"):
        travel(tmp_path, attention(), onnx=onnx, validate={"promises": {"nan": "as_torch"}})


def test_a_graph_is_one_case(tmp_path):
    """Where the first axis is not the batch, the whole reference is one call."""
    proto = attention("hits")
    for tensor in [proto.graph.input[0], proto.graph.output[0]]:
        tensor.type.tensor_type.shape.dim[0].dim_param = "hits"
    road = travel(tmp_path, proto, onnx={**given(tmp_path), "within": 1e-5}, timed=True)
    assert (road.validation["verdict"], road.validation["arbiter"]) == ("passed", "given reference alone: 1 event")
    assert [case["sizes"] for case in road.validation["cases"]] == [{"hits": 40}]
    assert read_arrays(road.cases)["0/exact/y"].dtype == np.float64


@pytest.mark.parametrize("batch", [{"multiple": 64}, {"least": 64}])
def test_a_reference_of_fewer_events_than_a_batch_is_compared_all_the_same(tmp_path, batch):
    """Its events are then run over again."""
    x = np.random.default_rng(0).uniform(-2, 2, (40, 3, 8)).astype(np.float32)
    y = np.tanh(x.astype(np.float64) @ weights(8, 8)).astype(np.float32)
    entry = {"inputs": {"x": BOUNDS}, "axes": {"batch": batch}, "onnx": {"reference": str(tmp_path / "mine.npz")}}
    np.savez(tmp_path / "mine.npz", x=x, y=y)
    assert 0.0 < travel(tmp_path, passing(), **entry).validation["reference"]["y"] < 1.0
    y[17, 1, 2] += 1e-3
    np.savez(tmp_path / "mine.npz", x=x, y=y)
    with pytest.raises(
        ParityError, match=r"the reference against what the file says: .* at event (17|57), output y\[10\]"
    ):
        travel(tmp_path, passing(), **entry)


def test_an_output_of_the_whole_batch_is_known_of_one_batch(tmp_path):
    nodes = [node("MatMul", ["x", "Q"], ["q"]), node("ReduceMean", ["q"], ["y"], axes=[0], keepdims=0)]
    made = model(nodes, [value("x", FLOAT, ["N", 8])], [value("y", FLOAT, [8])], {"Q": weights(8, 8)})
    for events in (16, 24):
        x = np.random.default_rng(0).uniform(-2, 2, (events, 8)).astype(np.float32)
        np.savez(tmp_path / "mine.npz", x=x, y=(x.astype(np.float64) @ weights(8, 8)).mean(0))
        road = {"inputs": {"x": BOUNDS}, "onnx": {"reference": str(tmp_path / "mine.npz")}}
        road |= {"validate": {"never_empty": ["batch"]}}
        if events == 16:
            assert travel(tmp_path, made, **road).validation["reference"]["y"] <= 1.0
            continue
        with pytest.raises(ParityError, match=r"if that is one for the whole batch, give a reference of one batch"):
            travel(tmp_path, made, **road)
