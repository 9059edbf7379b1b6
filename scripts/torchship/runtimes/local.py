"""ONNX Runtime, in this interpreter, and the same served to another one.

Started as `python -m torchship.runtimes.local` in the environment of a target, since two versions of ONNX Runtime
cannot share one. Requests and answers are frames on stdin and stdout.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

import numpy as np
import onnxruntime
from torchship.runtimes.frames import RefusedError, read_block, read_frame, write_frame
from torchship.runtimes.protocol import Signature, Value
from torchship.spec.arrays import Array, Feed

LEVELS = {
    "disabled": onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
    "basic": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "extended": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "all": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
}


def session(model: str | bytes | Path, level: str = "all", threads: int = 1) -> onnxruntime.InferenceSession:
    """Open a file with one thread and the default graph optimisations, unless asked otherwise.

    `cms::Ort::ONNXRuntime` does the same: SetIntraOpNumThreads(1), all else as it comes.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = LEVELS[level]
    options.log_severity_level = 4
    source = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


class LocalRuntime:
    """The ONNX Runtime of this interpreter; has the methods of `protocol.Runtime`."""

    def __init__(self) -> None:
        self.version: str = onnxruntime.__version__
        self._open: dict[int, onnxruntime.InferenceSession] = {}
        self._count = 0

    def open(self, model: bytes, level: str = "all", threads: int = 1) -> int:
        """Open a model and return its number.

        Raises:
            RefusedError: the runtime does not load it.
        """
        try:
            opened = session(model, level, threads)
        except Exception as error:  # onnxruntime's exceptions have no common type that is public
            raise RefusedError(one_line(error)) from error
        self._count += 1
        self._open[self._count] = opened
        return self._count

    def signature(self, number: int) -> Signature:
        """Return name, type and shape of each input and output, as the runtime sees them."""
        opened = self._open[number]
        return {"inputs": described(opened.get_inputs()), "outputs": described(opened.get_outputs())}

    def run(self, number: int, feed: Feed) -> dict[str, Array]:
        """Run a model that is open, and return its outputs by name.

        Raises:
            RefusedError: the runtime does not run it on these inputs.
        """
        opened = self._open[number]
        names = [output.name for output in opened.get_outputs()]
        try:
            results = opened.run(None, dict(feed))
        except Exception as error:
            raise RefusedError(one_line(error)) from error
        return {name: np.asarray(result) for name, result in zip(names, results, strict=True)}

    def close(self, number: int) -> None:
        """Forget a model."""
        del self._open[number]


def described(values: Sequence[onnxruntime.NodeArg]) -> list[Value]:
    """Return name, type and shape of some inputs or outputs."""
    return [(value.name, value.type, list(value.shape)) for value in values]


def one_line(error: Exception) -> str:
    """Return an error's message in one line."""
    return " ".join(str(error).split())


def serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answer requests until the other side ends."""
    runtime = LocalRuntime()
    write_frame(answers, {"version": runtime.version}, {})
    while True:
        try:
            request, block = read_frame(requests)
        except EOFError:
            return
        answer: Mapping[str, object] = {}
        arrays: dict[str, Array] = {}
        try:
            match request["do"]:
                case "open":
                    answer = {"number": runtime.open(block, request["level"], request["threads"])}
                case "signature":
                    answer = runtime.signature(request["number"])
                case "run":
                    arrays = runtime.run(request["number"], read_block(block))
                    answer = {"outputs": list(arrays)}
                case "close":
                    runtime.close(request["number"])
        except RefusedError as refused:
            answer = {"refused": str(refused)}
        write_frame(answers, answer, arrays)


if __name__ == "__main__":
    # What the runtime prints must not run into the answers.
    channel = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, channel)
