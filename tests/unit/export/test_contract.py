"""What a target does not take is said before the file is written, and again of the file that ships."""

import copy
import json
import re
from dataclasses import replace

import onnx
import pytest
from onnx import TensorProto, helper
from support import DEFAULTS, TARGETS
from torchship.config.targets import require_classes
from torchship.core.errors import ConfigError
from torchship.core.files import read_json
from torchship.export.contract import expected_metadata, flat_length, notes, violations
from torchship.spec.tensor import Tensor

TARGET = TARGETS["cmssw_14_2"]


@pytest.fixture
def model(trained):
    """Return a correct file for CMSSW."""
    return onnx.load(trained.onnx["cmssw_14_2"])


def broken(trained, model, target=TARGET, **more):
    about = read_json(trained.export["cmssw_14_2"])["metadata"]
    declared = {"inputs": trained.model["inputs"], "outputs": trained.model["outputs"], "metadata": about, **more}
    return violations(model.SerializeToString(), target, **declared)


def test_a_correct_file_breaks_nothing(trained, model):
    assert broken(trained, model) == []


def set_type(model):
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.DOUBLE


def set_output_type(model):
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.INT64


def drop_shape(model):
    del model.graph.input[0].type.tensor_type.shape.dim[:]


def freeze_batch(model):
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_value = 4


def free_width(model):
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "width"


def other_name(model):
    model.graph.output[0].name = "out"


def no_metadata(model):
    del model.metadata_props[:]


def wrong_features(model):
    for entry in model.metadata_props:
        if entry.key == "inputs":
            entry.value = json.dumps({"x": {"features": ["x2", "x1"]}})


def newer_opset(model):
    model.opset_import[0].version = 21


def newer_ir(model):
    model.ir_version = 10


def newer_trees(model):
    # Named, and used by no node: runtimes refuse it all the same.
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 5))


def foreign(model):
    model.opset_import.append(helper.make_opsetid("org.mine", 1))
    model.graph.node[-1].domain = "org.mine"


def too_new_operator(model):
    model.opset_import[0].version = 12
    model.graph.node[-1].op_type = "Gelu"


def no_operator(model):
    model.graph.node[-1].op_type = "Sigmoidd"


def outside(model):
    tensor = model.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")


def no_inputs(model):
    del model.graph.node[-1].input[:]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_type, r"input 'x' is DOUBLE: cms::Ort::ONNXRuntime throws an exception; cast to float32"),
        (set_output_type, r"output 'y' is INT64: cms::Ort::ONNXRuntime reads garbage without an error"),
        (drop_shape, r"input 'x' is a scalar: the constructor throws"),
        (freeze_batch, r"output 'y' has shape \[4, 1\]: axis 0 must be the dynamic batch; another batch than 4 throws"),
        (free_width, r"input 'x' has further dynamic axes \['width'\]: an exception unless the caller passes input_shapes"),
        (other_name, r"output 'out' is not declared: CMSSW finds inputs and outputs by their names; declared are y"),
        (no_metadata, r"the metadata have no 'flat_lengths', which its consumers read"),
        (wrong_features, r"the metadata's 'inputs' is .*x2.*the configuration says"),
        (newer_opset, r"opset 21 is newer than the target's 20: lower export/opset"),
        (newer_trees, r"opset 5 of ai.onnx.ml is newer than the target's 4: .*target_opset=\{'': 20, 'ai.onnx.ml': 4\}"),
        (newer_ir, r"IR version 10 is newer than the target's 9"),
        (foreign, r"org.mine.Sigmoid: not operators of ONNX"),
        (too_new_operator, r"opset 12 has no operator Gelu \(since opset 20\): choose a newer target"),
        (no_operator, r"opset 20 has no operator Sigmoidd \(of no opset\)"),
        (outside, r"the data of .* are in another file"),
        (no_inputs, r"not a valid ONNX model: .*"),
    ],
)  # fmt: skip
def test_each_violation_is_named(trained, model, change, message):
    change(model)
    lines = broken(trained, model)
    assert any(re.search(message, line) for line in lines), lines


INTO = replace(TARGET, generation="into")


def free_output(model):
    free_width(model)
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_param = "width"


@pytest.mark.parametrize(
    ("change", "older", "newer"),
    [
        (set_output_type, r"output 'y' is INT64: .* reads garbage without an error", r"output 'y' is INT64: .* throws an exception"),
        (set_type, r"input 'x' is DOUBLE: .* throws an exception", r"input 'x' is DOUBLE: .* throws an exception"),
        (free_output, None, r"output 'y' has further dynamic axes \['width'\]: run\(\) throws an exception, with input_shapes as well, and asks for output_shapes in runInto\(\)"),
        (free_width, None, None),
    ],
)  # fmt: skip
def test_the_two_generations_of_the_class_are_told_apart(trained, model, change, older, newer):
    """Row by row what was seen of both on compiling and running them, with input_shapes passed."""
    change(model)
    for target, message in ((TARGET, older), (INTO, newer)):
        lines = broken(trained, model, target=target, input_shapes=True)
        assert bool(lines) == (message is not None), lines
        assert message is None or any(re.match(message, line) for line in lines), lines


def test_an_output_without_a_batch_is_silent_in_the_older_class_alone(trained, model):
    declared = {"y": Tensor(("hits", 1))}
    (older,) = broken(trained, model, outputs=declared)
    assert "its data come out transposed, without an error, as soon as both differ" in older
    (newer,) = broken(trained, model, outputs=declared, target=INTO)
    assert "it must be the batch, or an exception is thrown" in newer
    # Of an input both throw.
    for target in (TARGET, INTO):
        (line,) = broken(trained, model, inputs={"x": Tensor(("hits", 2))}, target=target)
        assert "an exception is thrown" in line


def test_a_batch_that_is_declared_fixed_is_a_note(trained, model):
    for value in (model.graph.input[0], model.graph.output[0]):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    fixed = {"inputs": {"x": Tensor((1, 2))}, "outputs": {"y": Tensor((1, 1))}}
    for target in (TARGET, INTO):
        assert broken(trained, model, target=target, **fixed) == []
        told = notes(model.SerializeToString(), target, **fixed)
        assert told == [f"{place}: a caller must call with batch 1; any other throws an exception"
                        for place in ("input 'x'", "output 'y'")]  # fmt: skip
    # Where the declaration says that it is dynamic, it is a violation.
    assert any("axis 0 must be the dynamic batch" in line for line in broken(trained, model))
    assert notes(model.SerializeToString(), replace(TARGET, contract=None), **fixed) == []


def test_operators_of_the_runtimes_own_are_a_note_where_it_cannot_be_asked(trained, model):
    model.graph.node[-1].domain, model.graph.node[-1].op_type = "com.microsoft", "Gelu"
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    declared = {key: trained.model[key] for key in ("inputs", "outputs")}
    (line,) = notes(model.SerializeToString(), TARGETS["cmssw_14_0"], **declared)
    assert line.startswith(
        "com.microsoft's operators Gelu are ONNX Runtime's own, and nobody could check here whether 1.14.1"
    )
    assert notes(model.SerializeToString(), TARGET, **declared) == []


def test_one_batch_cannot_be_two():
    nodes = [helper.make_node("MatMul", ["x", "t"], ["y"])]
    shapes = {"x": [1, 8], "t": [8, 3], "y": [1, 3]}
    values = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()}
    graph = helper.make_graph(nodes, "g", [values["x"], values["t"]], [values["y"]])
    content = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8).SerializeToString()
    declared = {name: Tensor(tuple(shape)) for name, shape in shapes.items()}
    kinds = {"inputs": {name: declared[name] for name in "xt"}, "outputs": {"y": declared["y"]}}
    (line,) = violations(content, TARGET, metadata={}, **kinds)
    assert "takes one batch for all inputs and outputs, but axis 0 is fixed to 1 in input 'x', 8 in input 't'" in line
    assert violations(content, replace(TARGET, contract=None), metadata={}, **kinds) == []


def test_every_target_of_cmssw_says_which_generation_it_has():
    for name, facts in DEFAULTS["targets"].items():
        assert facts["class"] == (None if name == "latest" else "into" if name == "cmssw_dev" else "allocating")
    with pytest.raises(ConfigError, match=r"targets/mine/class is None with contract 'cmssw'"):
        require_classes({"mine": replace(TARGET, generation=None).document()})


def test_other_targets_have_no_such_contract(trained, model):
    free_width(model)
    freeze_batch(model)
    assert broken(trained, model, target=replace(TARGET, contract=None)) == []


def test_input_shapes_allow_further_dynamic_axes(trained, model):
    changed = copy.deepcopy(model)
    free_width(changed)
    assert broken(trained, changed, input_shapes=True) == []


def test_an_axis_that_is_not_the_batch_is_named(trained, model):
    declared = {"x": Tensor(("hits", 2))}
    (line,) = broken(trained, model, inputs=declared)
    assert "must be the batch" in line


def test_flat_lengths_are_what_cmssw_passes():
    assert flat_length(Tensor(("batch", 3, 4))) == 12
    assert flat_length(Tensor(("batch",))) == 1
    assert flat_length(Tensor(("batch", "particles", 4))) is None
    said = expected_metadata({"x": Tensor(("batch", 2))}, {"y": Tensor(("batch", 1), dtype="int64")}, 0.5)
    assert said["types"] == {"x": "float32", "y": "int64"}
    assert said["flat_lengths"] == {"x": 2, "y": 1}
