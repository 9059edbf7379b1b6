"""The targets' limits hold in their own runtimes; what has no wheel is checked statically, and said to be."""

import pytest
from onnx import TensorProto, helper
from support import DEFAULTS, PROJECT, SCHEMA, merge
from torchship.config.resolve import resolve
from torchship.config.targets import pins_of, require_environments, runtime_of, runtimes_of
from torchship.core.errors import ConfigError
from torchship.runtimes.frames import RefusedError
from torchship.runtimes.interpreters import interpreter
from torchship.runtimes.remote import Runtime

TARGETS = DEFAULTS["targets"]
WHEELS = [name for name, facts in TARGETS.items() if facts["wheel"]]


def probe(opset, ir, ml=1):
    """Return the smallest file of an operator set, also of ai.onnx.ml, and IR version."""
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 2]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "probe", [x], [y])
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", ml)]
    )
    model.ir_version = ir
    return model.SerializeToString()


@pytest.mark.parametrize("name", WHEELS)
def test_a_file_at_the_limit_loads_and_one_past_it_does_not(name):
    facts = TARGETS[name]
    with Runtime(interpreter(PROJECT / "envs" / pins_of(TARGETS, name))) as runtime:
        assert runtime.version == facts["onnxruntime"]
        runtime.open(probe(facts["opset"], facts["ir"], facts["ml"]))
        with pytest.raises(RefusedError, match=r"[Oo]pset .*ai\.onnx\.ml"):
            runtime.open(probe(facts["opset"], facts["ir"], facts["ml"] + 1))
        with pytest.raises(RefusedError, match=r"[Oo]pset"):
            runtime.open(probe(facts["opset"] + 1, facts["ir"]))
        with pytest.raises(RefusedError, match=r"Unsupported model IR version"):
            runtime.open(probe(facts["opset"], facts["ir"] + 1))


def test_the_targets_stand_in_order_of_their_runtimes():
    for key in ("opset", "ir", "ml"):
        limits = [facts[key] for facts in TARGETS.values()]
        assert limits == sorted(limits)
    # What ONNX's table has beside each operator set, of which those without a wheel rest on it alone.
    table = {opset: ml for _, _, opset, ml, *_ in helper.VERSION_TABLE}
    assert all(facts["ml"] == table[facts["opset"]] for facts in TARGETS.values())
    series = [name for facts in TARGETS.values() for name in facts["series"]]
    assert len(series) == len(set(series))


def test_the_oldest_runtime_that_is_newer_stands_in():
    assert runtime_of(TARGETS, "cmssw_15_0") == "cmssw_15_0"
    assert runtime_of(TARGETS, "cmssw_13_0") == "cmssw_14_2"
    assert runtimes_of(TARGETS, "cmssw_13_0") == ["cmssw_14_2", "latest"]
    assert runtimes_of(TARGETS, "latest") == ["latest"]
    newest = merge(TARGETS, {"future": {"onnxruntime": "2.0.0", "wheel": False}})
    assert runtime_of(newest, "future") == "latest"


def test_a_target_without_its_environment_stops_before_any_job():
    targets = merge(TARGETS, {"mine": {**TARGETS["latest"], "onnxruntime": "1.19.2"}})
    with pytest.raises(ConfigError, match=r"targets/mine: there is no envs/onnxruntime-1.19.2.yaml; write it"):
        require_environments(targets, ["mine"], PROJECT / "envs")
    require_environments(merge(targets, {"mine": {"wheel": False}}), ["mine"], PROJECT / "envs")
    nothing = {name: {**facts, "wheel": False} for name, facts in TARGETS.items()}
    with pytest.raises(ConfigError, match="none has `wheel: true`"):
        require_environments(nothing, ["latest"], PROJECT / "envs")
    changed = {**DEFAULTS, "targets": targets, "export": {**DEFAULTS["export"], "targets": ["mine"]}}
    with pytest.raises(ConfigError, match=r"targets/mine: there is no envs"):
        resolve(changed, SCHEMA, PROJECT)
