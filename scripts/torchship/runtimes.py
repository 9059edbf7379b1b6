"""Run a saved ONNX file in the ONNX Runtime of this interpreter: one thread, as CMSSW does.

Started as `python -m torchship.runtimes MODEL CASES OUTPUTS` by the interpreter of a target's environment.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from torchship.cases import inputs_of
from torchship.datasets import read_about, read_arrays, write_arrays


def session(model: Path) -> onnxruntime.InferenceSession:
    """Open a file with one thread and the default graph optimisations.

    `cms::Ort::ONNXRuntime` does the same: SetIntraOpNumThreads(1), all else as it comes.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def run_cases(model: Path, cases: Path, outputs: Path) -> None:
    """Run a file on all cases and write its outputs, and the error of each case that has none.

    A refusal is a result here: the gate decides what it means.
    """
    about, arrays = read_about(cases), read_arrays(cases)
    report: dict[str, Any] = {"onnxruntime": onnxruntime.__version__, "load_error": None, "errors": {}}
    found: dict[str, NDArray[Any]] = {}
    try:
        running = session(model)
    except Exception as error:  # onnxruntime's exceptions have no common type that is public
        report["load_error"] = one_line(error)
    else:
        report["outputs"] = [output.name for output in running.get_outputs()]
        for case in range(len(about["cases"])):
            try:
                # Poisoned by construction: what the runtime does not return is not there to compare.
                results = running.run(None, inputs_of(case, arrays, about["inputs"]))
            except Exception as error:
                report["errors"][str(case)] = one_line(error)
            else:
                named = zip(report["outputs"], results, strict=True)
                found |= {f"{case}/{name}": np.asarray(result) for name, result in named}
    write_arrays(outputs, found, report)


def one_line(error: Exception) -> str:
    """Give an error's message in one line."""
    return " ".join(str(error).split())


if __name__ == "__main__":
    run_cases(*map(Path, sys.argv[1:4]))
