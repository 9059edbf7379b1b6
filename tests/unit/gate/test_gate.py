"""The gate in a run: passes what is right, and stops everything that is not, with numbers."""

import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from support import DEFAULTS, PROJECT, TARGETS, merge
from torchship.core.errors import ParityError, TargetError
from torchship.core.files import read_json, sha256, write_json
from torchship.data.datasets import read_arrays
from torchship.gate.case import Case
from torchship.gate.cases import Witnesses, read_cases, read_inputs, write_inputs
from torchship.gate.compare import compare
from torchship.gate.search import POPULATION
from torchship.gate.verdict import verdict_line
from torchship.gate.witness.error_bound import gamma
from torchship.gate.witness.torch_arbiter import TorchArbiter
from torchship.gate.witness.witnesses import torch_witnesses
from torchship.runtimes import interpreters
from torchship.runtimes.interpreters import interpreter
from torchship.spec.axes import AxisRange
from torchship.spec.tensor import Tensor

from find_runtime import find_runtime
from validate_target import validate_target


def pins_of(target):
    return PROJECT / "envs" / f"onnxruntime-{DEFAULTS['targets'][target]['onnxruntime']}.yaml"


def gate(
    trained,
    folder,
    file,
    target="latest",
    runtime=None,
    facts=None,
    exported=None,
    evaluations=0,
    claims=(),
    **validate,
):
    """Examine a file of the trained network; give the evidence."""
    write_json(folder / "export.json", read_json(trained.export[target]) | {"sha256": sha256(file)})
    find_runtime(pins_of(runtime or target), folder / "runtime.json")
    changes = {"search": {"evaluations": evaluations}, **validate}
    model = {**trained.model, "validate": merge(trained.model["validate"], changes)}
    outputs = {name: folder / f"{name}.json" for name in ("validation", "evidence")}
    outputs |= {name: folder / f"{name}.safetensors" for name in ("errors", "worst")} | {"page": folder / "gate.html"}
    witnesses = torch_witnesses(model, trained.network, trained.trained, trained.weights, trained.python)
    validate_target(
        file, exported or folder / "export.json", trained.cases, witnesses, [folder / "runtime.json"], outputs,
        what=f"xor/{target}", target=facts or TARGETS[target], model=model, claims=claims,
    )  # fmt: skip
    return read_json(folder / "validation.json")


def changed(trained, folder, change):
    """Return a copy of the exported file after a change to the model."""
    model = onnx.load(trained.onnx["latest"])
    change(model)
    path = folder / "changed.onnx"
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("target", ["latest", "cmssw_14_2", "cmssw_15_0"])
def test_a_correct_file_passes_in_its_own_runtime(trained, tmp_path, target):
    evidence = gate(trained, tmp_path, trained.onnx[target], target, evaluations=256)
    assert evidence["verdict"] == "passed"
    assert evidence["failures"] == []
    assert evidence["runtime"]["onnxruntime"] == TARGETS[target].onnxruntime
    assert {case["sizes"]["batch"] for case in evidence["cases"]} == {0, 1, 2, 3, 4, 7, 64, 256, 1000}
    assert 0.0 < evidence["worst"]["ratio"] < 1.0
    assert evidence["decisions"]["events"] == 4
    assert evidence["decisions"]["changed"] == 0
    assert 0.0 < evidence["search"]["worst"]["ratio"] < 1.0
    settings = [row["setting"] for row in evidence["runtimes"]]
    assert [text.split(", ", 1)[-1] for text in settings] == [
        "optimization all, 2 threads", "optimization disabled, 1 thread", "optimization disabled, 2 threads",
        "optimization all, 1 thread, event by event", "the arbiter's own float32",
    ]  # fmt: skip
    errors = read_arrays(tmp_path / "errors.safetensors")
    assert len(errors["input"]) == len(errors["ratio"]) == sum(case["sizes"]["batch"] for case in evidence["cases"])
    assert np.abs(errors["signed/y"]).max() == evidence["worst"]["ratio"]


def test_the_same_file_gives_the_same_evidence(trained, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        gate(trained, tmp_path / name, trained.onnx["latest"], evaluations=512)
    for file in ("validation.json", "errors.safetensors", "worst.safetensors"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def scale_initializer(name, factor):
    def change(model):
        for tensor in model.graph.initializer:
            if tensor.name == name:
                values = numpy_helper.to_array(tensor).copy()
                values.flat[0] *= factor
                tensor.CopyFrom(numpy_helper.from_array(values, name))

    return change


@pytest.mark.parametrize("name", ["l1.weight", "l1.bias", "l2.weight", "l2.bias"])
@pytest.mark.parametrize("factor", [1.01, 1.0001, np.nan])
def test_one_changed_number_in_any_layer_is_caught(trained, tmp_path, name, factor):
    model = changed(trained, tmp_path, scale_initializer(name, factor))
    with pytest.raises(
        ParityError, match=r"xor/latest: .*\|Δ\| = .* at event \d+, output y\[0\].*first differs at node"
    ) as e:
        gate(trained, tmp_path, model)
    assert f"of torch module '{name.split('.')[0]}'" in str(e.value)
    assert not (tmp_path / "validation.json").exists()
    evidence = read_json(tmp_path / "evidence.json")
    assert evidence["verdict"] == "failed"
    assert evidence["failures"][0]["check"] == "parity"


def test_the_worst_input_is_replayed(trained, tmp_path):
    """What the search of one run found is a case of the next, against the limits of today."""
    gate(trained, tmp_path, trained.onnx["latest"], evaluations=256)
    assert (tmp_path / "worst.safetensors").exists()
    model = changed(trained, tmp_path, scale_initializer("l2.bias", 1.001))
    with pytest.raises(ParityError, match="also of: regression"):
        gate(trained, tmp_path, model)
    (tmp_path / "worst.safetensors").write_bytes(b"half")
    assert gate(trained, tmp_path, trained.onnx["latest"])["verdict"] == "passed"


def test_a_witness_that_refuses_what_a_search_made_up_is_told_with_run_and_target(trained, tmp_path, monkeypatch):
    gate(trained, tmp_path, trained.onnx["latest"], evaluations=256)
    kept, page = read_arrays(tmp_path / "worst.safetensors"), tmp_path / "report.html"
    page.touch()
    right = TorchArbiter.evaluate

    def refusing(self, feed, *others):
        if len(feed["x"]) == POPULATION:
            raise ParityError("the torch module does not take x [256, 2]")
        return right(self, feed, *others)

    monkeypatch.setattr(TorchArbiter, "evaluate", refusing)
    with pytest.raises(ParityError, match=r"^xor/latest: no verdict: the torch module does not take x \[256, 2\]$"):
        gate(trained, tmp_path, trained.onnx["latest"], evaluations=256, claims=[page])
    assert not page.exists()
    assert read_arrays(tmp_path / "worst.safetensors").keys() == kept.keys()


def test_what_was_kept_outside_of_todays_declaration_is_not_replayed(tmp_path, caplog):
    """Who narrows the domain, since the file fails beyond it, is not stopped by what the search found there."""
    arbiter = TorchArbiter(torch.nn.Linear(2, 3), ["x"], ["y"], 1)
    x = np.array([[-1.0, 0.5], [0.5, 2.0]], np.float32)
    write_inputs(tmp_path / "worst.safetensors", [Case({"origin": "", "sizes": {"batch": 2}}, {"x": x}, {}, {}, {})])

    def kept(**changes):
        axes = changes.pop("axes", {})
        declared = {"x": Tensor(**{"shape": ("batch", 2), "low": -1.0, "high": 2.0, **changes})}
        caplog.clear()
        return len(
            read_inputs(tmp_path / "worst.safetensors", Witnesses(arbiter), {"y": 12.0}, declared, axes)
        ), caplog.text

    assert kept() == (1, "")
    for changes, message in (
        ({"high": 1.0}, r"'x' goes from -1 to 2, outside of the declared domain, -1 to 1"),
        ({"dtype": "float64"}, r"'x' is float32, declared float64"),
        ({"shape": ("batch", 3)}, r"'x' has shape \(2, 2\), declared \['batch', 3\]"),
        ({"axes": {"batch": AxisRange(multiple=4)}}, r"a batch of 2; `axes` says least 0, multiple 4"),
        ({"shape": ("batch", 2, 1)}, r"'x' has shape \(2, 2\), declared"),
    ):
        count, told = kept(**changes)
        assert count == 0
        assert re.search(f"no longer fits, and is not replayed: what a search has found: {message}", told)


def test_a_frozen_batch_is_named(trained, tmp_path):
    def freeze(model):
        for value in [*model.graph.input, *model.graph.output]:
            value.type.tensor_type.shape.dim[0].dim_value = 1

    with pytest.raises(
        ParityError, match=r"axis 'batch' is frozen at 1: sizes \[0, 2, 3, 4, 7, 64, 256, 1000\] were refused"
    ):
        gate(trained, tmp_path, changed(trained, tmp_path, freeze))


def test_a_file_that_does_not_load_is_named(trained, tmp_path):
    (tmp_path / "half.onnx").write_bytes(trained.onnx["latest"].read_bytes()[:100])
    with pytest.raises(ParityError, match=r"ONNX Runtime 1.32.0: .*protobuf parsing failed"):
        gate(trained, tmp_path, tmp_path / "half.onnx")


def test_a_newer_ir_version_than_the_runtime_takes_is_refused(trained, tmp_path):
    def newer(model):
        model.ir_version = 99

    with pytest.raises(ParityError, match=r"Unsupported model IR version: 99"):
        gate(trained, tmp_path, changed(trained, tmp_path, newer))


def test_an_opset_beyond_the_target_is_refused(trained, tmp_path):
    with pytest.raises(ParityError, match=r"opset 20 is newer than the target's 19"):
        gate(trained, tmp_path, trained.onnx["latest"], facts=replace(TARGETS["latest"], opset=19))


def test_another_runtime_than_the_targets_is_refused(trained, tmp_path):
    with pytest.raises(ParityError, match=r"ran in ONNX Runtime 1.32.0, the target ships 1.17.1"):
        gate(trained, tmp_path, trained.onnx["cmssw_14_2"], "cmssw_14_2", runtime="latest")


def test_a_file_that_changed_after_export_is_refused(trained, tmp_path):
    file = changed(trained, tmp_path, scale_initializer("l1.bias", 1.0 + 1e-7))
    with pytest.raises(ParityError, match=r"the file has changed since it was exported"):
        gate(trained, tmp_path, file, exported=trained.export["latest"])


@pytest.mark.parametrize(
    "damage", [lambda content: content[:100], lambda content: content.replace(b"l1.bias", b"l1.bais", 1)]
)
def test_a_damaged_file_is_first_of_all_said_to_have_changed(trained, tmp_path, damage):
    """Whatever else the runtime says of it."""
    (tmp_path / "damaged.onnx").write_bytes(damage(trained.onnx["latest"].read_bytes()))
    message = r"xor/latest: the file has changed since it was exported: sha256 \w+…, was \w+…; export it anew"
    with pytest.raises(ParityError, match=message):
        gate(trained, tmp_path, tmp_path / "damaged.onnx", exported=trained.export["latest"])


def test_metadata_that_an_export_wrote_wrongly_are_held_against_the_configuration(trained, tmp_path):
    """The report beside the file says what the file says, and is no witness of it."""
    report = read_json(trained.export["latest"])
    report["metadata"]["working_point"] = 0.7

    def lie(model):
        (entry,) = (entry for entry in model.metadata_props if entry.key == "working_point")
        entry.value = "0.7"

    model = changed(trained, tmp_path, lie)
    write_json(tmp_path / "other.json", report | {"sha256": sha256(model)})
    with pytest.raises(ParityError, match=r"the metadata's 'working_point' is 0.7, the configuration says 0.5"):
        gate(trained, tmp_path, model, exported=tmp_path / "other.json")


def test_a_tighter_tolerance_refuses_more(trained, tmp_path):
    with pytest.raises(ParityError, match=r"\|Δ\| = .* > "):
        gate(trained, tmp_path, trained.onnx["latest"], tolerance=1e-6)


def test_a_looser_tolerance_is_reported_with_its_reason(trained, tmp_path):
    model = changed(trained, tmp_path, scale_initializer("l1.bias", 1.00001))
    evidence = gate(trained, tmp_path, model, tolerance=1e6, reason="an exception for a test")
    assert (evidence["verdict"], evidence["tolerance"]) == ("passed", 1e6)
    assert evidence["reason"] == "an exception for a test"


def test_the_evidence_survives_a_failure_and_names_every_kind(trained, tmp_path):
    with pytest.raises(ParityError):
        gate(trained, tmp_path, changed(trained, tmp_path, scale_initializer("l1.bias", 2.0)), evaluations=256)
    kinds = {failure["check"] for failure in read_json(tmp_path / "evidence.json")["failures"]}
    assert {"parity", "search"} <= kinds


def test_cases_hold_the_matrix_of_shapes(trained):
    cases, facts = read_cases(trained.cases)
    assert facts["factors"] == {name: max(12.0, 4.0 * needed) for name, needed in facts["needed"].items()}
    assert facts["handcoded"]["y"] < 1.0
    sizes = {case.about["sizes"]["batch"] for case in cases if case.about["origin"] == "uniform over the domain"}
    # Empty, the traced size, the configured ones; the largest is beyond any batch of the training.
    assert sizes == {0, 1, 2, 3, 7, 1000}
    assert [case.about["first"] for case in cases if "first" in case.about] == [0]
    for case in cases:
        assert case.feed["x"].dtype == np.float32
        assert (case.limit["y"] > 0.0).all()


def test_a_missing_runtime_names_the_command_that_makes_it(tmp_path, monkeypatch):
    pins = tmp_path / "onnxruntime-0.0.1.yaml"
    pins.write_text("      - onnxruntime==0.0.1\n")
    monkeypatch.setattr(interpreters, "RUNTIMES", tmp_path)
    with pytest.raises(TargetError, match=r"onnxruntime-0.0.1.yaml is not installed; run `make runtimes`"):
        interpreter(pins)
    (tmp_path / "onnxruntime-0.0.1" / "bin").mkdir(parents=True)
    (tmp_path / "onnxruntime-0.0.1" / "bin" / "python").symlink_to(sys.executable)
    with pytest.raises(TargetError, match=r"is not as .* pins it; run `make runtimes`: .*onnxruntime"):
        interpreter(pins)
    assert interpreter(pins_of("latest")) == Path(sys.executable)


def test_comparison_counts_every_kind_of_difference():
    value, bound = np.array([[1.0], [np.nan], [np.inf]]), np.full((3, 1), 1e-3)
    assert compare(value, value, bound).ratio == 0.0
    for other in ([[np.nan], [np.nan], [np.inf]], [[1.0], [0.0], [np.inf]], [[1.0], [np.nan], [-np.inf]]):
        assert compare(np.array(other), value, bound).ratio == np.inf
    assert compare(value + 1e-4, value, bound).ratio == pytest.approx(0.1)
    assert compare(value + 2.0**-22, value, bound).ulp == pytest.approx(2.0)
    assert compare(value + 1.0, value, np.full((3, 1), np.nan)).ratio == np.inf
    with pytest.raises(ParityError, match="nothing to compare"):
        compare(np.zeros((0, 1)), np.zeros((0, 1)), np.zeros((0, 1)))


def summed(terms):
    """Return the sum of float32 numbers, one after another, as a float32."""
    total = np.float32(0)
    for term in terms:
        total += term
    return float(total)


def share_of_gamma(terms, orders):
    """Return how much of its bound by gamma the sum of float32 numbers is off, in each order of them."""
    exact = terms.astype(np.float64).sum()
    bound = gamma(len(terms), 2.0**-24) * np.abs(terms).astype(np.float64).sum()
    return [abs(summed(terms[order]) - exact) / bound for order in orders]


@pytest.mark.parametrize("count", [2, 10, 1000])
def test_gamma_bounds_every_order_of_a_float32_sum(count):
    generator = np.random.default_rng(0)
    orders = [generator.permutation(count) for _ in range(50)]
    # With many random terms no order comes near.
    assert max(share_of_gamma(generator.normal(size=count).astype(np.float32), orders)) < (0.01 if count > 100 else 1.0)
    # The worst: each of the small ones is half a spacing of the sum so far, and rounded away. With n terms there are
    # n - 1 roundings of n that gamma allows.
    terms = np.full(count, 2.0**-24, dtype=np.float32)
    terms[0] = 1.0
    worst, best, *random = share_of_gamma(terms, [np.arange(count), np.arange(count)[::-1], *orders])
    assert worst == pytest.approx((count - 1) / count, rel=1e-3)
    assert max(*random, worst) <= 1.0
    # The small ones first: one rounding, the last.
    assert best == pytest.approx(1.0 / count, rel=1e-3)


def test_a_runtime_that_cannot_be_had_is_never_said_to_pass(trained, tmp_path):
    facts = replace(TARGETS["cmssw_13_0"], opset=20, ir=9)
    evidence = gate(trained, tmp_path, trained.onnx["cmssw_14_2"], "cmssw_14_2", facts=facts)
    assert evidence["verdict"] == "static only"
    assert evidence["runtime"]["static_only"]
    assert verdict_line(evidence).startswith(
        "static only, ONNX Runtime 1.10.0 cannot be had here: nothing wrong found; in 1.17.1 instead, "
    )
    with pytest.raises(ParityError, match=r"xor/cmssw_14_2: opset 20 is newer than the target's 15"):
        gate(trained, tmp_path, trained.onnx["cmssw_14_2"], "cmssw_14_2", facts=replace(facts, opset=15))
