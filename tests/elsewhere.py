"""ONNX files as other frameworks write them, each with one trait, and the road of such a file without Snakemake."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from support import DEFAULTS, PROJECT, SCHEMA, TARGETS, case_outputs, merge
from torchship.config.resolve import resolve
from torchship.core.files import read_json
from torchship.data.datasets import read_about
from torchship.gate.witness.witnesses import read_witnesses
from torchship.spec.model import read_model

from adopt_onnx import adopt_onnx
from benchmark_engines import benchmark_engines
from export_onnx import place_onnx
from find_runtime import find_runtime
from make_cases import make_cases
from plot_errors import plot_errors
from validate_target import validate_target
from write_gate_page import write_gate_page

FLOAT, DOUBLE, HALF = TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16
QUICK = {"benchmark": {"batch_sizes": [1, 3], "rounds": 3, "seconds": 0.02, "sample_seconds": 1e-5}}
SMALL = {"batch_sizes": [1, 2, 7, 16], "axis_sizes": [1, 2, 3], "search": {"evaluations": 256}}


def value(name, kind, shape):
    return helper.make_tensor_value_info(name, kind, shape)


def weights(*shape, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def model(nodes, inputs, outputs, initializers=(), opset=17, ir=8, **domains):
    tensors = [numpy_helper.from_array(array, name) for name, array in dict(initializers).items()]
    graph = helper.make_graph(nodes, "made elsewhere", inputs, outputs, tensors)
    imports = [helper.make_opsetid("", opset)]
    imports += [helper.make_opsetid(name.replace("_", "."), version) for name, version in domains.items()]
    return helper.make_model(graph, opset_imports=imports, ir_version=ir)


def affine(x="x", y="y", batch="N", kind=FLOAT, dtype=np.float32, width=4, **more):
    """y = tanh(x W + b), [batch, 4] -> [batch, 3]."""
    nodes = [helper.make_node("MatMul", [x, "W"], ["h"]), helper.make_node("Add", ["h", "b"], ["s"]),
             helper.make_node("Tanh", ["s"], [y])]  # fmt: skip
    values = {"W": weights(width, 3, dtype=dtype), "b": weights(3, seed=1, dtype=dtype)}
    return model(nodes, [value(x, kind, [batch, width])], [value(y, kind, [batch, 3])], values, **more)


def attention(batch="N", scale=1.0):
    """ONNX Runtime has this attention for float32 alone, as its optimizer writes it; the evaluator has none."""
    nodes = [helper.make_node("MatMul", ["x", "Q"], ["q"]), helper.make_node("MatMul", ["x", "K"], ["k"]),
             helper.make_node("MultiHeadAttention", ["q", "k", "x"], ["a"], domain="com.microsoft", num_heads=2),
             helper.make_node("Tanh", ["a"], ["y"])]  # fmt: skip
    tensors = {"Q": weights(8, 8) * np.float32(scale), "K": weights(8, 8, seed=1)}
    ends = [value("x", FLOAT, [batch, 3, 8])], [value("y", FLOAT, [batch, 3, 8])]
    return model(nodes, *ends, tensors, com_microsoft=1)


def attended(x):
    """The same in NumPy, float64."""
    q, k = (x.astype(np.float64) @ weights(8, 8, seed=seed) for seed in (0, 1))
    heads = [part.reshape(len(x), 3, 2, 4).transpose(0, 2, 1, 3) for part in (q, k, x.astype(np.float64))]
    powers = np.exp(heads[0] @ heads[1].swapaxes(2, 3) / 2.0)
    found = powers / powers.sum(-1, keepdims=True) @ heads[2]
    return np.tanh(found.transpose(0, 2, 1, 3).reshape(x.shape))


def written_for_attention(folder, change=None, dtype=np.float32):
    """Write 40 events of `attention` as mine.npz, and return them."""
    x = np.random.default_rng(0).uniform(-2, 2, (40, 3, 8)).astype(np.float32)
    arrays = {"x": x, "y": attended(x).astype(dtype)}
    if change:
        change(arrays)
    np.savez(folder / "mine.npz", **arrays)
    return arrays


class Road(SimpleNamespace):
    """What the steps of a file from elsewhere made, one after another."""


def section(folder, content=None, targets=("latest",), **entry):
    """Return the complete section of a run with a file, written if its content is given."""
    if content is not None:
        (folder / "mine.onnx").write_bytes(content if isinstance(content, bytes) else content.SerializeToString())
    files = {"file": str(folder / "mine.onnx"), **entry.pop("onnx", {})}
    changes = {"runs": ["mine"], "models": {"mine": {
        "onnx": files, "export": {"targets": list(targets)}, **entry, "validate": merge(SMALL, entry.pop("validate", {})),
    }}}  # fmt: skip
    return resolve(merge(json.loads(json.dumps(DEFAULTS)), changes), SCHEMA, PROJECT)["mine"]


def adopt(folder, content=None, **entry):
    """Adopt a file; give its section with the complete inputs and outputs, and the paths."""
    model = section(folder, content, **entry)
    reference = model["onnx"].get("reference")
    road = Road(folder=folder, onnx=folder / "model.onnx", shipped=folder / "model.json",
                reference=Path(reference) if reference else None)  # fmt: skip
    adopt_onnx(Path(model["onnx"]["file"]), road.reference, road.onnx, road.shipped, run="mine",
               section={kind: model[kind] for kind in ("inputs", "outputs")})  # fmt: skip
    road.model = read_model(road.shipped).with_knobs(model)
    return road


def travel(folder, content=None, target="latest", timed=False, **entry):
    """Take the whole road of a file, to its page; give what each step made."""
    road = adopt(folder, content, targets=(target,), **entry)
    placed, report = folder / "placed.onnx", folder / "export.json"
    place_onnx(road.onnx, read_model(road.shipped), placed, report, name=target, target=TARGETS[target])
    files = {"onnx": road.onnx, **({"reference": road.reference} if road.reference else {})}
    cases = folder / "cases.safetensors"
    make_cases(files, case_outputs(cases), run="mine", model=road.model)
    find_runtime(PROJECT / "envs" / f"onnxruntime-{DEFAULTS['targets'][target]['onnxruntime']}.yaml", folder / "r.json")
    outputs = {name: folder / f"{name}.json" for name in ("validation", "evidence")}
    outputs |= {name: folder / f"{name}.safetensors" for name in ("errors", "worst")} | {"page": folder / "gate.html"}
    validate_target(
        placed, report, cases, read_witnesses(road.model, files), [folder / "r.json"], outputs,
        what=f"mine/{target}", target=TARGETS[target], model=road.model,
    )  # fmt: skip
    svg = folder / "errors.svg"
    plot_errors({target: outputs["errors"]}, {target: outputs["validation"]}, svg, folder / "errors.png",
                style=DEFAULTS["plots"])  # fmt: skip
    write_gate_page("mine", {target: outputs["validation"]}, svg, folder / "page.html")
    if timed:
        benchmark_engines(files, placed, folder / "engines.csv", run="mine", factors=read_about(cases)["factors"],
                          model=merge(road.model, QUICK))  # fmt: skip
    road.validation, road.page = read_json(outputs["validation"]), (folder / "page.html").read_text()
    road.cases, road.placed = cases, placed
    return road


def saved_outside(proto, folder, location):
    """Save a model with its weights in a second file."""
    onnx.save_model(proto, folder / "mine.onnx", save_as_external_data=True, location=location, size_threshold=0)
