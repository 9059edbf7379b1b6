"""Time torch, ONNX Runtime, the hand-coded Python and the C++ header side by side, and check what they compute."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from torchship.core.step import log, step

import numpy as np
import torch
from torchship.benchmark.engines import engines
from torchship.benchmark.timing import rounds, summarize
from torchship.core.files import write_rows
from torchship.data.datasets import read_about
from torchship.data.domain import fixed_batch
from torchship.gate.case_inputs import sizes_of
from torchship.gate.compare import compare, require
from torchship.gate.witness.given_reference import GivenReference
from torchship.gate.witness.witnesses import judged_inputs, read_witnesses
from torchship.spec.axes import ANY_SIZE, dynamic_axes, read_axes, usual_sizes
from torchship.spec.model import read_model
from torchship.spec.section import Section

QUANTILE = ["quantile", "seconds_per_call", "low", "high", "events_per_second"]
COLUMNS = ["engine", "batch", *QUANTILE, "samples", "calls_per_sample", "note"]


def benchmark_engines(
    files: dict[str, Path], onnx: Path, table: Path, *, run: str, factors: Mapping[str, float], model: Section
) -> None:
    """Time all engines that there are files for; `factors` are those of the limits that the gate judged by."""
    torch.set_num_threads(1)
    knobs, witnesses = model["benchmark"], read_witnesses(model, files)
    names, axes = dynamic_axes(model["inputs"]), read_axes(model)
    # A file whose axes are all fixed is timed at these.
    wanted = knobs["batch_sizes"] if names else [fixed_batch(model["inputs"]) or 1]
    if isinstance(witnesses.arbiter, GivenReference) and not witnesses.arbiter.separate and names:
        wanted = [sizes_of(model["inputs"], witnesses.arbiter.batch(1)[0])[names[0]]]
    allowed = axes.get(names[0], ANY_SIZE) if names else ANY_SIZE
    rows: list[list[object]] = []
    with tempfile.TemporaryDirectory() as folder:
        makers = engines(files, onnx, Path(folder), model)
        for batch in dict.fromkeys(allowed.nearest(size) for size in wanted):
            sizes = {**usual_sizes(model["inputs"], axes), **dict.fromkeys(names[:1], batch)}
            feed, exact, limit = judged_inputs(witnesses, model, sizes, factors)
            made = {name: make(feed) for name, make in makers.items()}
            timed = rounds(
                {name: engine.timer for name, engine in made.items()},
                count=knobs["rounds"],
                seconds=knobs["seconds"],
                sample_seconds=knobs["sample_seconds"],
                seed=model["seed"],
            )
            for name, (calls, samples) in timed.items():
                for output, found in made[name].result().items():
                    difference = compare(found.reshape(exact[output].shape), exact[output], limit[output])
                    require(difference, 1.0, f"{run}: {name}, as timed with batch {batch}", output)
                for quantile, entry in summarize(samples, knobs["confidence"], model["seed"]).items():
                    seconds = entry["seconds"]
                    note = entry["note"] if entry["note"] or calls == 1 else f"of means of {calls} calls"
                    cells = [quantile, seconds, entry["low"], entry["high"], batch / seconds]
                    rows.append([name, batch, *cells, len(samples), calls, note])
            medians = ", ".join(f"{name} {np.median(samples):.2g} s" for name, (_, samples) in timed.items())
            log.info("batch %d: median %s", batch, medians)
    write_rows(table, COLUMNS, rows)


if __name__ == "__main__":
    with step() as snakemake:
        benchmark_engines(
            {name: Path(path) for name, path in snakemake.input.items() if isinstance(path, str)},
            Path(snakemake.input.file),
            Path(snakemake.output.table),
            run=snakemake.wildcards.run,
            factors=read_about(Path(snakemake.input.cases))["factors"],
            model=read_model(Path(snakemake.input.shipped)).with_knobs(snakemake.params.knobs),
        )
