"""The arbiter of files without a torch module: the ONNX reference evaluator in float64, disturbed."""

import numpy as np
import onnx
import pytest
from gating import NETWORKS, gated
from onnx import TensorProto, helper
from torchship.core.errors import DataError, ExportError, ParityError
from torchship.gate.case import Case
from torchship.gate.locate import fault
from torchship.gate.witness.limits import LEAST, ratios
from torchship.gate.witness.onnx_arbiter import GraphArbiter
from torchship.gate.witness.witnesses import read_reference, require_reference

MODELS = [name for name in NETWORKS if name != "lost_bias"]


@pytest.mark.parametrize("name", MODELS)
def test_it_says_what_torch_says(name):
    """Both evaluate one network, from the module and from the file: values, and what rounding does to them."""
    network, arbiter = gated(name), GraphArbiter(gated(name).content)
    for case in network.cases[1:]:
        mine, theirs = arbiter.witness(case.feed), network.witnesses.arbiter.witness(case.feed)
        for output, value in mine.items():
            assert value.exact.dtype == np.float64
            assert ratios(value.exact, theirs[output].exact, LEAST * theirs[output].scale).max(initial=0.0) < 1.0
            if value.exact.size > 30:
                assert 0.7 < np.median(value.scale / theirs[output].scale) < 1.4


def test_it_records_every_value_and_is_repeatable():
    network = gated("transformer")
    arbiter, feed = GraphArbiter(network.content), network.cases[2].feed
    names = {value.name for value in arbiter.record(feed)}
    assert set(network.outputs) < names
    assert len(names) > 50
    one, two = arbiter.witness(feed), arbiter.witness(feed)
    assert all(np.array_equal(one[name].scale, two[name].scale) for name in network.outputs)


def test_a_file_that_is_none_is_refused():
    with pytest.raises(ExportError, match=r"the file is no valid ONNX model: .*"):
        GraphArbiter(b"not a model")
    with pytest.raises(ParityError, match=r"the ONNX reference evaluator does not take x \[3, 5\]: "):
        GraphArbiter(gated("xor").content).witness({"x": np.zeros((3, 5), np.float32)})


def test_a_float_constant_keeps_its_float32_value():
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch"]) for name in "xy")
    nodes = [helper.make_node("Constant", [], ["c"], value_float=0.1), helper.make_node("Mul", ["x", "c"], ["y"])]
    model = helper.make_model(helper.make_graph(nodes, "g", [x], [y]), opset_imports=[helper.make_opsetid("", 18)])
    found = GraphArbiter(model.SerializeToString()).evaluate({"x": np.ones(1, np.float32)})["y"]
    assert found == np.float64(np.float32(0.1))


def test_the_fault_is_the_files_or_the_runtimes():
    network = gated("batch_norm")
    case = next(case for case in network.cases if case.about["sizes"]["batch"] == 64)
    assert fault(network.content, case) == "runtime"
    model = onnx.load_from_string(network.content)
    model.graph.initializer[0].raw_data = bytes(len(model.graph.initializer[0].raw_data))
    assert fault(model.SerializeToString(), case) == "file"
    assert fault(b"no model", case) is None


def reference(network, feed, folder, change=None, **more):
    exact = GraphArbiter(network.content).evaluate(feed)
    arrays = {**feed, **{name: value.astype(np.float32) for name, value in exact.items()}, **more}
    if change:
        change(arrays)
    np.savez(folder / "reference.npz", **arrays)
    return read_reference(folder / "reference.npz", network.inputs, network.outputs)


def judged(network, feed):
    output = GraphArbiter(network.content).witness(feed)
    about = {"origin": "test set", "sizes": {"batch": len(feed["x"])}, "first": 0}
    exact, limit = ({name: getattr(value, part) for name, value in output.items()} for part in ("exact", "scale"))
    return [Case(about, feed, exact, {}, {name: LEAST * scale for name, scale in limit.items()})]


def test_reference_outputs_must_be_what_the_file_says(tmp_path):
    network = gated("batch_norm")
    feed = {"x": np.random.default_rng(0).uniform(-2, 2, (50, 4)).astype(np.float32)}
    _, expected = reference(network, feed, tmp_path)
    assert 0.0 < require_reference(judged(network, feed), expected, "mine")["y"] < 1.0
    expected["y"][17, 1] += 1e-5
    with pytest.raises(
        ParityError,
        match=r"mine, from event 0: the reference against what the file says: .* at event 17, output y\[1\]",
    ):
        require_reference(judged(network, feed), expected, "mine")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays: arrays.pop("y"), r"has no array 'y', only x"),
        (lambda arrays: arrays.update(x=arrays["x"].astype(np.float64)), r"'x' is float64 of shape \[5, 4\], declared float32"),
        (lambda arrays: arrays.update(x=arrays["x"] + 9), r"outside of the declared domain, -2 to 2"),
    ],
)  # fmt: skip
def test_a_reference_that_does_not_fit_is_named(tmp_path, change, message):
    feed = {"x": np.zeros((5, 4), np.float32)}
    with pytest.raises(DataError, match=message):
        reference(gated("batch_norm"), feed, tmp_path, change)
