"""The engines that are timed against each other, each with a check of what it computes while it is timed."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torchship import handcoded
from torchship.cpp import CompiledNetwork
from torchship.runtimes import session
from torchship.timing import Timer, python_timer

Array = NDArray[Any]


@dataclass
class Engine:
    """One way to evaluate a batch: `timer` times it, `result` gives what the last timed call computed."""

    timer: Timer
    result: Callable[[], Array]


def torch_engine(module: torch.nn.Module, x: Array) -> Engine:
    """Give torch's eager module, in inference mode, the batch already a tensor."""
    tensor, kept = torch.from_numpy(x), {}

    def call() -> None:
        kept["y"] = module(tensor)

    timed = python_timer(call)

    def timer(calls: int) -> float:
        with torch.inference_mode():
            return timed(calls)

    return Engine(timer, lambda: np.asarray(kept["y"]))


def onnxruntime_engine(model: Path, x: Array) -> Engine:
    """Give ONNX Runtime through its Python interface, one thread."""
    running, kept = session(model), {}
    feed = {running.get_inputs()[0].name: x}

    def call() -> None:
        kept["y"] = running.run(None, feed)[0]

    return Engine(python_timer(call), lambda: kept["y"])


def python_engine(python: Path, x: Array) -> Engine:
    """Give the hand-coded Python, event by event, the batch already a list of lists."""
    evaluate, events, kept = handcoded.load(python), x.astype(np.float64).tolist(), {}

    def call() -> None:
        kept["y"] = [evaluate(event) for event in events]

    return Engine(python_timer(call), lambda: np.array(kept["y"]))


def cpp_engine(compiled: CompiledNetwork, x: Array) -> Engine:
    """Give the hand-coded C++ in float, timed by C++'s own clock: a call through ctypes would cost more than it."""
    y = np.full((len(x), compiled.outputs), np.nan, dtype=np.float32)
    return Engine(lambda calls: compiled.seconds(x, y, calls), lambda: y)
