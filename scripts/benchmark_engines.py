"""Time torch, ONNX Runtime, the hand-coded Python and the C++ header side by side, and check what they compute."""

import tempfile
from pathlib import Path
from typing import Any

from torchship.step import log, step

import numpy as np
import torch
from torchship import cpp
from torchship.domain import BATCH, uniform
from torchship.engines import Engine, cpp_engine, onnxruntime_engine, python_engine, torch_engine
from torchship.files import read_json, write_rows
from torchship.layers import read_network
from torchship.networks import load
from torchship.parity import compare, require
from torchship.reference import evaluate
from torchship.timing import rounds, summarize

COLUMNS = ["engine", "batch", "quantile", "seconds_per_call", "low", "high", "events_per_second",
           "samples", "calls_per_sample", "note"]  # fmt: skip


def benchmark_engines(
    network: Path, trained: Path, weights: Path, python: Path, header: Path, onnx: Path, table: Path,
    *, model: dict[str, Any],
) -> None:  # fmt: skip
    torch.set_num_threads(1)
    knobs, described = model["benchmark"], read_network(read_json(weights))
    module = load(network, model["network"].get("arguments", {}), trained)
    ((_, tensor),) = model["inputs"].items()
    executable = cpp.compiler()
    if executable is None:
        log.warning("NOT TIMED: the C++ header, because there is no C++ compiler; install g++ or set CXX")
    rows: list[list[Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        outputs = len(described.classes)
        compiled = (
            cpp.CompiledNetwork(header, described.name, outputs, Path(folder), executable) if executable else None
        )
        for batch in knobs["batch_sizes"]:
            x = uniform(tensor, {BATCH: batch}, np.random.default_rng(model["seed"]))
            engines: dict[str, Engine] = {
                "torch eager": torch_engine(module, x),
                "ONNX Runtime": onnxruntime_engine(onnx, x),
                "hand-coded Python": python_engine(python, x),
            }
            if compiled is not None:
                engines["hand-coded C++"] = cpp_engine(compiled, x)
            timed = rounds(
                {name: engine.timer for name, engine in engines.items()},
                count=knobs["rounds"],
                seconds=knobs["seconds"],
                sample_seconds=knobs["sample_seconds"],
                seed=model["seed"],
            )
            expected, bound = evaluate(described, x)
            for name, (calls, samples) in timed.items():
                difference = compare(engines[name].result(), expected, bound)
                require(
                    difference, 1.0, f"{described.name}: {name}, as timed with batch {batch}", described.output_name
                )
                for quantile, entry in summarize(samples, knobs["confidence"], model["seed"]).items():
                    seconds = entry["seconds"]
                    note = entry["note"] if entry["note"] or calls == 1 else f"of means of {calls} calls"
                    rows.append([name, batch, quantile, seconds, entry["low"], entry["high"], batch / seconds,
                                 len(samples), calls, note])  # fmt: skip
            log.info(
                "batch %d: median %s",
                batch,
                ", ".join(f"{name} {np.median(s):.2g} s" for name, (_, s) in timed.items()),
            )
    write_rows(table, COLUMNS, rows)


if __name__ == "__main__":
    with step():
        benchmark_engines(
            *(Path(snakemake.input[name]) for name in ("network", "trained", "weights", "python", "header", "onnx")),
            Path(snakemake.output.table),
            model=snakemake.params.model,
        )
