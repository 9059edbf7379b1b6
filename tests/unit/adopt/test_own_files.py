"""Files from elsewhere, as other frameworks write them: each takes the whole road, or one line says why not."""

import elsewhere
import numpy as np
import onnx
import pytest
import torch
from case_maker import Maker
from documented import INPUTS, OUTPUTS, documented
from elsewhere import DOUBLE, FLOAT, HALF, adopt, affine, model, saved_outside, travel, value, weights
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from support import TARGETS
from torchship.core.errors import ConfigError, DataError, ExportError, ParityError
from torchship.core.files import sha256
from torchship.data.datasets import read_arrays, write_arrays
from torchship.export.contract import violations
from torchship.gate.compare import compare, explain
from torchship.gate.witness import arbiter as arbiters
from torchship.gate.witness.onnx_arbiter import GraphArbiter
from torchship.spec.model import read_model
from torchship.spec.tensor import Tensor, documents

BOUNDS = {"low": -2.0, "high": 2.0}
node = helper.make_node


def passed(road):
    assert road.validation["verdict"] == "passed"
    assert road.validation["failures"] == []
    assert road.validation["elements"] > 0
    return road


def shapes(road):
    return {name: list(tensor.shape) for name, tensor in {**road.model["inputs"], **road.model["outputs"]}.items()}


@pytest.mark.parametrize(
    "names",
    [("save_infer_model/scale_0.tmp_1", "input:0"), ("a name with spaces", "$x$ {run} 50% <b>"), ("0/input/x", "é→")],
)
def test_names_that_are_no_identifiers_go_through_every_step(tmp_path, names):
    road = passed(travel(tmp_path, affine(*names), inputs={names[0]: BOUNDS}))
    assert set(shapes(road)) == set(names)
    assert road.validation["worst"]["output"] == names[1]
    assert "<b>" not in road.page


def cast(kind, to):
    """Return a network that takes, or gives, another element type than float32."""
    if to == "input":
        nodes = [node("Cast", ["x"], ["f"], to=FLOAT), node("MatMul", ["f", "W"], ["h"]), node("Tanh", ["h"], ["y"])]
        return model(nodes, [value("x", kind, ["N", 4])], [value("y", FLOAT, ["N", 3])], {"W": weights(4, 3) / 50})
    nodes = [node("MatMul", ["x", "W"], ["h"]), node("Abs", ["h"], ["a"]), node("Round", ["a"], ["r"])]
    nodes.append(node("Cast", ["a" if kind in (HALF, DOUBLE) else "r"], ["y"], to=kind))
    return model(nodes, [value("x", FLOAT, ["N", 4])], [value("y", kind, ["N", 3])], {"W": weights(4, 3)})


TYPES = {
    "int64": (TensorProto.INT64, {"low": -9, "high": 9}),
    "int32": (TensorProto.INT32, {"low": -9, "high": 9}),
    "uint8": (TensorProto.UINT8, {"low": 0, "high": 255}),
    "bool": (TensorProto.BOOL, {}),
    "float16": (HALF, BOUNDS),
    "float64": (DOUBLE, BOUNDS),
}


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("kind", ["input", "output"])
def test_every_element_type_is_read_from_the_file(tmp_path, dtype, kind):
    code, domain = TYPES[dtype]
    road = passed(travel(tmp_path, cast(code, kind), inputs={"x": domain if kind == "input" else BOUNDS}))
    assert road.model[f"{kind}s"]["x" if kind == "input" else "y"].dtype == dtype
    assert read_arrays(road.cases)["1/input/x" if kind == "input" else "1/single/y"].dtype == np.dtype(dtype)


def encoder(**table):
    return node("LabelEncoder", ["k"], ["f"], domain="ai.onnx.ml", **table)


def labelled():
    """Return a file that gives texts of texts, and the values that it takes."""
    table = {"keys_strings": ["a", "b", "ß"], "values_floats": [0.5, 1.5, -1.0], "default_float": 0.0}
    labels = {"keys_int64s": [0, 1, 2], "values_strings": ["signal", "background", "ß"], "default_string": "none"}
    nodes = [encoder(**table), node("MatMul", ["f", "W"], ["s"]), node("ArgMax", ["s"], ["i"], axis=1, keepdims=0),
             node("LabelEncoder", ["i"], ["y"], domain="ai.onnx.ml", **labels)]  # fmt: skip
    ends = [value("k", TensorProto.STRING, ["N", 4])], [value("y", TensorProto.STRING, ["N"])]
    return model(nodes, *ends, {"W": weights(4, 3)}, ai_onnx_ml=2), {"values": ["a", "b", "ß", "other"]}


def test_text_goes_in_and_out(tmp_path):
    """Text has no place in safetensors, nor on the pipe to another runtime, and is equal or not."""
    (tmp_path / "right").mkdir()
    made, domain = labelled()
    road = passed(travel(tmp_path / "right", made, inputs={"k": domain}, timed=True))
    assert road.model["inputs"]["k"].dtype == "string"
    arrays = read_arrays(road.cases)
    assert {str(text) for text in arrays["1/input/k"].ravel()} <= {"a", "b", "ß", "other"}
    assert set(np.concatenate([a for name, a in arrays.items() if "/exact/" in name])) == {"signal", "background", "ß"}


def test_texts_of_a_large_batch_and_of_a_reference_are_compared(tmp_path, monkeypatch):
    made, domain = labelled()
    k = np.random.default_rng(0).choice(domain["values"], (40, 4)).astype(object)
    arbiter = GraphArbiter(made)
    whole = arbiter.witness({"k": k})["y"].exact
    monkeypatch.setattr(arbiters, "PART", 16)
    assert np.array_equal(arbiters.witness_in_parts(arbiter, {"k": k})["y"].exact, whole)
    # A wrong text in a reference is asked of ONNX Runtime, too, which is text as well.
    whole[17] = "none"
    write_arrays(tmp_path / "mine.safetensors", {"k": k, "y": whole})
    with pytest.raises(ParityError, match=r"from event 16: .*another text at event 1, output y\[0\]: 'none' where"):
        travel(tmp_path, made, inputs={"k": domain}, onnx={"reference": str(tmp_path / "mine.safetensors")})


def test_another_text_than_expected_is_told_with_both():
    want, have = np.array(["a", "b"], dtype=object), np.array(["a", "c"], dtype=object)
    found = compare(have, want, np.zeros(2))
    assert found.ratio == np.inf
    assert explain(found, 1.0, "y") == "another text at event 1, output y[0]: 'c' where 'b' is expected"
    assert compare(want, want, np.zeros(2)).ratio == 0.0


def test_arrays_keep_their_shapes_and_texts_in_a_file(tmp_path):
    arrays = {
        "scalar": np.float32(2.0) * np.ones((), np.float32),
        "t": np.array([["a", "ß\n"]], dtype=object),
        "n": np.arange(3),
    }
    write_arrays(tmp_path / "a.safetensors", arrays)
    np.savez(tmp_path / "a.npz", **{**arrays, "t": arrays["t"].astype(str)})
    for name in ("a.safetensors", "a.npz"):
        found = read_arrays(tmp_path / name)
        assert {key: array.shape for key, array in found.items()} == {"scalar": (), "t": (1, 2), "n": (3,)}
        assert found["t"].tolist() == [["a", "ß\n"]]


@pytest.mark.parametrize("order", ["xt", "tx"])
def test_a_scalar_is_an_input_like_others(tmp_path, order):
    ends = {"x": value("x", FLOAT, ["N", 4]), "t": value("t", FLOAT, [])}
    made = model([node("Mul", ["x", "t"], ["y"])], [ends[name] for name in order], [value("y", FLOAT, ["N", 4])])
    road = passed(travel(tmp_path, made, inputs={"x": BOUNDS, "t": {"low": 0.5, "high": 2.0}}, timed=True))
    assert shapes(road) == {"x": ["batch", 4], "t": [], "y": ["batch", 4]}
    assert read_arrays(road.cases)["0/input/t"].shape == ()


def test_outputs_may_be_scalars_and_all_may_be(tmp_path):
    made = model([node("ReduceSum", ["x"], ["y"], keepdims=0)], [value("x", FLOAT, ["N", 4])], [value("y", FLOAT, [])])
    for name, proto in (
        ("sum", made),
        ("all", model([node("Exp", ["x"], ["y"])], [value("x", FLOAT, [])], [value("y", FLOAT, [])])),
    ):
        (tmp_path / name).mkdir()
        road = passed(travel(tmp_path / name, proto, inputs={"x": BOUNDS}))
        assert road.model["outputs"]["y"].shape == ()


def test_an_input_with_a_value_in_the_file_is_left_out(tmp_path):
    """IR 3 lists all weights among the inputs; later files list those that a caller may give."""
    old = affine(ir=3, opset=8)
    old.graph.input.extend([value("W", FLOAT, [4, 3]), value("b", FLOAT, [3])])
    road = passed(travel(tmp_path, old, inputs={"x": BOUNDS}, target="cmssw_14_2"))
    assert list(road.model["inputs"]) == ["x"]
    assert "'W' has a value in the file, which it is left at" in road.validation["notes"]
    with pytest.raises(
        ConfigError, match=r"models/mine/inputs/b is a weight that the file has a value for.*: leave it out"
    ):
        adopt(tmp_path, old, inputs={"x": BOUNDS, "b": BOUNDS})


def test_dynamic_axes_without_names_get_some(tmp_path):
    nodes = [node("MatMul", ["x", "W"], ["s"]), node("ReduceSum", ["s", "one"], ["y"], keepdims=0)]
    ends = [value("x", FLOAT, [None, None, 4])], [value("y", FLOAT, [None, 3])]
    made = model(nodes, *ends, {"W": weights(4, 3), "one": np.array([1])})
    (tmp_path / "left").mkdir()
    road = passed(travel(tmp_path / "left", made, inputs={"x": BOUNDS}))
    assert shapes(road) == {"x": ["batch", "x_axis1", 4], "y": ["batch", 3]}
    # The configuration may name them.
    road = adopt(tmp_path, made, inputs={"x": {"shape": ["batch", "particles", 4], **BOUNDS}})
    assert shapes(road) == {"x": ["batch", "particles", 4], "y": ["batch", 3]}


def test_axes_of_one_name_have_one_size(tmp_path):
    made = model([node("MatMul", ["x", "x"], ["y"])], [value("x", FLOAT, ["P", "P"])], [value("y", FLOAT, ["P", "P"])])
    road = passed(travel(tmp_path, made, inputs={"x": BOUNDS}))
    assert shapes(road) == {"x": ["p", "p"], "y": ["p", "p"]}
    assert {tuple(array.shape) for name, array in read_arrays(road.cases).items() if "/input/" in name} >= {
        (1, 1),
        (3, 3),
    }


def test_a_made_up_name_says_that_two_axes_are_equal(tmp_path):
    made = model([node("Mul", ["x", "m"], ["y"])], [value("x", FLOAT, ["s0", "s1"]), value("m", FLOAT, ["s0", "s1"])],
                 [value("y", FLOAT, ["s0", "s1"])])  # fmt: skip
    road = passed(travel(tmp_path, made, inputs={"x": BOUNDS, "m": {"values": [0, 1]}}))
    assert shapes(road) == {"x": ["batch", "x_axis1"], "m": ["batch", "x_axis1"], "y": ["batch", "x_axis1"]}


@pytest.mark.parametrize(
    ("axes", "called"),
    [
        (["batch", "n", 4], ["batch", "n", 4]),
        (["N", "n", 4], ["batch", "n", 4]),
        (["n", "batch_size", 4], ["n", "batch", 4]),
        (["n", 3, 4], ["batch", 3, 4]),
        (["N", "N", 4], ["batch", "batch", 4]),
    ],
)
def test_two_axes_of_a_tensor_are_not_both_the_batch(tmp_path, axes, called):
    """An axis `n` beside the batch is a number of particles; both as one would be tried at equal sizes alone."""
    made = model([node("Tanh", ["x"], ["y"])], [value("x", FLOAT, axes)], [value("y", FLOAT, axes)])
    assert shapes(adopt(tmp_path, made, inputs={"x": BOUNDS})) == {"x": called, "y": called}


def test_a_feature_that_never_changes_leaves_the_others_their_domains(tmp_path):
    x = np.random.default_rng(0).uniform(-1, 1, (50, 4)).astype(np.float32) * np.float32([1e4, 1, 1e-4, 0])
    y = ReferenceEvaluator(affine()).run(None, {"x": x})[0]
    np.savez(tmp_path / "mine.npz", x=x, y=y)
    found = adopt(tmp_path, affine(), onnx={"reference": str(tmp_path / "mine.npz")}).model["inputs"]["x"]
    assert np.array_equal(found.high, [*x.max(0)[:3], x.max()])
    assert np.array_equal(found.low, [*x.min(0)[:3], x.min()])


def test_a_fixed_batch_is_a_fact_and_judged_at_that_size(tmp_path):
    road = passed(
        travel(tmp_path, affine(batch=1), inputs={"x": {"shape": [1, 4], **BOUNDS}}, target="cmssw_14_2", timed=True)
    )
    note = "the batch is fixed at 1: judged at that size alone; a caller must call with batch 1"
    assert road.validation["notes"] == [note]
    assert f"{note[0].upper()}{note[1:]}" in road.page
    assert {array.shape for name, array in read_arrays(road.cases).items() if "/input/" in name} == {(1, 4)}
    assert len(road.validation["cases"]) > 64
    with pytest.raises(ConfigError, match=r"axis 0 is fixed at 1 in the file, \[1, 4\]: declare it so"):
        adopt(tmp_path, affine(batch=1), inputs={"x": {"shape": ["batch", 4], **BOUNDS}})


def test_cmssw_takes_a_fixed_batch_that_is_declared_and_no_other():
    content, ends = affine(batch=1).SerializeToString(), lambda batch: Tensor((batch, 4))
    check = {"target": TARGETS["cmssw_14_2"], "metadata": {}, "outputs": {"y": Tensor((1, 3))}}
    assert violations(content, inputs={"x": ends(1)}, **check) == []
    assert "axis 0 must be the dynamic batch" in violations(content, inputs={"x": ends("batch")}, **check)[0]


def test_a_state_goes_in_and_out(tmp_path):
    """The first axis of a recurrent network's state is not the batch, nor is that of its steps."""
    nodes = [node("GRU", ["x", "Wz", "R", "", "", "h0"], ["", "h1"], hidden_size=3)]
    ends = [value("x", FLOAT, ["T", "N", 4]), value("h0", FLOAT, [1, "N", 3])], [value("h1", FLOAT, [1, "N", 3])]
    made = model(nodes, *ends, {"Wz": weights(1, 9, 4), "R": weights(1, 9, 3)})
    road = passed(travel(tmp_path, made, inputs={"x": BOUNDS, "h0": {"low": -1.0, "high": 1.0}}, timed=True,
                         validate={"never_empty": ["batch", "t"]}))  # fmt: skip
    assert shapes(road) == {"x": ["t", "batch", 4], "h0": [1, "batch", 3], "h1": [1, "batch", 3]}


def test_weights_in_a_second_file_are_put_into_the_one_that_ships(tmp_path):
    saved_outside(affine(), tmp_path, "weights.bin")
    road = passed(travel(tmp_path, inputs={"x": BOUNDS}, target="cmssw_14_2"))
    assert "the weights in weights.bin were put into the file, since one file is deployed" in road.validation["notes"]
    source = read_model(road.shipped).source
    assert source["beside"] == {"weights.bin": sha256(tmp_path / "weights.bin")}
    x = np.ones((2, 4), np.float32)
    assert np.array_equal(
        *(ReferenceEvaluator(proto).run(None, {"x": x})[0] for proto in (onnx.load(road.placed), affine()))
    )


def relocate(folder, location):
    proto = onnx.load(folder / "mine.onnx", load_external_data=False)
    for tensor in proto.graph.initializer:
        next(entry for entry in tensor.external_data if entry.key == "location").value = location
    (folder / "mine.onnx").write_bytes(proto.SerializeToString())


def test_weights_that_cannot_be_had_are_named(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    saved_outside(affine(), folder, "weights.bin")
    (folder / "weights.bin").rename(tmp_path / "weights.bin")
    with pytest.raises(DataError, match=r"the weights of 'W' are in 'weights.bin', and there is no such file"):
        adopt(folder, inputs={"x": BOUNDS})
    relocate(folder, "../weights.bin")
    with pytest.raises(
        ExportError, match=r"are in '../weights.bin', outside of the model's folder: put the file beside"
    ):
        adopt(folder, inputs={"x": BOUNDS})
    (folder / "link.bin").symlink_to(tmp_path / "weights.bin")
    relocate(folder, "link.bin")
    with pytest.raises(ExportError, match=r"outside of the model's folder"):
        adopt(folder, inputs={"x": BOUNDS})
    relocate(folder, "short.bin")
    (folder / "short.bin").write_bytes(bytes(10))
    with pytest.raises(DataError, match=r"mine.onnx: its weights cannot be read: "):
        adopt(folder, inputs={"x": BOUNDS})


def trees(**labels):
    """Three classes, each with the leaves of a tree of its own."""
    one = {"nodes_nodeids": [0, 1, 2], "nodes_featureids": [0, 0, 0], "nodes_values": [0.25, 0.0, 0.0],
           "nodes_truenodeids": [1, 0, 0], "nodes_falsenodeids": [2, 0, 0], "nodes_hitrates": [1.0] * 3,
           "nodes_missing_value_tracks_true": [0] * 3}  # fmt: skip
    return node(
        "TreeEnsembleClassifier", ["x"], ["label", "probabilities"], domain="ai.onnx.ml", post_transform="SOFTMAX",
        nodes_treeids=[0] * 3 + [1] * 3 + [2] * 3, nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"] * 3,
        class_treeids=[0, 0, 1, 1, 2, 2], class_nodeids=[1, 2] * 3, class_ids=[0, 0, 1, 1, 2, 2],
        class_weights=[0.125, 0.875, 0.3, -0.6, 0.4, 0.1], **{key: values * 3 for key, values in one.items()}, **labels,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "labels"),
    [(TensorProto.INT64, {"classlabels_int64s": [0, 1, 2]}), (TensorProto.STRING, {"classlabels_strings": ["a", "b", "c"]})],
)  # fmt: skip
def test_trees_are_operators_that_every_runtime_has(tmp_path, kind, labels):
    ends = [value("x", FLOAT, [None, 4])], [value("label", kind, [None]), value("probabilities", FLOAT, [None, 3])]
    road = passed(travel(tmp_path, model([trees(**labels)], *ends, opset=15, ai_onnx_ml=3), inputs={"x": BOUNDS}))
    assert shapes(road) == {"x": ["batch", 4], "label": ["batch"], "probabilities": ["batch", 3]}


def typed(name, make, *arguments):
    return helper.make_value_info(name, make(*arguments))


TENSOR = helper.make_tensor_type_proto(FLOAT, ["N", 4])
MAPS = helper.make_sequence_type_proto(
    helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(FLOAT, []))
)
ZIPMAP = node("ZipMap", ["x"], ["y"], domain="ai.onnx.ml", classlabels_int64s=[0, 1, 2, 3])
X = value("x", FLOAT, ["N", 4])
REFUSED = {
    r"output 'y' is a sequence; skl2onnx's ZipMap makes it: convert with options=\{'zipmap': False\}":
        model([ZIPMAP], [X], [helper.make_value_info("y", MAPS)], ai_onnx_ml=1),
    r"output 'y' is a sequence; only tensors are supported":
        model([node("SequenceConstruct", ["x"], ["y"])], [X], [typed("y", helper.make_sequence_type_proto, TENSOR)]),
    r"input 'x' is optional, that is a tensor or nothing; only tensors":
        model([node("OptionalGetElement", ["x"], ["y"])], [typed("x", helper.make_optional_type_proto, TENSOR)], [value("y", FLOAT, ["N", 4])]),
    r"input 'x' is a sparse tensor; only tensors":
        model([node("Identity", ["x"], ["y"])], [typed("x", helper.make_sparse_tensor_type_proto, FLOAT, ["N", 4])], [value("y", FLOAT, ["N", 4])]),
    r"input 'x' is bfloat16, which is not supported; supported are float32, .*: cast it in the graph":
        model([node("Cast", ["x"], ["y"], to=FLOAT)], [value("x", TensorProto.BFLOAT16, ["N", 4])], [value("y", FLOAT, ["N", 4])]),
    r"node 'm' is org.mine.Clever, no operator of ONNX or ONNX Runtime, so that nobody says what it means":
        model([node("Clever", ["x", "x"], ["y"], "m", domain="org.mine")], [X], [value("y", FLOAT, ["N", 4])], org_mine=1),
    r"input 'x\"y' has quotes, backslashes or control characters in its name: rename it": affine('x"y'),
    r"mine.onnx is no ONNX model: ": b"not a model",
}  # fmt: skip


def test_arithmetic_in_float16_has_limits_of_its_own(tmp_path):
    right = affine(kind=HALF, dtype=np.float16)
    (tmp_path / "right").mkdir()
    passed(travel(tmp_path / "right", right, inputs={"x": BOUNDS}))
    for tensor in right.graph.initializer:
        if tensor.name == "W":
            values = numpy_helper.to_array(tensor).copy()
            values[0, 0] *= np.float16(1.5)
            tensor.CopyFrom(numpy_helper.from_array(values, "W"))
    (tmp_path / "wrong").mkdir()
    broken = right.SerializeToString()
    right_file = affine(kind=HALF, dtype=np.float16)
    x = np.random.default_rng(0).uniform(-2, 2, (40, 4)).astype(np.float16)
    y = ReferenceEvaluator(right_file).run(None, {"x": x})[0]
    np.savez(tmp_path / "reference.npz", x=x, y=y)
    with pytest.raises(ParityError):
        travel(tmp_path / "wrong", broken, inputs={"x": BOUNDS}, onnx={"reference": str(tmp_path / "reference.npz")})


@pytest.mark.parametrize("message", REFUSED)
def test_what_is_not_supported_is_told_in_one_line(tmp_path, message):
    with pytest.raises(ExportError, match=message) as caught:
        adopt(tmp_path, REFUSED[message], inputs={"x": BOUNDS})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({}, r"nobody says where the values of 'x' lie: .* paste, .*: inputs: \{\"x\": \{\"dtype\": \"float32\", \"shape\": \[\"batch\", 4\], \"low\": "),
        ({"inputs": {"X:0": BOUNDS}}, r"models/mine/inputs/X:0: the file has no such input; it has 'x'"),
        ({"inputs": {"x": BOUNDS}, "outputs": {"yy": {}}}, r"outputs/yy: the file has no such output \(did you mean y\?\); it has 'y'"),
        ({"inputs": {"x": {**BOUNDS, "dtype": "float64"}}}, r"inputs/x/dtype is float64, but the file has float32"),
        ({"inputs": {"x": {**BOUNDS, "shape": ["batch", 5]}}}, r"inputs/x/shape is \['batch', 5\], but axis 1 is 4 in the file, \['N', 4\]"),
        ({"inputs": {"x": {**BOUNDS, "shape": ["batch"]}}}, r"inputs/x/shape is \['batch'\], but the file has \['N', 4\]"),
        ({"inputs": {"x": {**BOUNDS, "features": ["a"]}}}, r"inputs/x/features names 1, but the last axis of \['batch', 4\] has 4"),
        ({"inputs": {"x": {"values": ["a"]}}}, r"inputs/x is of dtype float32, but its domain holds \['a'\]"),
    ],
)  # fmt: skip
def test_a_configuration_that_says_otherwise_than_the_file_is_named(tmp_path, entry, message):
    with pytest.raises(ConfigError, match=message) as caught:
        adopt(tmp_path, affine(), **entry)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("batch", ["N", 1])
def test_a_domain_that_is_left_out_is_that_of_the_reference(tmp_path, batch):
    x = np.random.default_rng(0).uniform(-3, 3, (50, 4)).astype(np.float32)
    y = ReferenceEvaluator(affine()).run(None, {"x": x})[0]
    np.savez(tmp_path / "mine.npz", x=x, y=y)
    reference = {"reference": str(tmp_path / "mine.npz")}
    road = passed(travel(tmp_path, affine(batch=batch), onnx=reference))
    assert road.model["inputs"]["x"].domain == {"low": x.min(axis=0).tolist(), "high": x.max(axis=0).tolist()}
    assert 0.0 < road.validation["reference"]["y"] < 1.0
    assert "The domain of &#x27;x&#x27; is what the reference has: low [-2.96" in road.page
    y[17, 1] += 1e-4
    np.savez(tmp_path / "mine.npz", x=x, y=y)
    where = r"from event 16: .* at event 1" if batch == "N" else r"from event 17: .* at event 0"
    with pytest.raises(ParityError, match=rf"{where}, output y\[1\]"):
        travel(tmp_path, affine(batch=batch), onnx=reference)


def test_a_description_is_of_the_file_beside_it(tmp_path):
    road = adopt(tmp_path, affine(), inputs={"x": BOUNDS})
    assert road.onnx.read_bytes() == (tmp_path / "mine.onnx").read_bytes()
    road.onnx.write_bytes(road.onnx.read_bytes() + b"\n")
    with pytest.raises(DataError, match=r"model.onnx is not the one that \S+model.json is of: sha256 "):
        read_model(road.shipped)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (affine(ir=11), r"mine.onnx for cmssw_14_2: IR version 11 is newer than the target's 9: .* model.ir_version = 9; onnx.save"),
        (affine(opset=21, ir=11), r"opset 21 is newer .*; and IR version 11 is newer than the target's 9: .* model.ir_version = 9; onnx.save"),
        (affine(ir=99), r"mine.onnx has IR version 99, and onnx \S+ knows those up to 14: .*onnx.load\('mine.onnx'\); model.ir_version = 14; onnx.save"),
        (affine(opset=21, ir=9), r"opset 21 is newer than the target's 20: .*onnx.version_converter.convert_version\(model, 20\)"),
    ],
)  # fmt: skip
def test_a_file_too_new_for_its_target_is_told_how_to_lower_it(tmp_path, made, message):
    with pytest.raises(ExportError, match=message):
        travel(tmp_path, made, inputs={"x": BOUNDS}, target="cmssw_14_2")


def test_a_broken_twin_with_odd_names_and_a_fixed_batch_is_stopped(tmp_path):
    """The reference is of the right file, the file has another weight."""
    x = np.random.default_rng(0).uniform(-2, 2, (40, 4)).astype(np.float32)
    right, wrong = affine("in:0", "out/0", batch=1), affine("in:0", "out/0", batch=1)
    values = numpy_helper.to_array(wrong.graph.initializer[0]) * np.float32(1.01)
    wrong.graph.initializer[0].CopyFrom(numpy_helper.from_array(values, "W"))
    y = np.concatenate([ReferenceEvaluator(right).run(None, {"in:0": row[None]})[0] for row in x])
    write_arrays(tmp_path / "r.safetensors", {"in:0": x, "out/0": y})
    files = {"reference": str(tmp_path / "r.safetensors")}
    passed(travel(tmp_path, right, onnx=files))
    with pytest.raises(ParityError, match=r"the reference against what the file says: \|Δ\| = .*, output out/0\[\d\]"):
        travel(tmp_path, wrong, onnx=files)


def test_an_output_that_loses_its_batch_at_one_event_is_stopped(tmp_path):
    """Squeeze without axes: evaluator and runtime agree on a scalar, which nobody declared."""
    nodes = [helper.make_node("MatMul", ["x", "W"], ["h"]), helper.make_node("Squeeze", ["h"], ["y"])]
    made = model(nodes, [value("x", FLOAT, ["N", 4])], [value("y", FLOAT, ["N"])], {"W": weights(4, 1)})
    with pytest.raises(
        ParityError, match=r"batch 1, output 'y': has shape \[\], declared \['batch'\].* also of: .*refus"
    ):
        travel(tmp_path, made, inputs={"x": BOUNDS})


def test_old_batch_normalisation_takes_the_whole_road_with_its_reference(tmp_path):
    """BatchNormalization of opset 9 with momentum, as in the CMS documentation; and the reference of another file."""
    content, meant = documented()
    x = Maker(5).x(60, 4)
    np.savez(tmp_path / "mine.npz", x=x, y=meant(x).astype(np.float32))
    entry = {
        "onnx": {"reference": str(tmp_path / "mine.npz")},
        "inputs": documents(INPUTS),
        "outputs": documents(OUTPUTS),
    }
    road = passed(travel(tmp_path, content, **entry))
    assert road.validation["arbiter"] == "ONNX reference evaluator"
    assert 0.0 < road.validation["reference"]["y"] < 1.0
    with pytest.raises(ParityError, match="the reference against what the file says"):
        travel(tmp_path, documented(broken=True)[0], **entry)


def test_the_makers_make_what_they_say():
    """The same function in torch."""
    x = np.random.default_rng(1).normal(size=(5, 4)).astype(np.float32)
    expected = torch.tanh(torch.from_numpy(x) @ torch.from_numpy(weights(4, 3)) + torch.from_numpy(weights(3, seed=1)))
    found = ReferenceEvaluator(elsewhere.affine()).run(None, {"x": x})[0]
    assert np.allclose(found, expected.numpy(), atol=1e-6)


def test_a_size_may_be_declared_where_the_file_takes_any(tmp_path):
    made = affine(width=4)
    made.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "width"
    road = passed(travel(tmp_path, made, inputs={"x": {"shape": ["batch", 4], **BOUNDS}}))
    assert {array.shape[1] for name, array in read_arrays(road.cases).items() if "/input/" in name} == {4}
