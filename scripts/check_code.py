"""Check the generated Python and C++ against torch, on the test set and on a grid over the domain."""

from pathlib import Path

from torchship.core.step import log, step

import numpy as np
import torch
from torchship.codegen import run_python
from torchship.codegen.crosscheck import check_decisions, crosscheck
from torchship.codegen.layers import read_network
from torchship.core.files import read_json, write_json
from torchship.data.datasets import read_set
from torchship.data.domain import grid
from torchship.models.module import load
from torchship.spec.model import read_model
from torchship.spec.objective import terms_of
from torchship.spec.section import Section

# Enough to show in the report, few enough to read.
SHOWN_EVENTS = 8


def check_code(
    weights: Path,
    python: Path,
    header: Path,
    network: Path,
    trained: Path,
    test: Path | None,
    datasheet: Path | None,
    check: Path,
    *,
    model: Section,
) -> None:
    torch.set_num_threads(1)
    described = read_network(read_json(weights))
    module = load(network, model["network"].get("arguments", {}), trained)
    ((name, tensor),) = model["inputs"].items()
    knobs, generator = model["extract"], np.random.default_rng(model["seed"])
    # With weights from elsewhere there may be no data.
    events = read_set(test, datasheet) if test is not None and datasheet is not None else {}
    points = {"test set": events[name]} if events else {}
    points["grid"] = grid(tensor, knobs["grid_points"], knobs["max_grid"], generator)
    shown = next(iter(points.values()))[:SHOWN_EVENTS]
    report = crosscheck(described, module, python, header, points)
    evaluate = run_python.load(python)
    answers = run_python.evaluate_all(evaluate, shown)
    report["shown"] = [{"input": x.tolist(), "output": y.tolist()} for x, y in zip(shown, answers, strict=True)]
    if events and knobs["required_accuracy"] is not None:
        # The generator covers networks of one output.
        (term,) = terms_of(model)
        outputs, threshold = run_python.evaluate_all(evaluate, events[name]), model["evaluate"]["threshold"]
        what, required = f"{described.name}: hand-coded", knobs["required_accuracy"]
        report["decisions"] = check_decisions(outputs, events[term.target], term.function, threshold, required, what)
    for entry in report["shown"]:
        log.info("%s -> %s", entry["input"], [round(value, 4) for value in entry["output"]])
    write_json(check, report)


if __name__ == "__main__":
    with step() as snakemake:
        given = (snakemake.input.get(name) for name in ("test", "datasheet"))
        test, datasheet = (Path(path) if path else None for path in given)
        check_code(
            Path(snakemake.input.weights),
            Path(snakemake.input.python),
            Path(snakemake.input.header),
            Path(snakemake.input.network),
            Path(snakemake.input.trained),
            test,
            datasheet,
            Path(snakemake.output.check),
            model=read_model(Path(snakemake.input.shipped)).with_knobs(snakemake.params.knobs),
        )
