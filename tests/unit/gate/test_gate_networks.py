"""The gate on other networks than XOR: several inputs and outputs, further dynamic axes, integers, graphs."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from gating import NETWORKS, VALIDATE, gated, needed_of, network_file
from onnx import TensorProto, numpy_helper
from support import PROJECT, TARGETS
from torch import nn
from torchship.core.errors import ParityError, WitnessError
from torchship.data.domain import draw, edge_draws
from torchship.gate import examine
from torchship.gate.case_inputs import LARGE_DRAWS, make_inputs
from torchship.gate.cases import Witnesses, witness_cases
from torchship.gate.judge import check_signature
from torchship.gate.locate import lacking
from torchship.gate.session import ExportedFile
from torchship.gate.witness import arbiter as arbiters
from torchship.gate.witness.arbiter import witness_in_parts
from torchship.gate.witness.limits import LEAST, Recorded, Witnessed, ratios
from torchship.gate.witness.torch_arbiter import TorchArbiter
from torchship.runtimes.frames import RefusedError
from torchship.runtimes.interpreters import interpreter
from torchship.runtimes.local import LocalRuntime
from torchship.runtimes.remote import Runtime
from torchship.spec.axes import shape_matrix, traced_sizes
from torchship.spec.tensor import Tensor

CORRECT = [name for name in NETWORKS if name != "lost_bias"]


@pytest.mark.parametrize("name", CORRECT)
def test_correct_files_pass(name):
    network = gated(name)
    evidence = network.judge(search={"evaluations": 512})
    assert evidence["failures"] == []
    assert 0.01 < evidence["worst"]["ratio"] < 0.6
    assert evidence["search"]["worst"]["ratio"] < 0.8
    # Every dynamic axis is tried at the size that was traced, at another prime, and empty unless that cannot be.
    for axis, traced in traced_sizes(network.inputs).items():
        tried = {entry["sizes"][axis] for entry in evidence["cases"]}
        assert {1, 2, 7, traced} <= tried
        assert (0 in tried) == (axis not in ("particles",))


@pytest.mark.parametrize("name", CORRECT)
def test_correct_files_pass_in_the_oldest_runtime_that_is_installed(name):
    version = TARGETS["cmssw_14_2"].onnxruntime
    with Runtime(interpreter(PROJECT / "envs" / f"onnxruntime-{version}.yaml")) as runtime:
        evidence = gated(name).judge(runtime=runtime)
    assert evidence["failures"] == []
    assert evidence["runtimes"][0]["setting"].startswith(f"ONNX Runtime {version}")


def test_a_file_that_lost_its_float64_is_found_and_placed():
    network = gated("double_mass")
    twin = copy.deepcopy(network.proto)
    casts = [node for node in twin.graph.node if node.op_type == "Cast"]
    for node in casts:
        next(attribute for attribute in node.attribute if attribute.name == "to").i = TensorProto.FLOAT
    for value in twin.graph.initializer:
        if value.data_type == TensorProto.DOUBLE:
            narrow = numpy_helper.from_array(numpy_helper.to_array(value).astype(np.float32), value.name)
            value.CopyFrom(narrow)
    del twin.graph.value_info[:]
    assert casts
    evidence = network.judge(twin.SerializeToString())
    assert evidence["verdict"] == "failed"
    assert evidence["failures"][0]["check"] == "parity"


def test_a_lost_bias_is_found_and_placed():
    """Runtime, file and exporter agree with each other; the eager module does not (the case of a real analysis)."""
    evidence = gated("lost_bias").judge()
    first = evidence["failures"][0]
    assert first["check"] == "parity"
    assert evidence["worst"]["ratio"] > 1e5
    located = evidence["located"]
    assert (located["node"], located["after"], located["fault"]) == ("node_relu", "node_matmul", "file")
    # What the file lacks is told by the line of the module that computes it.
    line = next(
        n for n, text in enumerate(network_file("lost_bias").read_text().splitlines(), 1) if "x + self.bias" in text
    )
    assert located["lacks"] == {"operation": "add", "module": "first", "line": f"networks/lost_bias.py:{line}"}


def test_a_write_that_a_file_lacks_is_told_although_it_came_from_a_mask():
    """Of a mask nobody can say whether the file has it, and nothing was named beside the last layer."""
    telling, mask = np.array([[0.3, 0.7]]), np.array([[0.0, 1.0]])

    def recorded(name, value, sources, line="models/net.py:7"):
        return Recorded(name, Witnessed(value, value, value * 1e-7, value * 0.0), "", line, sources)

    record = [recorded("to_copy", mask, ()), recorded("index_put", telling, (0,)), recorded("addmm", telling, (1,))]
    assert lacking(record, set())["operation"] == "index_put"
    assert lacking(record, {1})["operation"] == "addmm"
    assert lacking(record, {2}) is None


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.long) if name == "transformer" else name for name in CORRECT]
)
def test_one_percent_of_one_weight_is_caught_in_every_layer(name, monkeypatch):
    """And placed, in one of layers that are alike, since looking for the place takes longest by far."""
    network, placed = gated(name), set()
    for tensor in network.proto.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size == 1:
            continue  # a scalar is a constant of the code, such as an epsilon
        if values.shape in placed:
            monkeypatch.setattr(examine.Examination, "_locate", lambda *_: {"node": "not asked for"})
        # Some weights do nothing, such as the bias of the keys in attention: of the largest some one must.
        for place in np.abs(values).ravel().argsort()[:-9:-1]:
            mutant = copy.deepcopy(network.proto)
            (mine,) = [other for other in mutant.graph.initializer if other.name == tensor.name]
            changed = values.copy()
            changed.flat[place] *= 1.01
            mine.CopyFrom(numpy_helper.from_array(changed, tensor.name))
            evidence = network.judge(mutant.SerializeToString())
            if evidence["failures"]:
                break
        assert evidence["failures"], tensor.name
        assert evidence["failures"][0]["check"] == "parity", tensor.name
        assert evidence["located"] is not None, tensor.name
        monkeypatch.undo()
        placed.add(values.shape)


def test_a_failing_node_is_named_with_its_module():
    network = gated("transformer")
    mutant = copy.deepcopy(network.proto)
    # The exporter keeps the transposed weight of a layer under a name of its own.
    weight = next(node.input[1] for node in mutant.graph.node if network.modules[node.name]["module"] == "blocks.1.up")
    for tensor in mutant.graph.initializer:
        if tensor.name == weight:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * np.float32(1.001), tensor.name))
    located = network.judge(mutant.SerializeToString())["located"]
    assert located["module"] == "blocks.1.up"
    assert located["operator"] in ("MatMul", "Gemm", "Add")


def test_the_limit_of_many_random_networks_holds():
    """No false alarm: torch's float32 stands in for the runtime, whose matrix the mutation suite runs, on 3,000."""
    activations = [nn.ReLU(), nn.Tanh(), nn.Sigmoid(), nn.GELU(), nn.SiLU(), nn.Softmax(dim=1), nn.LayerNorm(8)]
    generator = np.random.default_rng(0)
    largest = []
    for seed in range(100):
        torch.manual_seed(seed)
        layers = [layer for _ in range(seed % 5) for layer in (nn.Linear(8, 8), activations[generator.integers(7)])]
        module = nn.Sequential(nn.Linear(3, 8), activations[seed % 7], *layers, nn.Linear(8, 2))
        x = generator.uniform(-3, 3, (50, 3)).astype(np.float32)
        largest.append(needed_of(TorchArbiter(module, ["x"], ["y"], seed), {"x": x})[0]["y"])
    # Which operations are off by how much depends on the processor.
    assert max(largest) < 0.75 * LEAST
    # The limit is near what rounding does, for all of them.
    assert np.median(largest) > 1.0


def test_a_deep_network_keeps_a_tight_limit():
    """The rigorous bound of eight wide layers exceeds the outputs; the spread does not."""
    torch.manual_seed(0)
    layers = [layer for _ in range(8) for layer in (nn.Linear(128, 128), nn.ReLU())]
    module = nn.Sequential(*layers, nn.Linear(128, 1), nn.Sigmoid()).eval()
    x = torch.randn(200, 128).numpy()
    output = TorchArbiter(module, ["x"], ["y"]).witness({"x": x})["y"]
    limit = LEAST * output.scale
    assert limit.max() < 1e-5
    assert ratios(output.single, output.exact, limit).max() < 0.5
    for layer in module:
        if isinstance(layer, nn.Linear):
            kept = layer.weight.data.clone()
            layer.weight.data *= 1.01
            changed = TorchArbiter(module, ["x"], ["y"]).evaluate({"x": x})["y"]
            assert ratios(changed, output.exact, limit).max() > 1.0
            layer.weight.data = kept


def test_witnesses_that_disagree_judge_nobody():
    class Overflowing(nn.Module):
        def forward(self, x):
            return torch.exp(100.0 * x) / torch.exp(100.0 * x - 1.0)

    x = np.linspace(-1, 1, 1000, dtype=np.float32)[:, None]
    with pytest.raises(
        ParityError,
        match=r"the witnesses disagree: the arbiter's own float32 is .* spreads .*, in case 0 \(drawn\), output y, event .*: of "
        r"what rounding does, 'exp' at gate/test_gate_networks.py:\d+ makes it",
    ):
        needed_of(TorchArbiter(Overflowing(), ["x"], ["y"]), {"x": x})


def test_an_output_that_is_all_but_constant_is_told_so():
    """What float32 takes for a constant is compared as one; a little less, and nothing can be told."""

    class Saturated(nn.Module):
        def __init__(self, shift):
            super().__init__()
            self.shift = shift

        def forward(self, x):
            return torch.sigmoid(x + self.shift)

    def witnessed(shift):
        inputs = {"x": Tensor(("batch", 2), low=-1.0, high=1.0)}
        made = make_inputs(inputs, None, VALIDATE, beyond=2, seed=0)
        return witness_cases(Witnesses(TorchArbiter(Saturated(shift), ["x"], ["y"])), made, VALIDATE["widest_limit"])

    assert witnessed(30.0)[1]["widths"]["y"]["largest"] < 1e-5
    with pytest.raises(WitnessError, match="because the output is all but constant, about 1; give what it saturates"):
        witnessed(14.0)


def test_a_module_that_casts_by_itself_is_still_evaluated_in_float64():
    class Casts(nn.Module):
        def forward(self, x):
            return (x.double() / 3.0).float() + torch.zeros(1)

    x = np.array([[1.0]], dtype=np.float32)
    assert TorchArbiter(Casts(), ["x"], ["y"]).evaluate({"x": x})["y"][0, 0] == 1.0 / 3.0


def test_an_empty_axis_that_the_file_refuses_is_named():
    network = gated("transformer")
    validate = {"batch_sizes": [1, 2], "axis_sizes": [1, 2, 7], "never_empty": []}
    made = list(make_inputs(network.inputs, None, validate, beyond=2, seed=0))
    cases, facts = witness_cases(network.witnesses, made)
    assert facts["not_taken"] == []
    kept, network.cases = network.cases, cases
    try:
        messages = [failure["message"] for failure in network.judge()["failures"]]
    finally:
        network.cases = kept
    assert (
        "axis 'particles' takes only [1, 2, 5, 7]: sizes [0] were refused; if it is never empty, say so in "
        "validate/never_empty"
    ) in messages


def test_an_empty_axis_that_the_module_refuses_is_recorded():
    class Largest(nn.Module):
        def forward(self, x):
            return x.max(dim=1).values

    inputs = {"x": Tensor(("batch", "hits"), low=0.0, high=1.0)}
    validate = {"batch_sizes": [1, 2], "axis_sizes": [1, 2], "never_empty": []}

    witnesses = Witnesses(TorchArbiter(Largest(), ["x"], ["y"]))
    cases, facts = witness_cases(witnesses, make_inputs(inputs, None, validate, beyond=1, seed=0))
    assert {entry["sizes"]["hits"] for entry in facts["not_taken"]} == {0}
    assert "does not take x [5, 0]" in facts["not_taken"][0]["reason"]
    assert all(case.about["sizes"]["hits"] > 0 for case in cases)


def test_the_shape_matrix_of_a_graph_has_no_edges_without_hits():
    inputs, _ = NETWORKS["graph_attention"]
    sizes = shape_matrix(inputs, {"axis_sizes": [1, 2, 7], "never_empty": []}, beyond=1)
    assert {"hits": 5, "edges": 0} in sizes
    assert not any(shape["hits"] == 0 and shape["edges"] > 0 for shape in sizes)
    origins = {case.about["origin"] for case in gated("graph_attention").cases}
    assert {"edges all first", "edges all last"} <= origins


def test_draws_stay_in_the_domain():
    inputs, _ = NETWORKS["transformer"]
    sizes = {"batch": 100, "particles": 6}
    for _, way in edge_draws(inputs):
        drawn = draw(inputs, way, sizes, np.random.default_rng(0))
        assert drawn["particles"].shape == (100, 6, 4)
        assert np.abs(drawn["particles"]).max() <= 2.0
        assert set(np.unique(drawn["present"])) <= {0.0, 1.0}


def test_a_signature_is_compared_name_by_name_and_axis_by_axis():
    network = gated("transformer")
    file, runtime = ExportedFile(network.content, network.inputs, network.outputs), LocalRuntime()
    signature = runtime.signature(runtime.open(network.content))
    assert check_signature(signature, file) == []
    (name, kind, shape), (second, _, its) = signature["inputs"]
    frozen = {**signature, "inputs": [(name, kind, [shape[0], 7, *shape[2:]]), signature["inputs"][1]]}
    assert "axis 'particles' (axis 1) is frozen at 7" in str(check_signature(frozen, file)[0])
    other = {**signature, "inputs": [signature["inputs"][0], (second, "tensor(double)", its)]}
    assert "input 'present': is tensor(double), declared tensor(float)" in str(check_signature(other, file)[0])
    swapped = {**signature, "outputs": [*reversed(signature["outputs"])]}
    assert "the file's outputs are in order ['mass', 'classes']" in str(check_signature(swapped, file)[0])
    wide = {**signature, "inputs": [(name, kind, [*shape[:2], 5]), signature["inputs"][1]]}
    assert "axis 2 is 5, declared 4" in str(check_signature(wide, file)[0])


def test_bad_input_is_tabled_and_promises_are_tested():
    network = gated("batch_norm")
    evidence = network.judge(promises={"nan": "nan", "outside": "as_torch", "denormal": "finite", "empty": "as_torch"})
    assert evidence["failures"] == []
    rows = {row["what"]: row for row in evidence["bad_input"]}
    assert rows["nan in x[0]"]["kind"] == rows["nan in x[0]"]["torch"] == "NaN"
    assert rows["nan in x[0]"]["neighbours"]
    assert rows["x called x_"]["outcome"] == "refused"
    broken = network.judge(promises={"nan": "finite", "empty": "refused"})["failures"]
    assert [(failure["check"], failure["place"]) for failure in broken] == [
        ("promise", "nan in x[0]"), ("promise", "a batch of 0"),
    ]  # fmt: skip
    assert "the model promises 'finite' (nan), the runtime gives NaN numbers" in broken[0]["message"]


def test_an_index_beyond_its_axis_is_tabled():
    rows = [row for row in gated("graph_attention").judge()["bad_input"] if row["condition"] == "outside"]
    beyond = next(row for row in rows if row["what"] == "5 in edges[0]")
    assert beyond["torch"] == "refused"
    assert beyond["outcome"] == "refused"


def test_decisions_that_change_are_counted():
    """Close scores: an error far beyond the limit changes sides."""
    network = gated("batch_norm")
    events = draw(network.inputs, edge_draws(network.inputs)[0][1], {"batch": 200}, np.random.default_rng(0))
    validate = {"batch_sizes": [64], "axis_sizes": [1], "never_empty": []}
    made = make_inputs(network.inputs, events, validate, beyond=1, seed=0)
    kept = network.cases
    network.cases, _ = witness_cases(network.witnesses, made)
    try:
        assert [case.about["first"] for case in network.cases if "first" in case.about] == [0, 64, 128, 192]
        right = network.judge()["decisions"]
        mutant = copy.deepcopy(network.proto)
        for tensor in mutant.graph.initializer:
            if tensor.name == "last.bias":
                shifted = numpy_helper.to_array(tensor) + np.array([0.3, 0, 0], dtype=np.float32)
                tensor.CopyFrom(numpy_helper.from_array(shifted, tensor.name))
        wrong = network.judge(mutant.SerializeToString())["decisions"]
    finally:
        network.cases = kept
    assert (right["events"], right["changed"], right["first"]) == (200, 0, None)
    assert right["nearest"]["limits"] > 1.0
    assert 0 < wrong["changed"] < 200
    assert wrong["first"] is not None


class Crashing(Runtime):
    """A runtime whose process is killed in the middle."""

    def kill(self):
        self._process.kill()
        self._process.wait()


def test_a_runtime_that_crashes_refuses_and_goes_on():
    content = gated("batch_norm").content
    x = np.ones((2, 4), dtype=np.float32)
    with Crashing(Path(interpreter(PROJECT / "envs" / "onnxruntime-1.32.0.yaml"))) as runtime:
        number = runtime.open(content)
        before = runtime.run(number, {"x": x})
        runtime.kill()
        with pytest.raises(RefusedError, match=r"the runtime 1.32.0 crashed: killed by SIGKILL"):
            runtime.run(number, {"x": x})
        assert np.array_equal(runtime.run(number, {"x": x})["y"], before["y"])


def test_a_file_that_crashes_the_load_is_refused():
    with (
        Runtime(interpreter(PROJECT / "envs" / "onnxruntime-1.32.0.yaml")) as runtime,
        pytest.raises(RefusedError, match="protobuf"),
    ):
        runtime.open(b"not a model")


def test_axes_are_frozen_by_an_example_of_one_size():
    """What a careless export does: the batch of the example is a constant of the file."""
    network = gated("batch_norm")
    mutant = copy.deepcopy(network.proto)
    for value in [*mutant.graph.input, *mutant.graph.output]:
        value.type.tensor_type.shape.dim[0].dim_value = 7
    messages = [str(failure["message"]) for failure in network.judge(mutant.SerializeToString())["failures"]]
    assert any("axis 'batch' (axis 0) is frozen at 7" in message for message in messages)
    assert any("axis 'batch' is frozen at 7: sizes" in message for message in messages)


def test_a_large_batch_is_witnessed_in_parts_only_if_its_events_are_independent(monkeypatch):
    monkeypatch.setattr(arbiters, "PART", 16)
    network = gated("batch_norm")
    feed = {"x": np.random.default_rng(0).uniform(-2, 2, (50, 4)).astype(np.float32)}
    arbiter = network.witnesses.arbiter
    parts, whole = witness_in_parts(arbiter, feed)["y"], arbiter.witness(feed)["y"]
    assert np.allclose(parts.exact, whole.exact, rtol=1e-14)
    assert not np.array_equal(parts.scale, whole.scale)
    assert 0.5 < np.median(parts.scale / whole.scale) < 2.0

    class Coupled(nn.Module):
        def forward(self, x):
            return x - x.mean(dim=0)

    coupled = TorchArbiter(Coupled(), ["x"], ["y"])
    assert np.array_equal(witness_in_parts(coupled, feed)["y"].scale, coupled.witness(feed)["y"].scale)


class Averaged(nn.Module):
    def forward(self, x):
        return x.tanh(), x.mean()


def test_a_large_batch_with_an_output_of_no_events_is_witnessed_at_once(monkeypatch):
    monkeypatch.setattr(arbiters, "PART", 16)
    feed = {"x": np.random.default_rng(0).uniform(-2, 2, (50, 4)).astype(np.float32)}
    arbiter = TorchArbiter(Averaged(), ["x"], ["y", "mean"])
    found, whole = witness_in_parts(arbiter, feed), arbiter.witness(feed)
    assert found["mean"].exact.shape == ()
    assert all(np.array_equal(found[name].scale, whole[name].scale) for name in whole)


def test_graphs_are_tried_at_their_largest_too():
    large = [case for case in gated("graph_attention").cases if case.about["origin"].endswith("large")]
    assert len(large) == LARGE_DRAWS
    assert {tuple(case.about["sizes"].values()) for case in large} == {(7, 7)}
