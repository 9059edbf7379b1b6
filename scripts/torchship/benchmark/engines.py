"""The engines that are timed against each other, each with a check of what it computes while it is timed."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torchship.benchmark.timing import Timer, python_timer
from torchship.codegen import compilers, run_cpp, run_python
from torchship.codegen.layers import read_network
from torchship.core.files import read_json
from torchship.models.module import load
from torchship.runtimes.local import session
from torchship.spec.arrays import Array, Feed
from torchship.spec.section import Section

log = logging.getLogger(__name__)


@dataclass
class Engine:
    """One way to evaluate a batch: `timer` times it, `result` gives by name what the last timed call computed."""

    timer: Timer
    result: Callable[[], dict[str, Array]]


def engines(files: dict[str, Path], onnx: Path, folder: Path, model: Section) -> dict[str, Callable[[Feed], Engine]]:
    """Return what builds each engine for inputs; a file from elsewhere is timed with optimization and without."""
    outputs = list(model["outputs"])
    makers: dict[str, Callable[[Feed], Engine]] = {}
    if "network" in files:
        module = load(files["network"], model["network"].get("arguments", {}), files["trained"])
        makers["torch eager"] = lambda feed: torch_engine(module, feed, outputs)
    makers["ONNX Runtime"] = lambda feed: onnxruntime_engine(onnx, feed, outputs)
    if "python" not in files:
        makers["ONNX Runtime, not optimized"] = lambda feed: onnxruntime_engine(onnx, feed, outputs, "disabled")
        return makers
    described = read_network(read_json(files["weights"]))
    name, output = described.input_name, described.output_name
    makers["hand-coded Python"] = lambda feed: python_engine(files["python"], feed[name], output)
    executable = compilers.compiler()
    if executable is None:
        log.warning("NOT TIMED: the C++ header, because there is no C++ compiler; install g++ or set CXX")
        return makers
    compiled = run_cpp.CompiledNetwork(files["header"], described.name, len(described.classes), folder, executable)
    makers["hand-coded C++"] = lambda feed: cpp_engine(compiled, feed[name], output)
    return makers


def torch_engine(module: torch.nn.Module, feed: Feed, outputs: list[str]) -> Engine:
    """Build the engine of torch's eager module, in inference mode, the batch already tensors."""
    tensors, kept = [torch.from_numpy(array) for array in feed.values()], {}

    def call() -> None:
        kept["y"] = module(*tensors)

    timed = python_timer(call)

    def timer(calls: int) -> float:
        with torch.inference_mode():
            return timed(calls)

    def result() -> dict[str, Array]:
        values = kept["y"] if isinstance(kept["y"], tuple | list) else (kept["y"],)
        return {name: np.asarray(value) for name, value in zip(outputs, values, strict=True)}

    return Engine(timer, result)


def onnxruntime_engine(model: Path, feed: Feed, outputs: list[str], level: str = "all") -> Engine:
    """Build the engine of ONNX Runtime, through its Python interface, one thread."""
    running, given, kept = session(model, level), dict(feed), {}

    def call() -> None:
        kept["y"] = running.run(outputs, given)

    return Engine(python_timer(call), lambda: dict(zip(outputs, kept["y"], strict=True)))


def python_engine(python: Path, x: Array, output: str) -> Engine:
    """Build the engine of the hand-coded Python, event by event, the batch already a list of lists."""
    evaluate, events, kept = run_python.load(python), x.astype(np.float64).tolist(), {}

    def call() -> None:
        kept["y"] = [evaluate(event) for event in events]

    return Engine(python_timer(call), lambda: {output: np.array(kept["y"])})


def cpp_engine(compiled: run_cpp.CompiledNetwork, x: Array, output: str) -> Engine:
    """Build the engine of the hand-coded C++ in float, timed by C++'s own clock: a call by ctypes costs more."""
    y = np.full((len(x), compiled.outputs), np.nan, dtype=np.float32)
    return Engine(lambda calls: compiled.seconds(x, y, calls), lambda: {output: y})
